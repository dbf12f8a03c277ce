"""The built-in data set: discs, rectangles and triangles on textured backgrounds, drawn by ``make_shapes.py``.

``train/`` is as drawn; ``val/`` (S_val) and ``test/`` (held out) are photographic negatives.
"""

_base_ = ['./coco_format.py']

augment = dict(type='DDASAugment', reference_size=640)  # lengths in pixels are made for images of about 640
resize = dict(type='Resize', scale=(128, 128), keep_ratio=True)
train_pipeline = [*_base_.load, augment, resize, *_base_.flip_and_pack]
plain_pipeline = [*_base_.load, resize, *_base_.flip_and_pack]  # of S_val and the baselines
test_pipeline = [dict(type='LoadImageFromFile'), resize, *_base_.test_pack]

metainfo = dict(classes=('disc', 'rectangle', 'triangle'))
shapes = dict(metainfo=metainfo, data_root='data/shapes/')
train = dict(ann_file='annotations/train.json', data_prefix=dict(img='train/'), pipeline=train_pipeline)
test = dict(ann_file='annotations/test.json', data_prefix=dict(img='test/'), pipeline=test_pipeline)
train_dataloader = dict(dataset=dict(**shapes, **train))
val_dataloader = dict(dataset=dict(**shapes, **test))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file='data/shapes/annotations/test.json')
test_evaluator = val_evaluator
