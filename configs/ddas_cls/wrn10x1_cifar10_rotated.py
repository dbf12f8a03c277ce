"""The paper's sanity check with a network of 78,000 parameters, which a CPU finishes in minutes.

As ``wrn40x2_cifar10_rotated.py``, the network apart::

    python tools/search.py configs/ddas_cls/wrn10x1_cifar10_rotated.py
"""

_base_ = ['./wrn40x2_cifar10_rotated.py']

model = dict(backbone=dict(depth=10, width=1), head=dict(in_channels=64))
max_epochs = 12
train_cfg = dict(
    max_epochs=max_epochs, policy_dataloader=dict(num_workers=0, persistent_workers=False, pin_memory=False)
)
train_dataloader = dict(num_workers=0, persistent_workers=False, pin_memory=False)
param_scheduler = dict(T_max=max_epochs)
