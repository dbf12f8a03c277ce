"""MMDetection's and MMPretrain's recipes as they ship them, but for size and data."""

from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.runner import Runner

SIZE = 64
RECIPES = dict(
    retinanet='retinanet/retinanet_r50_fpn_1x_coco.py',
    yolox='yolox/yolox_tiny_8xb8-300e_coco.py',
    rtmdet='rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
    detr='detr/detr_r50_8xb2-150e_coco.py',
    deformable_detr='deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
    swin='swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py',
    checkpointed='mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
    dynamic='dynamic_rcnn/dynamic-rcnn_r50_fpn_1x_coco.py',
    fcos='fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
    faster='faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    mask='mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
    cascade='cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py',
    dino='dino/dino-4scale_r50_8xb2-12e_coco.py',
)
CLASSIFIERS = dict(
    resnet_cifar='resnet/resnet18_8xb16_cifar10.py',
    resnet_imagenet='resnet/resnet18_8xb32_in1k.py',
    swin_imagenet='swin_transformer/swin-tiny_16xb64_in1k.py',
)


def shrink(node: object, folder: Path) -> None:
    """Images of 64 pixels, batches of 2, no pretrained weights, three classes, the data set of the tests."""
    if isinstance(node, (list, tuple)):
        for child in node:
            shrink(child, folder)
    if not isinstance(node, dict):
        return
    for key, value in list(node.items()):
        if key == 'init_cfg' and isinstance(value, dict) and 'checkpoint' in value:
            node[key] = None
        elif key == 'num_classes' and value == 80:
            node[key] = 3
        elif key in ('scale', 'img_scale', 'crop_size', 'size') and np.max(value) > SIZE:
            node[key] = (SIZE, SIZE)
        elif key == 'scales':
            node[key] = [(SIZE, SIZE)]
        elif key == 'num_queries' and value == 900:
            node[key] = 20  # DINO chooses them among an image's places, of which there are fewer here
        elif key == 'allowed_border':
            node[key] = -1  # RPN's anchors are larger than these images
        elif key == 'border':
            node[key] = (-SIZE // 2, -SIZE // 2)
        elif key == 'random_size_range':
            node.update(random_size_range=(SIZE, 2 * SIZE), interval=1)
        else:
            shrink(value, folder)
    if node.get('type') == 'CocoDataset':
        node.update(
            data_root=f'{folder}/',
            ann_file='annotations/train.json',
            data_prefix=dict(img='train/'),
            metainfo=dict(classes=('disc', 'rectangle', 'triangle')),
            indices=4,
        )


def trim(config: Config, work_dir: Path, name: str) -> None:
    """Two images a batch, in this process; no evaluation, no schedule, no log."""
    config.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False, pin_memory=False)
    for key in ('val_dataloader', 'val_evaluator', 'val_cfg', 'test_dataloader', 'test_evaluator', 'test_cfg'):
        config[key] = None
    config.param_scheduler = None
    config.log_level = 'ERROR'
    config.work_dir = str(work_dir)
    config.experiment_name = config.visualizer.name = f'{work_dir.parent.name}_{name}'


def classifier(name: str, images: Path, work_dir: Path) -> Config:
    """A recipe of MMPretrain's; ``images`` has CIFAR-10's files, and ImageNet's as class folders, both tiny."""
    config = get_config(f'mmpretrain::{CLASSIFIERS[name]}')
    dataset = config.train_dataloader.dataset
    if dataset.type == 'ImageNet':
        dataset.pop('split')
        dataset.update(type='CustomDataset', data_prefix='train', with_label=True)
        dataset.pipeline[1].update(scale=SIZE)
        if 'img_size' in config.model.backbone:
            config.model.backbone.update(img_size=SIZE, pad_small_map=True)
    dataset.data_root = str(images / Path(dataset.data_root).name)
    trim(config, work_dir, name)
    return config


def recipe(name: str, folder: Path, work_dir: Path) -> Config:
    """A recipe of MMDetection's that trains on the drawn shapes in ``folder``."""
    config = shrunk_recipe(RECIPES[name], folder, work_dir, name)
    if name == 'checkpointed':
        config.model.backbone.update(with_cp=True)
    if name == 'swin':
        config.model.backbone.update(
            embed_dims=24, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=2, with_cp=True, frozen_stages=1
        )
        config.model.neck.in_channels = [24, 48, 96, 192]
    return config


def shrunk_recipe(path: str, folder: Path, work_dir: Path, name: str) -> Config:
    """A config of MMDetection's, by its path, at a size for tests; a ResNet gets an eighth of its channels."""
    config = get_config(f'mmdet::{path}')
    shrink(config._cfg_dict, folder)
    trim(config, work_dir, name)
    if config.model.backbone.type == 'ResNet':
        config.model.backbone.base_channels = 8
        config.model.neck.in_channels = [channels // 8 for channels in config.model.neck.in_channels]
    return config


def run(config: Config) -> Runner:
    runner = Runner.from_cfg(config)
    runner.train()
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    assert runner.iter == 2 and np.isfinite(losses).all()
    assert all(parameter.isfinite().all() for parameter in runner.model.parameters())
    return runner
