"""Does a policy help where the camera changes? Trained on cards from a phone, tested on cards before a webcam.

S_val of the searches are 26 labelled images of the webcam.
"""

_base_ = ['./cards_policies.py']

val_ann = 'webcam_val.json'
choosing = dict(
    _delete_=True,
    val_dataloader=dict(dataset=dict(ann_file='webcam_val.json')),
    val_evaluator=dict(ann_file='data/cards/webcam_val.json'),
)
train_dataloader = dict(dataset=dict(ann_file='phone.json'))
val_dataloader = dict(dataset=dict(ann_file='webcam_test.json'))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file='data/cards/webcam_test.json')
test_evaluator = val_evaluator
