"""The sanity check of ``wrn10x1_cifar10_rotated_paper.py`` with the estimator that research/searches.md recommends::

python tools/search.py configs/ddas_cls/wrn10x1_cifar10_rotated.py
"""

_base_ = ['./wrn10x1_cifar10_rotated_paper.py', '../_base_/recommended_search.py']

train_cfg = dict(estimator=_base_.recommended.estimator)
