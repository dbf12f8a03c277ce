"""What an operation is worth on 1,000 images of CIFAR-10, where a training soon knows its images by heart.

``cifar10_4k.py`` with a quarter of the images and four times the epochs, so that a training costs the same.
"""

_base_ = ['./cifar10_4k.py']

train_cfg = dict(max_epochs=120, val_interval=120)
train_dataloader = dict(dataset=dict(num_samples=1000))
s_val = dict(dataset=dict(num_samples=500))
