"""What an operation is worth on BCCD: S_train of ``retinanet_thin_bccd.py``, at three quarters of its resolution.

Used by ``research/yardstick.py``; a training takes about five minutes of a core.
"""

_base_ = ['../../../configs/ddas/retinanet_thin_bccd_train.py']

yardstick = dict(preset='detection', metric='coco/bbox_mAP')
in_process = dict(num_workers=0, persistent_workers=False, pin_memory=False)
resize = dict(type='Resize', scale=(240, 180), keep_ratio=True)
train_pipeline = [*_base_.load, dict(type='DDASAugment'), resize, *_base_.flip_and_pack]
train_dataloader = dict(dataset=dict(ann_file='train_search_train.json', pipeline=train_pipeline), **in_process)
# S_val of bccd_search.py.
plain_pipeline = [*_base_.load, resize, *_base_.flip_and_pack]
plain = dict(_base_.train_dataloader.dataset, ann_file='train_search_val.json', pipeline=plain_pipeline)
s_val = dict(_base_.train_dataloader, dataset=plain, **in_process)
val_dataloader = dict(dataset=dict(pipeline=[dict(type='LoadImageFromFile'), resize, *_base_.test_pack]), **in_process)
custom_hooks = [dict(type='ChannelsLastHook'), dict(type='PolicyScheduleHook')]
train_cfg = dict(max_epochs=30, val_interval=15)
