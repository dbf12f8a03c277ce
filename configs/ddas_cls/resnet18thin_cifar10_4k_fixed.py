"""``resnet18thin_cifar10_4k.py`` with the policy of ``wrn10x1_cifar10_fixed.py``, p_tp fixed to 0.35."""

_base_ = ['./resnet18thin_cifar10_4k.py']

policy_file = 'work_dirs/wrn10x1_cifar10_fixed/policy.json'
