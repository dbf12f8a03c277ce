"""What the trainings on CIFAR with a policy share: SGD with Nesterov's momentum and a cosine, batches of 128."""

custom_hooks = [dict(type='ChannelsLastHook'), dict(type='PolicyScheduleHook')]
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
)
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)]
auto_scale_lr = dict(base_batch_size=128)
