"""MMDetection's recipes as it ships them, but for size, searched with and trained with a policy for two iterations.

Each runs, or is refused before its first step with what to change, and runs with the change.
"""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from recipes import RECIPES, SIZE, recipe, run

from mmddas.core import AugmentationPolicy, PolicySchedule, SearchSpace
from mmddas.datasets import find_augments


def loaders_of_images(config: Config) -> list:
    """The list that DDASAugment goes into: behind the last transform that loads."""
    dataset = config.train_dataloader.dataset
    return dataset.pipeline if dataset.type != 'MultiImageMixDataset' else dataset.dataset.pipeline


def add_augment(pipeline: list, **settings) -> None:
    place = max(i for i, step in enumerate(pipeline) if step['type'].startswith('Load')) + 1
    pipeline.insert(place, dict(type='DDASAugment', reference_size=640, **settings))


def searched(config: Config, folder: Path) -> Config:
    dataset = config.train_dataloader.dataset
    plain = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
    masks = any(step.get('with_mask') for step in loaders_of_images(config))
    plain[1].update(with_mask=masks)
    s_val = dict(
        type='CocoDataset',
        metainfo=dict(classes=('disc', 'rectangle', 'triangle')),
        data_root=f'{folder}/',
        ann_file='annotations/val.json',
        data_prefix=dict(img='val/'),
        pipeline=[*plain, dict(type='Resize', scale=(SIZE, SIZE), keep_ratio=True), dict(type='PackDetInputs')],
    )
    if dataset.type == 'MultiImageMixDataset':  # the operations' place is behind what mixes
        place = 1 + max(i for i, step in enumerate(dataset.pipeline) if step['type'] in ('Mosaic', 'MixUp'))
        dataset.pipeline.insert(place, dict(type='DDASAugment'))
    else:
        add_augment(dataset.pipeline)
    config.train_cfg = dict(
        type='DDASSearchLoop',
        max_epochs=1,
        policy_dataloader=dict(
            batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True), dataset=s_val
        ),
        search_space=[('Rotate_BBox', 4), ('Solarize', 0), ('Color', 2)],
    )
    return config


def without(pipeline: list, *types: str) -> list:
    return [step for step in pipeline if step['type'] not in types]


def names(*usual: str, without: tuple[str, ...] = ()) -> list:
    """The recipes; all but the ``usual`` ones, whose kind other tests have, only with the slow tests."""
    return [
        name if name in usual else pytest.param(name, marks=pytest.mark.slow) for name in RECIPES if name not in without
    ]


@pytest.mark.parametrize('name', names(without=('yolox', 'rtmdet', 'dynamic')))
def test_recipe_can_be_searched_with(name, shapes, tmp_path):
    runner = run(searched(recipe(name, shapes, tmp_path / 'work'), shapes))
    probs = runner.train_loop.policy.op_probs
    assert probs.max() > probs.min()
    assert runner.message_hub.get_scalar('train/skipped_updates').data[0][-1] == 0


@pytest.mark.slow
def test_dynamic_rcnn_counts_steps(shapes, tmp_path):
    """It adapts its thresholds to what it has seen in so many iterations, not in so many views and batches of S_val."""
    config = recipe('dynamic', shapes, tmp_path / 'work')
    config.model.train_cfg.rcnn.dynamic_rcnn.update_iter_interval = 3
    config.train_dataloader.dataset.indices = 8
    runner = Runner.from_cfg(searched(config, shapes))
    runner.train()
    head = runner.model.roi_head
    assert runner.iter == 4 and len(head.iou_history) == 1  # of the fourth iteration
    memory = runner.train_loop.state_dict()['memory']
    assert memory['roi_head']['iou_history'] == head.iou_history
    assert memory['roi_head.bbox_assigner']['pos_iou_thr'] == head.bbox_assigner.pos_iou_thr


def test_a_search_with_yolox_asks_for_one_pipeline_and_then_runs(shapes, tmp_path):
    config = searched(recipe('yolox', shapes, tmp_path / 'refused'), shapes)
    with pytest.raises(ValueError, match='leave YOLOXModeSwitchHook out of custom_hooks'):
        run(config)
    config = searched(recipe('yolox', shapes, tmp_path / 'work'), shapes)
    config.custom_hooks = without(config.custom_hooks, 'YOLOXModeSwitchHook')
    config.experiment_name = config.visualizer.name = f'{tmp_path.name}_mended'
    run(config)


@pytest.mark.slow
def test_a_search_with_rtmdet_asks_for_transforms_without_memory_and_then_runs(shapes, tmp_path):
    config = searched(recipe('rtmdet', shapes, tmp_path / 'refused'), shapes)
    with pytest.raises(ValueError, match='leave CachedMosaic out'):
        run(config)
    pipeline = without(config.train_dataloader.dataset.pipeline, 'CachedMosaic', 'CachedMixUp')
    config = searched(recipe('rtmdet', shapes, tmp_path / 'refused_too'), shapes)
    config.train_dataloader.dataset.pipeline = pipeline
    with pytest.raises(ValueError, match='leave PipelineSwitchHook out of custom_hooks'):
        run(config)
    config = searched(recipe('rtmdet', shapes, tmp_path / 'work'), shapes)
    config.train_dataloader.dataset.pipeline = pipeline
    config.custom_hooks = without(config.custom_hooks, 'PipelineSwitchHook')
    config.experiment_name = config.visualizer.name = f'{tmp_path.name}_mended'
    run(config)


def policy_content() -> dict:
    schedule = PolicySchedule(SearchSpace.preset('detection'))
    for total_prob in (0.2, 0.9):
        schedule.append(AugmentationPolicy(schedule.space, total_prob))
    return schedule.to_dict()


@pytest.mark.parametrize('name', names('yolox', 'rtmdet'))
def test_recipe_can_be_trained_with_a_policy(name, shapes, tmp_path):
    """The recipes of two stages switch to the second one at the second of two epochs."""
    config = recipe(name, shapes, tmp_path / 'work')
    add_augment(loaders_of_images(config))
    config.train_dataloader.dataset.get('dataset', config.train_dataloader.dataset).indices = 2
    config.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2)
    config.custom_hooks = [*config.get('custom_hooks', []), dict(type='PolicyScheduleHook', policy=policy_content())]
    for hook in config.custom_hooks:
        if hook['type'] == 'PipelineSwitchHook':
            hook['switch_epoch'] = 1
            add_augment(hook['switch_pipeline'])
        if hook['type'] == 'YOLOXModeSwitchHook':
            hook['num_last_epochs'] = 1
    runner = run(config)
    (augment,) = find_augments(runner.train_dataloader.dataset)
    assert augment.snapshot.total_prob == pytest.approx(0.9)
