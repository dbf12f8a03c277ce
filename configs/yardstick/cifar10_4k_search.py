"""The search that ``cifar10_4k.py`` measures, recorded as ``bccd_search.py`` is; SGD has the training's rate, too."""

_base_ = ['./cifar10_4k.py']

train_cfg = dict(
    _delete_=True,
    type='DDASSearchLoop',
    max_epochs=8,
    policy_dataloader=_base_.s_val,
    num_sub_policies=6,
    estimator=dict(type='ShrinkageEstimator'),
    search_space='cifar',
)
custom_hooks = [dict(type='ChannelsLastHook')]
