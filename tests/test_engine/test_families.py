"""Families of MMDetection's detectors keep the method's first equality: views that are alike tell nothing."""

import copy
import random

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from recipes import shrunk_recipe

from mmddas.core import ViewGradients
from mmddas.derive import SearchOptions, derive_search
from mmddas.engine import SearchStep

FAMILIES = [
    'atss/atss_r50_fpn_1x_coco',
    'autoassign/autoassign_r50-caffe_fpn_1x_coco',
    'boxinst/boxinst_r50_fpn_ms-90k_coco',
    'centernet/centernet-update_r50-caffe_fpn_ms-1x_coco',
    'condinst/condinst_r50_fpn_ms-poly-90k_coco_instance',
    'conditional_detr/conditional-detr_r50_8xb2-50e_coco',
    'dab_detr/dab-detr_r50_8xb2-50e_coco',
    'dcnv2/faster-rcnn_r50-mdconv-c3-c5_fpn_1x_coco',
    'ddod/ddod_r50_fpn_1x_coco',
    'ddq/ddq-detr-4scale_r50_8xb2-12e_coco',
    'double_heads/dh-faster-rcnn_r50_fpn_1x_coco',
    'dynamic_rcnn/dynamic-rcnn_r50_fpn_1x_coco',
    'efficientnet/retinanet_effb3_fpn_8xb4-crop896-1x_coco',
    'empirical_attention/faster-rcnn_r50-attn0010-dcn_fpn_1x_coco',
    'foveabox/fovea_r50_fpn_4xb4-1x_coco',
    'fpg/faster-rcnn_r50_fpg-chn128_crop640-50e_coco',
    'free_anchor/freeanchor_r50_fpn_1x_coco',
    'fsaf/fsaf_r50_fpn_1x_coco',
    'gcnet/mask-rcnn_r50-gcb-r4-c3-c5_fpn_1x_coco',
    'gfl/gfl_r50_fpn_1x_coco',
    'ghm/retinanet_r50_fpn_ghm-1x_coco',
    'grid_rcnn/grid-rcnn_r50_fpn_gn-head_2x_coco',
    'groie/faste-rcnn_r50_fpn_groie_1x_coco',
    'htc/htc-without-semantic_r50_fpn_1x_coco',
    'ms_rcnn/ms-rcnn_r50-caffe_fpn_1x_coco',
    'nas_fcos/nas-fcos_r50-caffe_fpn_fcoshead-gn-head_4xb4-1x_coco',
    'nas_fpn/retinanet_r50_fpn_crop640-50e_coco',
    'pafpn/faster-rcnn_r50_pafpn_1x_coco',
    'pisa/retinanet-r50_fpn_pisa_1x_coco',
    'point_rend/point-rend_r50-caffe_fpn_ms-1x_coco',
    'pvt/retinanet_pvt-t_fpn_1x_coco',
    'queryinst/queryinst_r50_fpn_1x_coco',
    'regnet/retinanet_regnetx-800MF_fpn_1x_coco',
    'reppoints/reppoints-bbox_r50-center_fpn-gn_head-gn-grid_1x_coco',
    'rpn/rpn_r50_fpn_1x_coco',
    'sabl/sabl-faster-rcnn_r50_fpn_1x_coco',
    'solo/decoupled-solo-light_r50_fpn_3x_coco',
    'solov2/solov2-light_r18_fpn_ms-3x_coco',
    'sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco',
    'tood/tood_r50_fpn_1x_coco',
    'tridentnet/tridentnet_r50-caffe_1x_coco',
    'vfnet/vfnet_r50_fpn_1x_coco',
    'yolact/yolact_r50_1xb8-55e_coco',
    'yolo/yolov3_d53_8xb8-320-273e_coco',
]


@pytest.fixture
def views_alike(monkeypatch):
    """Has every pass of a step the clean view's images, and the same random numbers; returns what steps have found."""
    step, loss, alignments, found = SearchStep.__call__, SearchStep.loss, ViewGradients.alignments, []

    def alike(self, views, sub_policies, policy_batch):
        return step(self, [copy.deepcopy(views[0]) for _ in views], sub_policies, policy_batch)

    def same_numbers(self, batch):
        for seed in (random.seed, np.random.seed, torch.manual_seed):
            seed(0)
        return loss(self, batch)

    def noted(self, direction):
        found.append(alignments(self, direction))
        return found[-1]

    monkeypatch.setattr(SearchStep, '__call__', alike)
    monkeypatch.setattr(SearchStep, 'loss', same_numbers)
    monkeypatch.setattr(ViewGradients, 'alignments', noted)
    return found


@pytest.mark.slow
@pytest.mark.parametrize('family', FAMILIES)
def test_views_that_are_alike_align_with_nothing(family, shapes, tmp_path, views_alike):
    """To the last digit: what a pass leaves in heads, losses and assigners does not reach the next one."""
    training = shrunk_recipe(f'{family}.py', shapes, tmp_path / 'work', family.split('/')[0])
    training.train_dataloader.dataset.get('dataset', training.train_dataloader.dataset).indices = 6
    if family.startswith('dynamic'):
        # It adapts its thresholds in every pass, and by a lot.
        training.model.train_cfg.rcnn.dynamic_rcnn.update(update_iter_interval=1, initial_iou=0.0)
    derived = derive_search(training, family, SearchOptions(num_train=4, num_val=2, epochs=1))
    config = Config.fromstring(derived.text, '.py')
    config.work_dir = training.work_dir
    Runner.from_cfg(config).train()
    assert len(views_alike) == 2
    assert not any(alignments.any() for alignments in views_alike)
