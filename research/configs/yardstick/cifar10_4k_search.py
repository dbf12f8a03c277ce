"""The search that ``cifar10_4k.py`` measures, recorded as ``bccd_search.py`` is; SGD has the training's rate, too."""

_base_ = ['./cifar10_4k.py', '../../../configs/_base_/recommended_search.py']

train_cfg = dict(_base_.recommended, _delete_=True, max_epochs=8, policy_dataloader=_base_.s_val, search_space='cifar')
custom_hooks = [dict(type='ChannelsLastHook')]
