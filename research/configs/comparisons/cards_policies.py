"""Does a policy help on playing cards? As ``bccd_policies.py``; RandAugment's level is chosen in ``train.json``."""

_base_ = ['../yardstick/cards.py']

choosing = dict(
    train_dataloader=dict(dataset=dict(ann_file='train_search_train.json')),
    val_dataloader=dict(dataset=dict(ann_file='train_search_val.json')),
    val_evaluator=dict(ann_file='data/cards/train_search_val.json'),
)
train_dataloader = dict(dataset=dict(ann_file='train.json'))
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=0.002, weight_decay=0.05))
train_cfg = dict(max_epochs=40, val_interval=40)
search = dict(epochs=3, sgd=0.01)
