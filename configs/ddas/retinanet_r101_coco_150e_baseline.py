"""The baseline of ``retinanet_r101_coco_150e.py``: the same training without a policy."""

_base_ = ['./retinanet_r101_coco_150e.py']

policy_file = None
custom_hooks = None
train_dataloader = dict(dataset=dict(pipeline={{_base_.plain_pipeline}}))
