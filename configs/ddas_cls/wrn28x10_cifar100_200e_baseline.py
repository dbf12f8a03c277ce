"""The baseline of ``wrn28x10_cifar100_200e.py``: the same training without a policy."""

_base_ = ['./wrn28x10_cifar100_200e.py']

policy_file = None
custom_hooks = [dict(type='ChannelsLastHook')]
train_dataloader = dict(dataset=dict(pipeline={{_base_.baseline_pipeline}}))
