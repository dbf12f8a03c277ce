"""MMDetection's common detectors train, predict and are evaluated without MMCV's compiled operators."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmdet.utils import register_all_modules
from mmengine.runner import Runner
from small_detectors import DETECTORS, small_model


@pytest.fixture(autouse=True)
def mmdet_scope():
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)


@pytest.mark.parametrize('name', DETECTORS)
def test_detector_trains_and_predicts(name, device):
    model = MODELS.build(small_model(name)).to(device)
    model.init_weights()
    shapes, with_mask = [[3, 96, 96], [3, 64, 128]], name == 'mask_rcnn'
    batch = demo_mm_inputs(2, shapes, num_classes=3, with_mask=with_mask, device=device)
    losses = model(**model.data_preprocessor(batch, training=True), mode='loss')
    loss, _ = model.parse_losses(losses)
    loss.backward()
    assert loss.isfinite()
    stem = model.backbone.conv1.weight.grad
    assert stem.isfinite().all() and stem.any()

    model.eval()
    with torch.no_grad():
        results = model.test_step(batch)
    for sample in results:
        instances = sample.pred_instances
        assert 0 < len(instances) <= 100
        assert instances.bboxes.isfinite().all() and (instances.scores[:-1] >= instances.scores[1:]).all()
        if with_mask:
            assert instances.masks.shape == (len(instances), *sample.ori_shape)


@pytest.fixture
def coco_dataset(tmp_path) -> dict:
    """Four images with a bright rectangle each, as a ``CocoDataset``."""
    annotations = dict(images=[], annotations=[], categories=[dict(id=i + 1, name=n) for i, n in enumerate('abc')])
    for index in range(4):
        x, y, width, height = 8 + 4 * index, 10, 30, 24 + 4 * index
        image = np.zeros((64, 96, 3), np.uint8)
        image[y : y + height, x : x + width] = 255
        cv2.imwrite(str(tmp_path / f'{index}.png'), image)
        corners = [x, y, x + width, y, x + width, y + height, x, y + height]
        annotations['images'].append(dict(id=index, file_name=f'{index}.png', height=64, width=96))
        annotations['annotations'].append(
            dict(id=index + 1, image_id=index, category_id=index % 3 + 1, bbox=[x, y, width, height],
                 area=width * height, iscrowd=0, segmentation=[corners])
        )  # fmt: skip
    (tmp_path / 'annotations.json').write_text(json.dumps(annotations))
    return dict(
        type='CocoDataset', data_root=str(tmp_path), ann_file='annotations.json', data_prefix=dict(img=''),
        metainfo=dict(classes=tuple('abc')),
    )  # fmt: skip


def test_mask_rcnn_is_trained_and_evaluated_by_a_runner(coco_dataset, tmp_path):
    load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True, with_mask=True)]
    keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
    resize = dict(type='Resize', scale=(96, 64), keep_ratio=True)
    dataset = dict(coco_dataset, pipeline=[*load, resize, dict(type='PackDetInputs', meta_keys=keys)])
    loader = dict(batch_size=2, num_workers=0, dataset=dataset, sampler=dict(type='DefaultSampler', shuffle=False))
    metric = dict(type='CocoMetric', ann_file=str(tmp_path / 'annotations.json'), metric=['bbox', 'segm'])
    runner = Runner(
        model=small_model('mask_rcnn'), work_dir=str(tmp_path / 'work_dir'), default_scope='mmdet',
        experiment_name=tmp_path.name, log_level='WARNING', train_dataloader=loader, val_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=1), val_cfg=dict(), val_evaluator=metric,
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
    )  # fmt: skip
    runner.train()
    metrics = runner.val()
    for kind in ('bbox', 'segm'):
        assert 0 <= metrics[f'coco/{kind}_mAP'] <= 1
