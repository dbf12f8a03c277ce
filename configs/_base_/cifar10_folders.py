"""CIFAR-10 as class folders, ``data/cifar10/{train,test}/<class>/<image>``; else as ``cifar10_pickles.py``."""

_base_ = ['./cifar10_pickles.py']

data_preprocessor = dict(to_rgb=True)
load = [dict(type='LoadImageFromFile')]  # as BGR
to_pil = [dict(type='NumpyToPIL', to_rgb=True)]
from_pil = [dict(type='PILToNumpy', to_bgr=True)]
augment = [dict(type='DDASAugment')]
crop_flip = [
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
]
cutout = [dict(type='Cutout', shape=16, pad_val=(114, 123, 125), prob=1.0)]
pack = [dict(type='PackInputs')]
baseline_pipeline = load + crop_flip + cutout + pack

train_dataset = dict(
    _delete_=True,
    type='CustomDataset',
    data_root='data/cifar10',
    data_prefix='train',
    pipeline=load + augment + crop_flip + cutout + pack,
)
plain_train_dataset = dict(
    _delete_=True, type='CustomDataset', data_root='data/cifar10', data_prefix='train', pipeline=load + pack
)
test_dataset = dict(
    _delete_=True,
    type='CustomDataset',
    data_root='data/cifar10',
    data_prefix='test',
    test_mode=True,
    pipeline=load + pack,
)
train_dataloader = dict(dataset=train_dataset)
val_dataloader = dict(dataset=test_dataset)
test_dataloader = val_dataloader
