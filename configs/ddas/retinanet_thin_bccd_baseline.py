"""The baseline of ``retinanet_thin_bccd_train.py``: the same training without a policy."""

_base_ = ['./retinanet_thin_bccd_train.py']

policy_file = None
custom_hooks = None
train_dataloader = dict(dataset=dict(pipeline={{_base_.plain_pipeline}}))
