"""What an operation is worth on playing cards (6 ranks; 363 photos), at sides of at most 192 pixels.

Trained on S_train of ``cards_search.py``, evaluated on ``test.json``. The data lie in ``data/cards``; S_train and S_val
are drawn by ::

    python tools/dataset_tools/make_coco_proxy.py data/cards/train.json --num-train 197 --num-val 99
"""

_base_ = ['./bccd.py']

model = dict(bbox_head=dict(num_classes=6))
resize = dict(type='Resize', scale=(192, 144), keep_ratio=True)
train_pipeline = [*_base_.load, dict(type='DDASAugment'), resize, *_base_.flip_and_pack]
cards = dict(metainfo=dict(classes=('nine', 'ten', 'jack', 'queen', 'king', 'ace')), data_root='data/cards/')
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **cards))
s_val = dict(dataset=dict(pipeline=[*_base_.load, resize, *_base_.flip_and_pack], **cards))
test_pipeline = [dict(type='LoadImageFromFile'), resize, *_base_.test_pack]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **cards))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file='data/cards/test.json')
test_evaluator = val_evaluator
