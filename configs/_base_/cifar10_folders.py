"""CIFAR-10 as class folders, ``data/cifar10/{train,test}/<class>/<image>``; else as ``cifar10_pickles.py``."""

_base_ = ['./cifar10_pickles.py']

data_preprocessor = dict(to_rgb=True)
load = [dict(type='LoadImageFromFile')]
bgr = True
to_pil = [dict(type='NumpyToPIL', to_rgb=True)]
from_pil = [dict(type='PILToNumpy', to_bgr=True)]
augment = [dict(type='DDASAugment')]
cutout = [dict(type='Cutout', shape=16, pad_val=(114, 123, 125), prob=1.0)]
baseline_pipeline = [*load, *_base_.crop_flip, *cutout, *_base_.pack]

folders = dict(type='CustomDataset', data_root='data/cifar10')
train_dataset = dict(
    _delete_=True,
    data_prefix='train',
    pipeline=[*load, *augment, *_base_.crop_flip, *cutout, *_base_.pack],
    **folders,
)
plain_train_dataset = dict(_delete_=True, data_prefix='train', pipeline=[*load, *_base_.pack], **folders)
test_dataset = dict(_delete_=True, data_prefix='test', test_mode=True, pipeline=[*load, *_base_.pack], **folders)
train_dataloader = dict(dataset=train_dataset)
val_dataloader = dict(dataset=test_dataset)
test_dataloader = val_dataloader
