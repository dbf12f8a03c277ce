"""``cards_webcam.py``, trained on its 26 images of the webcam, too, with the policies that were searched there."""

_base_ = ['./cards_webcam.py']

searches_of = 'cards_webcam'
choosing = dict(
    _delete_=True,
    train_dataloader=dict(dataset=dict(_base_.train_dataloader.dataset, _delete_=True)),
    val_dataloader=dict(dataset=dict(ann_file='webcam_val.json')),
    val_evaluator=dict(ann_file='data/cards/webcam_val.json'),
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            dict(_base_.train_dataloader.dataset, ann_file='phone.json'),
            dict(_base_.train_dataloader.dataset, ann_file='webcam_val.json'),
        ],
    )
)
