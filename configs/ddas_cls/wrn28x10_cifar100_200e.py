"""Train WRN-28-10 on CIFAR-100 with a searched policy, 200 epochs, 5 of them warm-up: the paper's setting.

python tools/train.py configs/ddas_cls/wrn28x10_cifar100_200e.py
"""

_base_ = [
    '../_base_/wide_resnet.py',
    '../_base_/cifar100_{{$CIFAR100_FORMAT:pickles}}.py',
    '../_base_/runtime_cls.py',
]

policy_file = 'work_dirs/wrn40x2_cifar100/policy.json'
custom_hooks = [dict(type='ChannelsLastHook'), dict(type='PolicyScheduleHook')]

model = dict(head=dict(num_classes=100))
max_epochs, warm_up = 200, 5
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=10)
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
)
param_scheduler = [
    dict(type='LinearLR', by_epoch=True, start_factor=0.01, begin=0, end=warm_up, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=warm_up, end=max_epochs, convert_to_iter_based=True),
]
default_hooks = dict(checkpoint=dict(interval=10))
auto_scale_lr = dict(base_batch_size=128)
