"""Does a policy help on BCCD? The thin RetinaNet on all of ``train.json``, at three quarters of its resolution.

AdamW, with which training without a policy has learned in 20 epochs what it learns. Searches have SGD, for whose steps
their equations are, and are as long as ``mmddas search`` advises. Used by ``research/does_it_help.py``;
evaluated on ``test.json``.
"""

_base_ = ['../yardstick/bccd.py']

# RandAugment's level is chosen on images that are neither trained on nor tested on.
choosing = dict(
    val_dataloader=dict(dataset=dict(ann_file='val.json')), val_evaluator=dict(ann_file='data/bccd/val.json')
)
train_dataloader = dict(dataset=dict(ann_file='train.json'))
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=0.001, weight_decay=0.05))
train_cfg = dict(max_epochs=20, val_interval=20)
search = dict(epochs=4, sgd=0.01)
