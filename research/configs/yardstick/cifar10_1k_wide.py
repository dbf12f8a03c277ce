r"""``cifar10_1k.py`` with twice the channels: whether a larger network finds the same operations worth while.

python research/yardstick.py research/configs/yardstick/cifar10_1k_wide.py --seeds 0 \
        --only none Equalize TranslateY Blur
"""

_base_ = ['./cifar10_1k.py']

model = dict(backbone=dict(stem_channels=32, base_channels=32), head=dict(in_channels=256))
