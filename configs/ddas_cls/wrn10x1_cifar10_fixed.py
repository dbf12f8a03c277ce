"""The search of ``wrn10x1_cifar10_paper.py`` with p_tp fixed to its initial value, 0.35; p_o alone is learned."""

_base_ = ['./wrn10x1_cifar10_paper.py']

train_cfg = dict(policy_optim=dict(total=None))
