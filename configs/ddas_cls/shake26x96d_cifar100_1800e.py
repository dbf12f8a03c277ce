"""Train Shake-Shake 26 2x96d on CIFAR-100 with a searched policy, 1,800 epochs: the paper's setting.

python tools/train.py configs/ddas_cls/shake26x96d_cifar100_1800e.py
"""

_base_ = [
    '../_base_/shake_shake.py',
    '../_base_/cifar100.py',
    '../_base_/cifar_training.py',
    '../_base_/runtime_cls.py',
]

policy_file = 'work_dirs/wrn40x2_cifar100/policy.json'
model = dict(head=dict(num_classes=100))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1800, val_interval=50)
optim_wrapper = dict(optimizer=dict(lr=0.01, weight_decay=1e-3))
default_hooks = dict(checkpoint=dict(interval=10))
