"""Train WRN-28-10 on CIFAR-10 with a searched policy, 200 epochs: the paper's setting.

python tools/train.py configs/ddas_cls/wrn28x10_cifar10_200e.py
"""

_base_ = [
    '../_base_/wide_resnet.py',
    '../_base_/cifar10_{{$CIFAR10_FORMAT:pickles}}.py',
    '../_base_/cifar_training.py',
    '../_base_/runtime_cls.py',
]

policy_file = 'work_dirs/wrn40x2_cifar10/policy.json'
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=200, val_interval=10)
default_hooks = dict(checkpoint=dict(interval=10))
