"""Train the thin ResNet-18 on reduced CIFAR-10, 4,000 training images, with the policy of ``wrn10x1_cifar10.py``.

    python tools/train.py configs/ddas_cls/resnet18thin_cifar10_4k.py

A choice of this project: crop and flip besides the policy, since Cutout of half the image is too much for so small a
network; error on all 10,000 test images after the last epoch.
"""

_base_ = [
    '../_base_/resnet18_thin.py',
    '../_base_/cifar10_{{$CIFAR10_FORMAT:pickles}}.py',
    '../_base_/cifar_training.py',
    '../_base_/runtime_cls.py',
]

policy_file = 'work_dirs/wrn10x1_cifar10/policy.json'
in_process = dict(num_workers=0, persistent_workers=False, pin_memory=False)
crop_flip_pack = [*_base_.crop_flip, *_base_.pack]
images = dict(_base_.train_dataset, pipeline=[*_base_.load, *_base_.augment, *crop_flip_pack])
train_dataloader = dict(
    batch_size=64,
    dataset=dict(_delete_=True, type='StratifiedSubset', num_samples=4000, dataset=images),
    **in_process,
)
val_dataloader = in_process
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=60, val_interval=60)
auto_scale_lr = dict(base_batch_size=64)
