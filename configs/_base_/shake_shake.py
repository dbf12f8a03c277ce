"""A classifier with Shake-Shake 26 2x96d."""

_base_ = ['./cifar_classifier.py']

model = dict(backbone=dict(type='ShakeShake', depth=26, width=96), head=dict(in_channels=384))
