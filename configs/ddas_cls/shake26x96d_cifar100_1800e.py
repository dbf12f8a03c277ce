"""Train Shake-Shake 26 2x96d on CIFAR-100 with a searched policy, 1,800 epochs: the paper's setting.

python tools/train.py configs/ddas_cls/shake26x96d_cifar100_1800e.py
"""

_base_ = [
    '../_base_/shake_shake.py',
    '../_base_/cifar100_{{$CIFAR100_FORMAT:pickles}}.py',
    '../_base_/runtime_cls.py',
]

policy_file = 'work_dirs/wrn40x2_cifar100/policy.json'
custom_hooks = [dict(type='ChannelsLastHook'), dict(type='PolicyScheduleHook')]

model = dict(head=dict(num_classes=100))
max_epochs = 1800
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=50)
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-3)
)
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=True, T_max=max_epochs, convert_to_iter_based=True)]
default_hooks = dict(checkpoint=dict(interval=10))
auto_scale_lr = dict(base_batch_size=128)
