"""Ablation of the paper: WRN-28-10 on CIFAR-100 with the policy of ``wrn40x2_cifar100_fixed.py``, p_tp fixed."""

_base_ = ['./wrn28x10_cifar100_200e.py']

policy_file = 'work_dirs/wrn40x2_cifar100_fixed/policy.json'
