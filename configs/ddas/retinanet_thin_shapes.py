"""The quick start's search: which operation turns S_train into the likeness of S_val?

S_val of the built-in data set are photographic negatives, and Solarize at level 0 is exactly that. It is the paper's
sanity check (there: S_val rotated by 90 degrees, on CIFAR-10) for detection, and a choice of this project: 21
candidates at one level each, a small network, and the estimator of research/searches.md::

    python tools/dataset_tools/make_shapes.py --out-dir data/shapes
    python tools/search.py configs/ddas/retinanet_thin_shapes.py
"""

_base_ = ['../_base_/retinanet_thinner.py', '../_base_/shapes.py', '../_base_/runtime.py']

search_space = [
    ('Identity', None),
    ('AutoContrast', None),
    ('Equalize', None),
    ('Posterize', 6),
    ('Solarize', 0),
    ('SolarizeAdd', 6),
    ('Color', 2),
    ('Contrast', 2),
    ('Brightness', 4),
    ('Sharpness', 10),
    ('Cutout', 2),
    ('BBox_Cutout', 6),
    ('Rotate_BBox', 6),
    ('TranslateX_BBox', 2),
    ('TranslateY_BBox', 2),
    ('ShearX_BBox', 6),
    ('ShearY_BBox', 6),
    ('Rotate_Only_BBoxes', 6),
    ('Flip_Only_BBoxes', None),
    ('Equalize_Only_BBoxes', None),
    ('Solarize_Only_BBoxes', 0),
]
policy_dataloader = dict(
    _base_.train_dataloader,
    batch_size=8,
    dataset=dict(
        _base_.train_dataloader.dataset,
        ann_file='annotations/val.json',
        data_prefix=dict(img='val/'),
        pipeline=_base_.plain_pipeline,
    ),
)
train_dataloader = dict(batch_size=4)
train_cfg = dict(
    type='DDASSearchLoop',
    max_epochs=6,
    policy_dataloader=policy_dataloader,
    search_space=search_space,
    estimator=dict(type='ShrinkageEstimator'),
)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0001))
