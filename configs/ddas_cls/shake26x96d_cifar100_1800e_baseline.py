"""The baseline of ``shake26x96d_cifar100_1800e.py``: the same training without a policy."""

_base_ = ['./shake26x96d_cifar100_1800e.py']

policy_file = None
custom_hooks = [dict(type='ChannelsLastHook')]
train_dataloader = dict(dataset=dict(pipeline={{_base_.baseline_pipeline}}))
