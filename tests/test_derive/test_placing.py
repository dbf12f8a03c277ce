"""The operations' place: behind what loads and what mixes, before what resizes a detector's images."""

import pytest
from mmengine.config import Config

from mmddas.derive import find_places, place_augments

LOAD = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
END = [dict(type='Resize', scale=(64, 64)), dict(type='RandomFlip', prob=0.5), dict(type='PackDetInputs')]
MOSAIC, MIX_UP = dict(type='Mosaic', img_scale=(64, 64)), dict(type='MixUp', img_scale=(64, 64))

CACHED, PANOPTIC = dict(type='CachedMosaic', img_scale=(64, 64)), dict(type='mmdet.LoadPanopticAnnotations')
CROP = dict(type='RandomResizedCrop', scale=224)


def training(dataset: dict, scope: str = 'mmdet', **settings) -> Config:
    return Config(dict(default_scope=scope, train_dataloader=dict(dataset=dataset), **settings))


def coco(*steps: dict) -> dict:
    return dict(type='CocoDataset', pipeline=list(steps))


@pytest.mark.parametrize(
    ('scope', 'steps', 'place'),
    [
        ('mmdet', [*LOAD, *END], 'after LoadAnnotations, before Resize'),
        ('mmdet', [*LOAD, CACHED, *END], 'after LoadAnnotations, before CachedMosaic'),
        ('mmdet', [LOAD[0], PANOPTIC, *END], 'after LoadPanopticAnnotations, before Resize'),
        ('mmpretrain', [LOAD[0], CROP, dict(type='RandomFlip')], 'after RandomResizedCrop, before RandomFlip'),
        ('mmpretrain', [dict(type='RandomCrop', crop_size=32), dict(type='PackInputs')], 'before RandomCrop'),
        (
            'mmpretrain',
            [LOAD[0], dict(type='torchvision/RandomCrop', size=32)],
            'after LoadImageFromFile, before torchvision/RandomCrop',
        ),
    ],
)
def test_place_in_a_pipeline(scope, steps, place):
    (found,) = find_places(training(dict(type='BaseDataset', pipeline=steps), scope))
    assert str(found) == place


def test_behind_what_mixes():
    steps = [MOSAIC, dict(type='RandomAffine', border=(-32, -32)), MIX_UP, *END[1:]]
    dataset = dict(type='MultiImageMixDataset', dataset=coco(*LOAD), pipeline=steps)
    (place,) = find_places(training(dict(type='RepeatDataset', times=2, dataset=dataset)))
    assert str(place) == 'after MixUp, before RandomFlip'


def test_every_data_set_and_what_a_hook_switches_to_get_one():
    datasets = dict(type='ConcatDataset', datasets=[coco(*LOAD, *END), coco(LOAD[0], *END)])
    config = training(datasets, custom_hooks=[dict(type='PipelineSwitchHook', switch_pipeline=[*LOAD, END[2]])])
    assert len(place_augments(config, dict(channel_order='rgb'))) == 3
    one, other = config.train_dataloader.dataset.datasets
    for steps, index in ((one.pipeline, 2), (other.pipeline, 1), (config.custom_hooks[0].switch_pipeline, 2)):
        assert steps[index] == dict(type='DDASAugment', channel_order='rgb')


def test_a_config_that_does_not_train_says_so():
    with pytest.raises(ValueError, match='no train_dataloader with a dataset'):
        find_places(Config(dict(default_scope='mmdet')))


def test_a_data_set_without_a_pipeline_is_named():
    with pytest.raises(ValueError, match='MyDataset of the training has no pipeline'):
        find_places(training(dict(type='MyDataset')))


def test_what_loads_within_another_transform_is_left_to_its_author():
    frames = dict(type='TransformBroadcaster', transforms=[dict(type='LoadImageFromFile'), dict(type='RandomFlip')])
    with pytest.raises(ValueError, match='loads images within TransformBroadcaster'):
        find_places(training(dict(type='MOTChallengeDataset', pipeline=[dict(type='UniformRefFrameSample'), frames])))
