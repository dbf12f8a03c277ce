"""``cifar10_4k.py`` for 90 epochs in the place of 30: whether longer trainings find the same operations worth while.

python research/yardstick.py research/configs/yardstick/cifar10_4k_long.py --seeds 0 --only none TranslateX Rotate
"""

_base_ = ['./cifar10_4k.py']

train_cfg = dict(max_epochs=90, val_interval=90)
