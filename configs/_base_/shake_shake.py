"""A classifier with Shake-Shake 26 2x96d."""

model = dict(
    type='ImageClassifier',
    backbone=dict(type='ShakeShake', depth=26, width=96),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead', num_classes=10, in_channels=384, loss=dict(type='CrossEntropyLoss', loss_weight=1.0)
    ),
)
