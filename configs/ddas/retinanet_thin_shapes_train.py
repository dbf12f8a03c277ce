"""The quick start's training with the searched policy, evaluated on held-out negatives."""

_base_ = ['../_base_/retinanet_thinner.py', '../_base_/shapes.py', '../_base_/sgd_thin.py', '../_base_/runtime.py']

policy_file = 'work_dirs/retinanet_thin_shapes/policy.json'
custom_hooks = [dict(type='PolicyScheduleHook')]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=24, val_interval=24)
optim_wrapper = dict(optimizer=dict(lr=0.1))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True),
]
