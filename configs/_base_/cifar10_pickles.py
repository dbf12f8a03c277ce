"""CIFAR-10 in its own format, which MMPretrain downloads into ``data/cifar10``.

Training on all of the training images with the policy, then the usual crop, flip and Cutout; error on the test images.
A config takes this file or ``cifar10_folders.py``, by the environment variable ``CIFAR10_FORMAT``; CIFAR-100 changes
what is other there (``cifar100.py``).
"""

_base_ = ['./class_loaders.py']

data_preprocessor = dict(
    type='ClsDataPreprocessor',
    num_classes=10,
    mean=[125.307, 122.961, 113.8575],
    std=[51.5865, 50.847, 51.255],
    to_rgb=False,  # the images are RGB
)
load = []  # the data set brings them
bgr = False
to_pil = [dict(type='NumpyToPIL')]
from_pil = [dict(type='PILToNumpy')]
augment = [dict(type='DDASAugment', channel_order='rgb')]
crop_flip = [
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
]
cutout = [dict(type='Cutout', shape=16, pad_val=(125, 123, 114), prob=1.0)]
pack = [dict(type='PackInputs')]
baseline_pipeline = load + crop_flip + cutout + pack

train_dataset = dict(
    type='CIFAR10', data_root='data/cifar10', split='train', pipeline=load + augment + crop_flip + cutout + pack
)
# S_val of a search: training images as they are.
plain_train_dataset = dict(type='CIFAR10', data_root='data/cifar10', split='train', pipeline=load + pack)
test_dataset = dict(type='CIFAR10', data_root='data/cifar10', split='test', test_mode=True, pipeline=load + pack)

train_dataloader = dict(batch_size=128, dataset=train_dataset)
val_dataloader = dict(batch_size=512, dataset=test_dataset)
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1,))
test_evaluator = val_evaluator
