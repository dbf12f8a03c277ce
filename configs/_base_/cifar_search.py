"""What the searches on CIFAR share: the paper's setting, where it is silent that of its authors' released code.

The released code sums the loss over a batch of 32 and steps at a rate of 0.01; with the mean of this config the same
step has a rate of 0.32 (the last batch of an epoch, of 16 images, steps as far as the others).
"""

policy_dataloader = dict(
    batch_size=256,
    num_workers=4,  # 256 images a step
    persistent_workers=True,
    pin_memory=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
train_cfg = dict(
    type='DDASSearchLoop',
    max_epochs=20,
    policy_dataloader=policy_dataloader,
    search_space='cifar',
    estimator=dict(type='PaperEstimator'),
)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01 * 32, momentum=0.0, weight_decay=0.0))
param_scheduler = dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)
custom_hooks = [dict(type='ChannelsLastHook')]
