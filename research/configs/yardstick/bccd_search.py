"""The search that ``bccd.py`` measures: same network, S_train and resolution.

Its steps are recorded, along several directions and with a policy that stays uniform, by ::

    python research/reliability.py research/configs/yardstick/bccd_search.py --seeds 0 1 2
"""

_base_ = ['./bccd.py', '../../../configs/_base_/recommended_search.py']

train_cfg = dict(_base_.recommended, _delete_=True, max_epochs=8, policy_dataloader=_base_.s_val)
custom_hooks = [dict(type='ChannelsLastHook')]
