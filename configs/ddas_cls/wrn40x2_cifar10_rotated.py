"""The paper's sanity check: S_val is rotated by 90 degrees, and Rotate90 has to win the search.

The search of ``wrn40x2_cifar10.py`` with one level an operation and Rotate90 in the place of Rotate. Watch it, and draw
the paper's figure::

    python tools/search.py configs/ddas_cls/wrn40x2_cifar10_rotated.py
    python research/operation_bars.py work_dirs/wrn40x2_cifar10_rotated/policy.json
"""

_base_ = ['./wrn40x2_cifar10.py']

level = 8
search_space = [
    ('Identity', None),
    ('FlipLR', None),
    ('FlipUD', None),
    ('AutoContrast', None),
    ('Equalize', None),
    ('Invert', None),
    ('Blur', None),
    ('Smooth', None),
    ('Rotate90', None),
    ('PosterizeIncreasing', level),
    ('ShearX', level),
    ('ShearY', level),
    ('TranslateX', level),
    ('TranslateY', level),
    ('SolarizeIncreasing', level),
    ('CutoutAbs', level),
    ('Color', level),
    ('Contrast', level),
    ('Brightness', level),
    ('Sharpness', level),
]
# Counter-clockwise, as Rotate90.
quarter_turn = dict(type='Rotate', angle=-90.0, prob=1.0, random_negative_prob=0.0)
train_cfg = dict(
    search_space=search_space,
    policy_dataloader=dict(dataset=dict(dataset=dict(pipeline=[*_base_.load, quarter_turn, *_base_.pack]))),
)
