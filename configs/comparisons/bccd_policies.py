"""Does a policy help on BCCD? The thin RetinaNet on all of ``train.json``, at three quarters of its resolution.

Used by ``tools/benchmarks/does_it_help.py``; evaluated on ``test.json``.
"""

_base_ = ['../yardstick/bccd.py']

# RandAugment's level is chosen on images that are neither trained on nor tested on.
choosing = dict(
    val_dataloader=dict(dataset=dict(ann_file='val.json')), val_evaluator=dict(ann_file='data/bccd/val.json')
)
train_dataloader = dict(dataset=dict(ann_file='train.json'))
train_cfg = dict(max_epochs=30, val_interval=30)
