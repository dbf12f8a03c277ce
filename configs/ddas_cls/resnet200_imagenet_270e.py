"""Train ResNet-200 on ImageNet with a searched policy, 270 epochs: as ``resnet50_imagenet_270e.py``.

tools/dist_train.sh configs/ddas_cls/resnet200_imagenet_270e.py 8
"""

_base_ = ['./resnet50_imagenet_270e.py']

custom_imports = dict(imports=['mmddas', 'mmddas.models.resnet200'])
model = dict(backbone=dict(_delete_=True, type='ResNet200', out_indices=(3,), style='pytorch'))
