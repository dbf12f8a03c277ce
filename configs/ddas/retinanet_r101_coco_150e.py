"""As ``retinanet_r50_coco_150e.py`` with ResNet-101, and the policy that was searched with ResNet-50.

The paper's mAP: 38.6 without a policy, 40.0 with Zoph et al.'s, 39.8 with a searched one.
"""

_base_ = ['./retinanet_r50_coco_150e.py']

model = dict(backbone=dict(depth=101))
