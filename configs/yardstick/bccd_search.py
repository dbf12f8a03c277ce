"""The search that ``bccd.py`` measures: same network, S_train and resolution.

Its steps are recorded, along several directions and with a policy that stays uniform, by ::

    python tools/benchmarks/reliability.py configs/yardstick/bccd_search.py --seeds 0 1 2
"""

_base_ = ['./bccd.py']

train_cfg = dict(
    _delete_=True,
    type='DDASSearchLoop',
    max_epochs=8,
    policy_dataloader=_base_.s_val,
    num_sub_policies=6,
    estimator=dict(type='ShrinkageEstimator'),
)
custom_hooks = [dict(type='ChannelsLastHook')]
