"""Train WRN-28-10 on CIFAR-100 with a searched policy, 200 epochs, 5 of them warm-up: the paper's setting.

python tools/train.py configs/ddas_cls/wrn28x10_cifar100_200e.py
"""

_base_ = [
    '../_base_/wide_resnet.py',
    '../_base_/cifar100.py',
    '../_base_/cifar_training.py',
    '../_base_/runtime_cls.py',
]

policy_file = 'work_dirs/wrn40x2_cifar100/policy.json'
model = dict(head=dict(num_classes=100))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=200, val_interval=10)
param_scheduler = [
    dict(type='LinearLR', by_epoch=True, start_factor=0.01, begin=0, end=5, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=5, end=200, convert_to_iter_based=True),
]
default_hooks = dict(checkpoint=dict(interval=10))
