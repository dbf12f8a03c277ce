"""The baseline of ``retinanet_thin_bccd_train.py``: the same training without a policy."""

_base_ = ['./retinanet_thin_bccd_train.py']

policy_file = None
custom_hooks = None
train_pipeline = [step for step in {{_base_.train_pipeline}} if step['type'] != 'DDASAugment']
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
