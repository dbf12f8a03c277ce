"""Detection data sets in COCO's format, for a CPU: how they are loaded and evaluated.

A data set's own file says where it lies, its classes and its pipelines, which it makes of the parts below.
"""

load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
flip_and_pack = [dict(type='RandomFlip', prob=0.5), dict(type='PackDetInputs')]
# Boxes that are loaded after the resizing stay those of the whole image.
test_pack = [
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='CocoDataset'),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CocoDataset', test_mode=True),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='CocoMetric', metric='bbox')
test_evaluator = val_evaluator
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
