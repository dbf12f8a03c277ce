"""The thin RetinaNet with 32 channels in pyramid and head: 0.8 million parameters, for images of 128x128."""

_base_ = ['./retinanet_thin.py']

model = dict(neck=dict(out_channels=32), bbox_head=dict(in_channels=32, feat_channels=32))
