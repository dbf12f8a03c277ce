"""Search a policy for BCCD (blood cells) with a thin RetinaNet; a CPU does it in minutes.

BCCD lies in ``data/bccd``. S_train and S_val are drawn from its ``train.json``, so that ``val.json`` and ``test.json``
stay unseen::

    python tools/dataset_tools/make_coco_proxy.py data/bccd/train.json --num-train 137 --num-val 68
    python tools/search.py configs/ddas/retinanet_thin_bccd.py

A choice of this project throughout: the paper has no such experiment. L^, N_o, the initial policy and the space are
the paper's for COCO; the policy's rates are four times higher, because 20 epochs of 137 images make about an eighth
of the paper's steps.
"""

_base_ = ['../_base_/retinanet_thin.py', '../_base_/bccd.py', '../_base_/runtime.py']

max_epochs = 20
train_dataloader = dict(dataset=dict(ann_file='train_search_train.json'))
policy_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CocoDataset',
        metainfo={{_base_.metainfo}},
        data_root={{_base_.data_root}},
        ann_file='train_search_val.json',
        data_prefix=dict(img='images/'),
        filter_cfg=dict(filter_empty_gt=True),
        pipeline={{_base_.plain_pipeline}},
    ),
)
train_cfg = dict(
    type='DDASSearchLoop',
    max_epochs=max_epochs,
    policy_dataloader=policy_dataloader,
    search_space='detection',
    num_ops=2,
    num_sub_policies=3,
    init_total_prob=0.35,
    policy_optim=dict(
        op=dict(type='Adam', lr=0.02, betas=(0.5, 0.999)), total=dict(type='Adam', lr=0.004, betas=(0.5, 0.999))
    ),
)
val_dataloader = val_evaluator = val_cfg = None
test_dataloader = test_evaluator = test_cfg = None

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0001),
    clip_grad=dict(max_norm=10),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=max_epochs, convert_to_iter_based=True),
]
