"""How images for a classifier are loaded: by workers that stay, into batches of one tensor."""

train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
val_dataloader = dict(train_dataloader, num_workers=2, sampler=dict(type='DefaultSampler', shuffle=False))
test_dataloader = val_dataloader
val_cfg = dict()
test_cfg = dict()
