"""``resnet18thin_cifar10_4k.py`` with the last snapshot of the search throughout, not its schedule."""

_base_ = ['./resnet18thin_cifar10_4k.py']

custom_hooks = [dict(type='ChannelsLastHook'), dict(type='PolicyScheduleHook', static=True)]
