r"""Train RetinaNet R50-FPN on COCO from scratch for 150 epochs with the searched policy::

    tools/dist_train.sh configs/ddas/retinanet_r50_coco_150e.py 8 \
        --cfg-options policy_file=work_dirs/retinanet_r50_coco/policy.json

Reproduces the recipe of Zoph et al., which the paper follows: 640x640, a batch of 64, SGD at 0.08 with a cosine,
weight decay 1e-4, focal loss with alpha 0.25 and gamma 1.5, scale jitter and flips. The paper's mAP: 36.9 without a
policy, 38.4 with Zoph et al.'s, 38.1 +- 0.1 with a searched one. MMDetection's 640x640 RetinaNet with BatchNorm in
pyramid and head is the base; a jitter of 0.8 to 1.2 and the warm-up are its choices.
"""

_base_ = ['mmdet::nas_fpn/retinanet_r50_fpn_crop640-50e_coco.py']

custom_imports = dict(imports=['mmddas'])
policy_file = 'work_dirs/retinanet_r50_coco/policy.json'
custom_hooks = [dict(type='PolicyScheduleHook')]

max_epochs = 150
model = dict(backbone=dict(frozen_stages=-1, init_cfg=None), bbox_head=dict(loss_cls=dict(gamma=1.5)))
load = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='LoadAnnotations', with_bbox=True),
]
jitter_and_pack = [
    dict(type='RandomResize', scale=(640, 640), ratio_range=(0.8, 1.2), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(640, 640)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
plain_pipeline = load + jitter_and_pack
train_dataloader = dict(dataset=dict(pipeline=[*load, dict(type='DDASAugment'), *jitter_and_pack]))
train_cfg = dict(max_epochs=max_epochs, val_interval=10)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=1000),
    dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True),
]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=2))
