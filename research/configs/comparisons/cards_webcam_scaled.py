"""``cards_webcam.py`` with lengths in pixels that fit its images of 320 pixels, as a derived search has them."""

_base_ = ['./cards_webcam.py']

train_pipeline = [*_base_.load, dict(type='DDASAugment', reference_size=640), _base_.resize, *_base_.flip_and_pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
