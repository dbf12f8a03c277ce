"""Search a policy on CIFAR-10 with WRN-40-2: the paper's setting.

S_train and S_val are 2,000 training images each, drawn by class; ``_base_/cifar_search.py`` has the rest::

    python tools/search.py configs/ddas_cls/wrn40x2_cifar10.py
    CIFAR10_FORMAT=folders python tools/search.py configs/ddas_cls/wrn40x2_cifar10.py
"""

_base_ = [
    '../_base_/wide_resnet.py',
    '../_base_/cifar10_{{$CIFAR10_FORMAT:pickles}}.py',
    '../_base_/cifar_search.py',
    '../_base_/runtime_cls.py',
]

model = dict(backbone=dict(depth=40, width=2), head=dict(in_channels=128))
s_train = dict(type='StratifiedSubset', num_samples=2000, dataset=_base_.train_dataset)
s_val = dict(type='StratifiedSubset', num_samples=2000, skip=2000, dataset=_base_.plain_train_dataset)
train_dataloader = dict(batch_size=32, dataset=dict(_delete_=True, **s_train))
train_cfg = dict(policy_dataloader=dict(dataset=s_val))
