"""A classifier with WRN-28-10."""

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
    backbone=dict(type='WideResNet', depth=28, width=10),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=640,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        init_cfg=uniform,
    ),
)
