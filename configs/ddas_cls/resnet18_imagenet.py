"""Search a policy on ImageNet with ResNet-18: the paper's setting.

S_train and S_val are 50 and 20 training images of each of 120 random classes, drawn by::

    python tools/dataset_tools/make_imagenet_proxy.py data/imagenet/train
    python tools/search.py configs/ddas_cls/resnet18_imagenet.py

The paper's: the proxy, 40 epochs, batches of 32 and 64, L^ = 2, N_o = 2, p_tp from 0.35. The authors' released code:
the rates, where the operations sit. Taken over from their search on CIFAR, for want of better knowledge: that the rate
of 0.002 is for the sum over the batch (0.002 x 32 here), and neither momentum nor weight decay.
"""

_base_ = ['mmpretrain::_base_/models/resnet18.py', '../_base_/imagenet.py', '../_base_/runtime_cls.py']

num_classes = 120
model = dict(head=dict(num_classes=num_classes))
data_preprocessor = dict(num_classes=num_classes)
proxy = dict(
    type='CustomDataset',
    data_root='data/imagenet',
    data_prefix='train',
    classes='data/imagenet/meta/search_classes.txt',
)
policy_dataloader = dict(
    _base_.train_dataloader,
    num_workers=4,
    dataset=dict(ann_file='meta/search_val.txt', pipeline=_base_.test_pipeline, **proxy),
)
train_dataloader = dict(
    batch_size=32,
    dataset=dict(_delete_=True, ann_file='meta/search_train.txt', pipeline=_base_.train_pipeline, **proxy),
)
train_cfg = dict(
    type='DDASSearchLoop',
    max_epochs=40,
    policy_dataloader=policy_dataloader,
    search_space='imagenet',
    num_sub_policies=2,
    estimator=dict(type='PaperEstimator'),
    policy_optim=dict(op=dict(lr=0.003)),
)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.002 * 32, momentum=0.0, weight_decay=0.0))
param_scheduler = dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)
custom_hooks = [dict(type='ChannelsLastHook')]
