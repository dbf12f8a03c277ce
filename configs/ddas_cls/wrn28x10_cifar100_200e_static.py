"""Ablation of the paper: WRN-28-10 on CIFAR-100 with the last snapshot of the search throughout, not its schedule."""

_base_ = ['./wrn28x10_cifar100_200e.py']

custom_hooks = [dict(type='ChannelsLastHook'), dict(type='PolicyScheduleHook', static=True)]
