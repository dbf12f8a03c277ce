"""The search that ``cards.py`` measures, recorded as ``bccd_search.py`` is."""

_base_ = ['./cards.py']

train_cfg = dict(_delete_=True, type='DDASSearchLoop', max_epochs=20, policy_dataloader=_base_.s_val)
custom_hooks = [dict(type='ChannelsLastHook')]
