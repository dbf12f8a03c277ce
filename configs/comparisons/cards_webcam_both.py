"""``cards_webcam.py``, trained on its 26 images of the webcam, too, with the policies that were searched there."""

_base_ = ['./cards_webcam.py']

searches_of = 'cards_webcam'
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
