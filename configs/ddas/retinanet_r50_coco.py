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

max_epochs = 30
load_and_augment = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='DDASAugment'),
]
resize_and_pack = [
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    dataset=dict(
        ann_file='annotations/instances_train2017_search_train.json', pipeline=load_and_augment + resize_and_pack
    ),
)
policy_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
    dataset=dict(
        type='CocoDataset',
        data_root='data/coco/',
        ann_file='annotations/instances_train2017_search_val.json',
        data_prefix=dict(img='train2017/'),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=load_and_augment[:2] + resize_and_pack,
    ),
)
train_cfg = dict(
    _delete_=True,
    type='DDASSearchLoop',
    max_epochs=max_epochs,
    policy_dataloader=policy_dataloader,
    search_space='detection',
    num_ops=2,
    num_sub_policies=3,
    init_total_prob=0.35,
    policy_optim=dict(
        op=dict(type='Adam', lr=0.005, betas=(0.5, 0.999)), total=dict(type='Adam', lr=0.001, betas=(0.5, 0.999))
    ),
)
val_dataloader = val_evaluator = val_cfg = None
test_dataloader = test_evaluator = test_cfg = None

optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=max_epochs, convert_to_iter_based=True),
]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1))
log_processor = dict(type='DDASLogProcessor')
