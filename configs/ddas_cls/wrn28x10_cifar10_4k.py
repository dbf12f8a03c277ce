"""Train WRN-28-10 on reduced CIFAR-10, 4,000 images, 200 epochs: what AutoAugment and PBA publish figures of.

For a GPU; ``mmddas compare`` puts policies in::

    mmddas compare configs/ddas_cls/wrn28x10_cifar10_4k.py --policies none uniform trivialaugment POLICY.json \
        --cfg-options optim_wrapper.type=AmpOptimWrapper optim_wrapper.dtype=bfloat16
"""

_base_ = ['./wrn28x10_cifar10_200e.py']

train_dataloader = dict(
    dataset=dict(_delete_=True, type='StratifiedSubset', num_samples=4000, dataset=_base_.train_dataset)
)
