"""A classifier of 32x32 images for a CPU: ResNet-18 with a quarter of the channels, and strides early.

A choice of this project: 0.7 million parameters fit some thousand images, in minutes.
"""

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet_CIFAR', depth=18, num_stages=4, stem_channels=16, base_channels=16, strides=(2, 2, 2, 2)
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead', num_classes=10, in_channels=128, loss=dict(type='CrossEntropyLoss', loss_weight=1.0)
    ),
)
