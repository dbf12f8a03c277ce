"""``bccd.py`` with twice the channels: whether a larger network finds the same operations worth while.

python research/yardstick.py research/configs/yardstick/bccd_wide.py --seeds 0 --only none TranslateX_BBox Solarize
"""

_base_ = ['./bccd.py']

model = dict(
    backbone=dict(stem_channels=32, base_channels=32),
    neck=dict(in_channels=[64, 128, 256], out_channels=128),
    bbox_head=dict(in_channels=128, feat_channels=128),
)
