"""Does a policy help on 4,000 images of CIFAR-10? The thin ResNet-18, for 90 epochs.

S_val of the searches, and what RandAugment's level is chosen on, are 2,000 other images of the training part. A search
of two epochs costs 0.18 of a training.
"""

_base_ = ['../yardstick/cifar10_4k.py']

search = dict(config='research/configs/yardstick/cifar10_4k_search.py', epochs=2)
choosing = dict(val_dataloader=dict(dataset=dict(_base_.plain, _delete_=True)))
train_cfg = dict(max_epochs=90, val_interval=90)
