"""Search a policy on CIFAR-100 with WRN-40-2: the paper's setting, as on CIFAR-10.

python tools/search.py configs/ddas_cls/wrn40x2_cifar100.py
CIFAR100_FORMAT=folders python tools/search.py configs/ddas_cls/wrn40x2_cifar100.py
"""

_base_ = [
    '../_base_/wide_resnet.py',
    '../_base_/cifar100.py',
    '../_base_/cifar_search.py',
    '../_base_/runtime_cls.py',
]

model = dict(backbone=dict(depth=40, width=2), head=dict(in_channels=128, num_classes=100))
s_train = dict(type='StratifiedSubset', num_samples=2000, dataset=_base_.train_dataset)
s_val = dict(type='StratifiedSubset', num_samples=2000, skip=2000, dataset=_base_.plain_train_dataset)
train_dataloader = dict(batch_size=32, dataset=dict(_delete_=True, **s_train))
train_cfg = dict(policy_dataloader=dict(dataset=s_val))
