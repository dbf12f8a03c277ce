"""A classifier of 32x32 images for a CPU: ResNet-18 with a quarter of the channels, and strides early.

A choice of this project: 0.7 million parameters fit some thousand images, in minutes.
"""

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
    backbone=dict(
        type='ResNet_CIFAR', depth=18, num_stages=4, stem_channels=16, base_channels=16, strides=(2, 2, 2, 2)
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=128,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        init_cfg=uniform,
    ),
)
