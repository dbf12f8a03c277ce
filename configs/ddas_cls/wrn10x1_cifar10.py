"""Search a policy on CIFAR-10 with a network of 78,000 parameters, as research/searches.md recommends.

The data and the network of ``wrn10x1_cifar10_paper.py``, which searches as the paper does. p_tp stays at 0.35::

    python tools/search.py configs/ddas_cls/wrn10x1_cifar10.py
"""

_base_ = ['./wrn10x1_cifar10_paper.py', '../_base_/recommended_search.py']

train_cfg = dict(**_base_.recommended)
