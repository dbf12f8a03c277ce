"""A classifier with WRN-28-10."""

_base_ = ['./cifar_classifier.py']

model = dict(backbone=dict(type='WideResNet', depth=28, width=10), head=dict(in_channels=640))
