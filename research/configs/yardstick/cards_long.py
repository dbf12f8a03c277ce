"""``cards.py`` for 60 epochs in the place of 30: whether longer trainings find the same operations worth while.

python research/yardstick.py research/configs/yardstick/cards_long.py --seeds 0 --only none Posterize Solarize
"""

_base_ = ['./cards.py']

train_cfg = dict(max_epochs=60, val_interval=60)
