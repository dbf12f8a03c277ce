"""Search a policy on COCO with RetinaNet R50-FPN: the paper's setting.

S_train and S_val are 3,000 and 1,500 random images of train2017, disjoint, drawn by::

    python tools/dataset_tools/make_coco_proxy.py data/coco/annotations/instances_train2017.json
    tools/dist_search.sh configs/ddas/retinanet_r50_coco.py 4

The paper's: the proxy's size, 30 epochs, a batch of 4 training and 4 validation images on each of 4 GPUs, L^ = 3,
N_o = 2, p_tp from 0.35, the operations of Zoph et al. (the paper counts 22; the released reference has the 25 used
here). Where the paper is silent, choices of this project: the policy's optimizers are those that the authors released
for CIFAR-10; the network starts from ImageNet and learns at RetinaNet's usual rate of 0.01 for 16 images, by a cosine.
"""

_base_ = ['mmdet::retinanet/retinanet_r50_fpn_1x_coco.py']

custom_imports = dict(imports=['mmddas'])

load = [dict(type='LoadImageFromFile', backend_args=None), dict(type='LoadAnnotations', with_bbox=True)]
resize_and_pack = [
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
policy_dataloader = dict(
    _base_.train_dataloader,
    batch_size=4,
    dataset=dict(
        _base_.train_dataloader.dataset,
        ann_file='annotations/instances_train2017_search_val.json',
        pipeline=load + resize_and_pack,
    ),
)
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    dataset=dict(
        ann_file='annotations/instances_train2017_search_train.json',
        pipeline=[*load, dict(type='DDASAugment'), *resize_and_pack],
    ),
)
train_cfg = dict(
    _delete_=True,
    type='DDASSearchLoop',
    max_epochs=30,
    policy_dataloader=policy_dataloader,
    estimator=dict(type='PaperEstimator'),
)

optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True),
]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1))
log_processor = dict(type='DDASLogProcessor')
