"""BCCD (blood cells; 3 classes): ``images/`` and COCO-format ``train.json``, ``val.json``, ``test.json``.

Training on all of ``train.json``, evaluation on ``test.json``. Images of 640x480 are halved, for a CPU's sake.
"""

_base_ = ['./coco_format.py']

resize = dict(type='Resize', scale=(320, 240), keep_ratio=True)
train_pipeline = [*_base_.load, dict(type='DDASAugment'), resize, *_base_.flip_and_pack]
plain_pipeline = [*_base_.load, resize, *_base_.flip_and_pack]  # of S_val and the baselines
test_pipeline = [dict(type='LoadImageFromFile'), resize, *_base_.test_pack]

images = dict(
    metainfo=dict(classes=('RBC', 'WBC', 'Platelets')), data_root='data/bccd/', data_prefix=dict(img='images/')
)
train_dataloader = dict(
    batch_size=4,
    dataset=dict(ann_file='train.json', filter_cfg=dict(filter_empty_gt=True), pipeline=train_pipeline, **images),
)
val_dataloader = dict(batch_size=8, dataset=dict(ann_file='test.json', pipeline=test_pipeline, **images))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file='data/bccd/test.json')
test_evaluator = val_evaluator
