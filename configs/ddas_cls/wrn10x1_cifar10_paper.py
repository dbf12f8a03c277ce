"""Search a policy on CIFAR-10 with a network of 78,000 parameters, which a CPU finishes in minutes.

As ``wrn40x2_cifar10.py``, the network apart. S_train and S_val are the two halves of the 4,000 images that
``resnet18thin_cifar10_4k.py`` trains on::

    python tools/search.py configs/ddas_cls/wrn10x1_cifar10_paper.py
"""

_base_ = ['./wrn40x2_cifar10.py']

model = dict(backbone=dict(depth=10, width=1), head=dict(in_channels=64))
in_process = dict(num_workers=0, persistent_workers=False, pin_memory=False)
train_dataloader = in_process
train_cfg = dict(policy_dataloader=in_process)
