"""CIFAR-100, in its own format, which MMPretrain downloads, or with ``CIFAR100_FORMAT=folders`` as class folders.

As CIFAR-10, in ``data/cifar100``.
"""

_base_ = ['./cifar10_{{$CIFAR100_FORMAT:pickles}}.py']

data_preprocessor = dict(num_classes=100, mean=[129.304, 124.070, 112.434], std=[68.170, 65.392, 70.418])
cutout = [dict(type='Cutout', shape=16, pad_val=(112, 124, 129) if _base_.bgr else (129, 124, 112), prob=1.0)]
baseline_pipeline = [*_base_.load, *_base_.crop_flip, *cutout, *_base_.pack]

cifar100 = dict(type='CustomDataset' if _base_.bgr else 'CIFAR100', data_root='data/cifar100')
train_dataset = dict(
    pipeline=[*_base_.load, *_base_.augment, *_base_.crop_flip, *cutout, *_base_.pack],
    **cifar100,
)
plain_train_dataset = cifar100
test_dataset = cifar100
train_dataloader = dict(dataset=train_dataset)
val_dataloader = dict(dataset=test_dataset)
test_dataloader = val_dataloader
