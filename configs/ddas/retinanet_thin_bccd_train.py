"""Train the thin RetinaNet on all of BCCD's ``train.json`` with the policy searched by ``retinanet_thin_bccd.py``::

    python tools/train.py configs/ddas/retinanet_thin_bccd_train.py

The network and the data are the search's; epochs and rates are a choice of this project. Evaluated on ``test.json``
after the last epoch.
"""

_base_ = ['../_base_/retinanet_thin.py', '../_base_/bccd.py', '../_base_/runtime.py']

policy_file = 'work_dirs/retinanet_thin_bccd/policy.json'
custom_hooks = [dict(type='PolicyScheduleHook')]

max_epochs = 10
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0001),
    clip_grad=dict(max_norm=10),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=max_epochs, convert_to_iter_based=True),
]
