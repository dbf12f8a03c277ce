"""CIFAR-100 as class folders, ``data/cifar100/{train,test}/<class>/<image>``; else as ``cifar10_folders.py``."""

_base_ = ['./cifar10_folders.py']

data_preprocessor = dict(num_classes=100, mean=[129.304, 124.070, 112.434], std=[68.170, 65.392, 70.418])
cutout = [dict(type='Cutout', shape=16, pad_val=(112, 124, 129), prob=1.0)]
baseline_pipeline = [*_base_.load, *_base_.crop_flip, *cutout, *_base_.pack]
train_dataset = dict(
    data_root='data/cifar100',
    pipeline=[*_base_.load, *_base_.augment, *_base_.crop_flip, *cutout, *_base_.pack],
)
plain_train_dataset = dict(data_root='data/cifar100')
test_dataset = dict(data_root='data/cifar100')
train_dataloader = dict(dataset=train_dataset)
val_dataloader = dict(dataset=test_dataset)
test_dataloader = val_dataloader
