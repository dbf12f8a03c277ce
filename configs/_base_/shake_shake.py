"""A classifier with Shake-Shake 26 2x96d."""

# U(-1 / sqrt(n), 1 / sqrt(n)) for n inputs, as Torch has it; MMPretrain's own begins smaller, and learns later.
uniform = dict(
    type='Kaiming',
    layer='Linear',
    a=5**0.5,
    mode='fan_in',
    nonlinearity='leaky_relu',
    distribution='uniform',
    bias=0,
)
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ShakeShake', depth=26, width=96),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=384,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        init_cfg=uniform,
    ),
)
