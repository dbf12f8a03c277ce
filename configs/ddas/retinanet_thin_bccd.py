"""Search a policy for BCCD (blood cells; 3 classes) with a thin RetinaNet; a CPU does it in minutes.

BCCD comes as ``images/`` and COCO-format ``train.json``, ``val.json``, ``test.json``, in ``data/bccd`` or wherever
``data_root`` says. S_train and S_val are drawn from ``train.json``, so that ``val.json`` and ``test.json`` stay
unseen::

    python tools/dataset_tools/make_coco_proxy.py data/bccd/train.json --num-train 137 --num-val 68
    python tools/search.py configs/ddas/retinanet_thin_bccd.py

A choice of this project throughout: the paper has no such experiment. The method's constants are the paper's for
COCO, but for the policy's learning rates: they are higher, because 30 epochs of 137 images are a thirtieth of the
paper's steps.
"""

_base_ = ['../_base_/retinanet_thin.py', '../_base_/runtime.py']

data_root = 'data/bccd/'
train_ann_file = 'train_search_train.json'
policy_ann_file = 'train_search_val.json'
metainfo = dict(classes=('RBC', 'WBC', 'Platelets'))
scale = (320, 240)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='DDASAugment'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
policy_pipeline = [step for step in train_pipeline if step['type'] != 'DDASAugment']

dataset = dict(
    type='CocoDataset',
    metainfo=metainfo,
    data_root=data_root,
    data_prefix=dict(img='images/'),
    filter_cfg=dict(filter_empty_gt=True),
)
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(**dataset, ann_file=train_ann_file, pipeline=train_pipeline),
)
policy_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(**dataset, ann_file=policy_ann_file, pipeline=policy_pipeline),
)

train_cfg = dict(
    type='DDASSearchLoop',
    max_epochs=30,
    policy_dataloader=policy_dataloader,
    search_space='detection',
    num_ops=2,
    num_sub_policies=3,
    init_total_prob=0.35,
    policy_optim=dict(
        op=dict(type='Adam', lr=0.02, betas=(0.5, 0.999)), total=dict(type='Adam', lr=0.004, betas=(0.5, 0.999))
    ),
)
val_cfg = None
test_cfg = None

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0001),
    clip_grad=dict(max_norm=10),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=30, convert_to_iter_based=True),
]
