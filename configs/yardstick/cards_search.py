"""The search that ``cards.py`` measures, recorded as ``bccd_search.py`` is."""

_base_ = ['./cards.py']

train_cfg = dict(
    _delete_=True,
    type='DDASSearchLoop',
    max_epochs=8,
    policy_dataloader=_base_.s_val,
    num_sub_policies=6,
    estimator=dict(type='ShrinkageEstimator'),
)
custom_hooks = [dict(type='ChannelsLastHook')]
