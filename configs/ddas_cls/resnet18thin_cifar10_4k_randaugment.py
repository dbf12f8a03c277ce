r"""``resnet18thin_cifar10_4k.py`` with torchvision's RandAugment in the place of a searched policy.

Its magnitude (of 30) is to be tuned; the pipeline's second step is the one to change (the third for class folders)::

    python tools/train.py configs/ddas_cls/resnet18thin_cifar10_4k_randaugment.py \
        --cfg-options train_dataloader.dataset.dataset.pipeline.1.magnitude=5
"""

_base_ = ['./resnet18thin_cifar10_4k_baseline.py']

augment = [*_base_.to_pil, dict(type='torchvision/RandAugment', num_ops=2, magnitude=9), *_base_.from_pil]
pipeline = [*_base_.load, *augment, *_base_.crop_flip_pack]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=pipeline)))
