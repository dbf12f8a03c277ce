"""The baseline of ``resnet18thin_cifar10_4k.py``: the same training without a policy."""

_base_ = ['./resnet18thin_cifar10_4k.py']

policy_file = None
custom_hooks = [dict(type='ChannelsLastHook')]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=[*_base_.load, *_base_.crop_flip_pack])))
