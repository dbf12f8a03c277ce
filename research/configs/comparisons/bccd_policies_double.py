"""``bccd_policies.py`` with nearly twice the pixels, for twice the epochs: whether so small a training misleads."""

_base_ = ['./bccd_policies.py']

searches_of = 'bccd_policies'
resize = dict(type='Resize', scale=(320, 240), keep_ratio=True)
train_pipeline = [*_base_.load, dict(type='DDASAugment'), resize, *_base_.flip_and_pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=[dict(type='LoadImageFromFile'), resize, *_base_.test_pack]))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=40, val_interval=40)
