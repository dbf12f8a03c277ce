"""The baseline of ``resnet50_imagenet_270e.py``: the same training without a policy."""

_base_ = ['./resnet50_imagenet_270e.py']

policy_file = None
custom_hooks = [dict(type='ChannelsLastHook')]
train_dataloader = dict(dataset=dict(pipeline={{_base_.baseline_pipeline}}))
