"""Train ResNet-50 on ImageNet with a searched policy, 270 epochs: the paper's setting, on 8 GPUs.

    tools/dist_train.sh configs/ddas_cls/resnet50_imagenet_270e.py 8

The paper's: 270 epochs, a batch of 512, SGD at 0.2, weight decay 1e-4, steps; their places (90, 180, 240) are those of
AutoAugment's training of the same length.
"""

_base_ = ['mmpretrain::_base_/models/resnet50.py', '../_base_/imagenet.py', '../_base_/runtime_cls.py']

policy_file = 'work_dirs/resnet18_imagenet/policy.json'
custom_hooks = [dict(type='ChannelsLastHook'), dict(type='PolicyScheduleHook')]

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=270, val_interval=5)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.2, momentum=0.9, weight_decay=1e-4))
param_scheduler = dict(type='MultiStepLR', by_epoch=True, milestones=[90, 180, 240], gamma=0.1)
auto_scale_lr = dict(base_batch_size=512)
