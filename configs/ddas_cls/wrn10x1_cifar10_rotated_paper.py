"""The paper's sanity check with a network of 78,000 parameters, which a CPU finishes in minutes.

As ``wrn40x2_cifar10_rotated.py``, but for the network, 12 epochs, and batches of half the size: twice the steps an
epoch show the winner earlier. The rate, for the sum over a batch, stays::

    python tools/search.py configs/ddas_cls/wrn10x1_cifar10_rotated_paper.py
"""

_base_ = ['./wrn40x2_cifar10_rotated.py']

model = dict(backbone=dict(depth=10, width=1), head=dict(in_channels=64))
in_process = dict(num_workers=0, persistent_workers=False, pin_memory=False)
train_dataloader = dict(batch_size=16, **in_process)
train_cfg = dict(max_epochs=12, policy_dataloader=dict(batch_size=128, **in_process))
optim_wrapper = dict(optimizer=dict(lr=0.01 * 16))
