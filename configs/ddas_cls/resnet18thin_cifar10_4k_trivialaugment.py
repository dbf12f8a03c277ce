"""``resnet18thin_cifar10_4k.py`` with torchvision's TrivialAugment in the place of a searched policy."""

_base_ = ['./resnet18thin_cifar10_4k_baseline.py']

augment = [*_base_.to_pil, dict(type='torchvision/TrivialAugmentWide'), *_base_.from_pil]
pipeline = [*_base_.load, *augment, *_base_.crop_flip_pack]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=pipeline)))
