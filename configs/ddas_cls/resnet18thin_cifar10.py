"""Search a policy on CIFAR-10 with a thin ResNet-18, in minutes on a CPU; the network apart, the paper's setting.

S_train and S_val are the two halves of the 4,000 images that ``resnet18thin_cifar10_4k.py`` trains on::

    python tools/search.py configs/ddas_cls/resnet18thin_cifar10.py
"""

_base_ = [
    '../_base_/resnet18_thin.py',
    '../_base_/cifar10_{{$CIFAR10_FORMAT:pickles}}.py',
    '../_base_/cifar_search.py',
    '../_base_/runtime_cls.py',
]

train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    pin_memory=False,
    dataset=dict(_delete_=True, type='StratifiedSubset', num_samples=2000, dataset={{_base_.train_dataloader.dataset}}),
)
train_cfg = dict(
    policy_dataloader=dict(
        num_workers=0,
        persistent_workers=False,
        pin_memory=False,
        dataset=dict(type='StratifiedSubset', num_samples=2000, skip=2000, dataset={{_base_.plain_train_dataset}}),
    )
)
val_dataloader = val_evaluator = val_cfg = None
test_dataloader = test_evaluator = test_cfg = None
