"""The search that ``cifar10_1k.py`` measures, recorded as ``bccd_search.py`` is: as many steps as with 4,000 images."""

_base_ = ['./cifar10_1k.py', '../../../configs/_base_/recommended_search.py']

train_cfg = dict(_base_.recommended, _delete_=True, max_epochs=32, policy_dataloader=_base_.s_val, search_space='cifar')
custom_hooks = [dict(type='ChannelsLastHook')]
