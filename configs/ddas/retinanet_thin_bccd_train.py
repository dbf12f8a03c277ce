"""Train the thin RetinaNet on all of BCCD's ``train.json`` with the policy searched by ``retinanet_thin_bccd.py``::

    python tools/train.py configs/ddas/retinanet_thin_bccd_train.py

The data, the scale and the network are the search's; epochs and rates are a choice of this project. Evaluated on
``test.json`` after the last epoch.
"""

_base_ = ['./retinanet_thin_bccd.py']

policy_file = 'work_dirs/retinanet_thin_bccd/policy.json'
custom_hooks = [dict(type='PolicyScheduleHook')]

max_epochs = 60
train_dataloader = dict(dataset=dict(ann_file='train.json'))
train_cfg = dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs)

test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale={{_base_.scale}}, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoDataset',
        metainfo={{_base_.metainfo}},
        data_root={{_base_.data_root}},
        ann_file='test.json',
        data_prefix=dict(img='images/'),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='CocoMetric', ann_file={{_base_.data_root}} + 'test.json', metric='bbox')
test_evaluator = val_evaluator
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=max_epochs, convert_to_iter_based=True),
]
