"""A classifier of 32x32 images for a CPU: ResNet-18 with a quarter of the channels, and strides early.

A choice of this project: 0.7 million parameters fit some thousand images, in minutes.
"""

_base_ = ['./cifar_classifier.py']

model = dict(
    backbone=dict(
        type='ResNet_CIFAR', depth=18, num_stages=4, stem_channels=16, base_channels=16, strides=(2, 2, 2, 2)
    ),
    head=dict(in_channels=128),
)
