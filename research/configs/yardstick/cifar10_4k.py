"""What an operation is worth on 4,000 images of CIFAR-10: the training of ``resnet18thin_cifar10_4k.py``, shorter.

Used by ``research/yardstick.py``, as ``bccd.py``; with ``CIFAR10_FORMAT=folders`` of class folders.
"""

_base_ = ['../../../configs/ddas_cls/resnet18thin_cifar10_4k.py']

yardstick = dict(preset='cifar', metric='accuracy/top1')
train_cfg = dict(max_epochs=30, val_interval=15)
# S_val of cifar10_4k_search.py.
plain = dict(type='StratifiedSubset', num_samples=2000, skip=4000, dataset=_base_.plain_train_dataset)
s_val = dict(_base_.train_dataloader, dataset=plain)
