"""``cifar10_4k_policies.py`` for twice the epochs: long enough that more do not help without a policy."""

_base_ = ['./cifar10_4k_policies.py']

searches_of = 'cifar10_4k_policies'
train_cfg = dict(max_epochs=180, val_interval=180)
