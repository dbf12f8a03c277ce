"""MMPretrain's runtime with this package's registration and log line, for searches and re-trainings."""

_base_ = ['mmpretrain::_base_/default_runtime.py']

custom_imports = dict(imports=['mmddas'])
default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=1),
)
log_processor = dict(type='DDASLogProcessor', window_size=50, by_epoch=True)
randomness = dict(seed=0)
