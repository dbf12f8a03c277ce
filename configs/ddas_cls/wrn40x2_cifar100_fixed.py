r"""Ablation of the paper: a search on CIFAR-100 with p_tp fixed, here to 0.4; p_o alone is learned.

For another value (a probability of 1 has no logit, 0.999999 stands for it)::

    python tools/search.py configs/ddas_cls/wrn40x2_cifar100_fixed.py --work-dir work_dirs/fixed_02 \
        --cfg-options train_cfg.init_total_prob=0.2
    python tools/train.py configs/ddas_cls/wrn28x10_cifar100_200e.py --work-dir work_dirs/trained_fixed_02 \
        --cfg-options policy_file=work_dirs/fixed_02/policy.json
"""

_base_ = ['./wrn40x2_cifar100.py']

train_cfg = dict(init_total_prob=0.4, policy_optim=dict(total=None))
