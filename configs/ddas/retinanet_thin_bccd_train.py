"""Train the thin RetinaNet on all of BCCD's ``train.json`` with the policy searched by ``retinanet_thin_bccd.py``::

    python tools/train.py configs/ddas/retinanet_thin_bccd_train.py

The network and the data are the search's; epochs and rates are a choice of this project. Evaluated on ``test.json``
after the last epoch.
"""

_base_ = ['../_base_/retinanet_thin.py', '../_base_/bccd.py', '../_base_/sgd_thin.py', '../_base_/runtime.py']

policy_file = 'work_dirs/retinanet_thin_bccd/policy.json'
custom_hooks = [dict(type='PolicyScheduleHook')]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=10, val_interval=10)
