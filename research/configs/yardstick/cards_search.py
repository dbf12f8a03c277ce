"""The search that ``cards.py`` measures, recorded as ``bccd_search.py`` is."""

_base_ = ['./cards.py', '../../../configs/_base_/recommended_search.py']

train_cfg = dict(_base_.recommended, _delete_=True, max_epochs=8, policy_dataloader=_base_.s_val)
custom_hooks = [dict(type='ChannelsLastHook')]
