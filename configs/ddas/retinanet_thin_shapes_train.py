"""The quick start's training with the searched policy, evaluated on held-out negatives."""

_base_ = ['../_base_/retinanet_thinner.py', '../_base_/shapes.py', '../_base_/runtime.py']

policy_file = 'work_dirs/retinanet_thin_shapes/policy.json'
custom_hooks = [dict(type='PolicyScheduleHook')]

max_epochs = 24
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.0001),
    clip_grad=dict(max_norm=10),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=max_epochs, convert_to_iter_based=True),
]
