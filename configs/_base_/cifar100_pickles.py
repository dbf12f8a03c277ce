"""CIFAR-100 in its own format, which MMPretrain downloads into ``data/cifar100``; else as ``cifar10_pickles.py``."""

_base_ = ['./cifar10_pickles.py']

data_preprocessor = dict(num_classes=100, mean=[129.304, 124.070, 112.434], std=[68.170, 65.392, 70.418])
cutout = [dict(type='Cutout', shape=16, pad_val=(129, 124, 112), prob=1.0)]
baseline_pipeline = [*_base_.load, *_base_.crop_flip, *cutout, *_base_.pack]
train_dataset = dict(
    type='CIFAR100',
    data_root='data/cifar100',
    pipeline=[*_base_.load, *_base_.augment, *_base_.crop_flip, *cutout, *_base_.pack],
)
plain_cutout = [dict(type='Cutout', shape=16, pad_val=(129, 124, 112), prob=1.0)]
baseline_pipeline = [*_base_.load, *_base_.crop_flip, *cutout, *_base_.pack]
train_dataset = dict(
    type='CIFAR100',
    data_root='data/cifar100',
    pipeline=[*_base_.load, *_base_.augment, *_base_.crop_flip, *cutout, *_base_.pack],
)
test_dataset = dict(type='CIFAR100', data_root='data/cifar100')
train_dataloader = dict(dataset=train_dataset)
val_dataloader = dict(dataset=test_dataset)
test_dataloader = val_dataloader
