"""A training's config with another policy, or of another length, is otherwise what it was."""

import copy

import cv2
import numpy as np
import pytest
from make_shapes import make_shapes
from mmengine.config import Config

from mmddas.config_nodes import augment_configs
from mmddas.core import load_policy
from mmddas.derive import set_epochs, set_policy

CLASSES = ('disc', 'rectangle', 'triangle')
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='DDASAugment', policy='old.json', reference_size=640),
    dict(type='Resize', scale=(192, 144)),
]


def config(dataset=None, **settings):
    return Config(
        dict(
            train_dataloader=dict(dataset=dataset or dict(type='CocoDataset', pipeline=copy.deepcopy(PIPELINE))),
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=12, val_interval=5),
            custom_hooks=[
                dict(type='ChannelsLastHook'),
                dict(type='PolicyScheduleHook', policy='old.json', smoothing=3),
            ],
        )
        | settings
    )


def test_the_policy_is_replaced_and_everything_else_stays():
    changed = config()
    set_policy(changed, 'zoph_v1')
    expected = config(policy_file='zoph_v1', custom_imports=dict(imports=['mmddas']))
    del expected.train_dataloader.dataset.pipeline[1]['policy'], expected.custom_hooks[1]['policy']
    assert changed.to_dict() == expected.to_dict()


def test_a_hook_is_added_where_there_is_none():
    changed = config(custom_hooks=[])
    set_policy(changed, 'zoph_v1')
    assert changed.custom_hooks == [dict(type='PolicyScheduleHook')]


@pytest.mark.parametrize('wrapped', [False, True])
def test_without_a_policy_transform_and_hook_are_gone(wrapped):
    dataset = dict(type='CocoDataset', pipeline=copy.deepcopy(PIPELINE))
    if wrapped:
        inner = dict(type='ConcatDataset', datasets=[dataset, copy.deepcopy(dataset)])
        dataset = dict(type='MultiImageMixDataset', dataset=inner, pipeline=[dict(type='Mosaic')])
    changed = config(dataset)
    set_policy(changed, None)
    assert 'DDASAugment' not in changed.pretty_text and 'PolicyScheduleHook' not in changed.pretty_text
    assert changed.custom_hooks == [dict(type='ChannelsLastHook')]
    inner = changed.train_dataloader.dataset
    inner = inner.dataset.datasets[1] if wrapped else inner
    assert [step.type for step in inner.pipeline] == ['LoadImageFromFile', 'Resize']
    assert inner.pipeline[1].scale == (192, 144)


def test_a_training_without_the_transform_gets_it_where_it_belongs(shapes):
    pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True), *PIPELINE[2:]]
    files = dict(data_root=f'{shapes}/', ann_file='annotations/train.json', data_prefix=dict(img='train/'))
    plain = dict(type='CocoDataset', metainfo=dict(classes=CLASSES), pipeline=pipeline, **files)
    changed = config(plain, custom_hooks=[], default_scope='mmdet')
    (place,) = set_policy(changed, 'zoph_v1')
    assert str(place) == 'after LoadAnnotations, before Resize'
    assert [step.type for step in changed.train_dataloader.dataset.pipeline][2] == 'DDASAugment'
    assert set_policy(changed, 'zoph_v2') == []
    set_policy(changed, None)
    assert changed.train_dataloader.dataset.pipeline == pipeline


@pytest.mark.parametrize('policy', ['zoph_v1', 'uniform'])
def test_a_training_on_a_subset_gets_it_too(shapes, policy):
    """A search draws subsets of its own, and wants the whole; a training is what it is."""
    pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True), *PIPELINE[2:]]
    files = dict(data_root=f'{shapes}/', ann_file='annotations/train.json', data_prefix=dict(img='train/'))
    whole = dict(type='CocoDataset', metainfo=dict(classes=CLASSES), pipeline=pipeline, **files)
    subset = dict(type='StratifiedSubset', num_samples=4, dataset=whole)
    changed = config(subset, custom_hooks=[], default_scope='mmdet')
    (place,) = set_policy(changed, policy)
    assert str(place) == 'after LoadAnnotations, before Resize'


def test_generated_policies_have_the_lengths_of_a_search_on_the_same_images(tmp_path):
    make_shapes(tmp_path, num_train=1, num_val=1, num_test=1, size=128)
    pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True), *PIPELINE[2:]]
    files = dict(data_root=f'{tmp_path}/', ann_file='annotations/train.json', data_prefix=dict(img='train/'))
    plain = dict(type='CocoDataset', metainfo=dict(classes=CLASSES), pipeline=pipeline, **files)
    load_policy('uniform').save(tmp_path / 'uniform.json')  # as mmddas compare keeps it
    for policy, size in (
        ('uniform', 640),
        ('randaugment:detection:level=3', 640),
        (str(tmp_path / 'uniform.json'), 640),
        ('zoph_v1', None),
    ):
        changed = config(copy.deepcopy(plain), custom_hooks=[], default_scope='mmdet')
        set_policy(changed, policy)
        assert changed.train_dataloader.dataset.pipeline[2].get('reference_size') == size, policy


@pytest.mark.parametrize('subset', [False, True])
@pytest.mark.parametrize(('size', 'space'), [(32, 'cifar'), (96, 'imagenet')])
def test_generated_policies_of_classifiers_are_of_the_space_for_their_images(tmp_path, size, space, subset):
    for name in ('cat', 'dog'):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / '1.png'), np.zeros((size, size, 3), np.uint8))
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    images = dict(type='CustomDataset', data_prefix=str(tmp_path), pipeline=pipeline)
    images = dict(type='StratifiedSubset', num_samples=2, dataset=images) if subset else images
    changed = config(images, default_scope='mmpretrain')
    set_policy(changed, 'uniform')
    assert changed.policy_file == f'uniform:{space}'
    # CutoutAbs has the lengths that were published for images of both sizes.
    (augment,) = augment_configs(changed.train_dataloader)
    assert 'reference_size' not in augment
    set_policy(changed, 'randaugment:cifar_release:level=3')
    assert changed.policy_file == 'randaugment:cifar_release:level=3'


def switched(hook: str, steps: list) -> dict:
    """A hook that puts another pipeline in the place of the data set's."""
    if hook == 'PipelineSwitchHook':
        return dict(type=hook, switch_epoch=8, switch_pipeline=steps)
    return dict(type=hook, schedule=[dict(action_epoch=8, train_pipeline=steps)])


@pytest.mark.parametrize('hook', ['PipelineSwitchHook', 'SwitchRecipeHook'])
def test_the_policy_holds_in_what_a_hook_switches_to(hook):
    own = dict(type='DDASAugment', policy='mine.json')
    for here, later in ((True, True), (False, True), (True, False)):
        first, second = ([PIPELINE[0], *([own] if given else []), PIPELINE[2]] for given in (here, later))
        images = dict(type='CocoDataset', pipeline=copy.deepcopy(first))
        changed = config(images, custom_hooks=[switched(hook, copy.deepcopy(second))])
        set_policy(changed, 'zoph_v1')
        # Where the config has a transform it has one still, without a policy of its own; no other is put in.
        (other,) = [node for node in changed.custom_hooks if node.type == hook]
        assert str(changed.train_dataloader.dataset.pipeline).count('DDASAugment') == here
        assert str(other).count('DDASAugment') == later and 'mine.json' not in changed.pretty_text
        set_policy(changed, None)
        assert 'DDASAugment' not in changed.pretty_text


def test_a_policy_for_another_task_is_refused_before_anything_is_changed():
    changed = config(default_scope='mmdet')
    with pytest.raises(
        ValueError, match='^pba_svhn is a policy for classification, and the config trains for detection'
    ):
        set_policy(changed, 'pba_svhn')
    assert changed.to_dict() == config(default_scope='mmdet').to_dict()


def test_the_schedule_of_rates_goes_with_the_epochs():
    schedulers = [
        dict(type='LinearLR', by_epoch=False, begin=0, end=500),
        dict(type='MultiStepLR', by_epoch=True, begin=0, end=12, milestones=[8, 11]),
        dict(type='CosineAnnealingLR', T_max=6, begin=6, end=12),
        dict(type='ConstantLR', end=float('inf')),
    ]
    changed = config(param_scheduler=schedulers)
    set_epochs(changed, 36)
    assert changed.train_cfg.max_epochs == 36
    assert changed.param_scheduler[0] == schedulers[0] and changed.param_scheduler[3] == schedulers[3]
    assert changed.param_scheduler[1].milestones == [24, 33] and changed.param_scheduler[1].end == 36
    assert [changed.param_scheduler[2][key] for key in ('T_max', 'begin', 'end')] == [18, 18, 36]


def test_a_schedule_in_iterations_goes_with_the_epochs():
    """But for its warm-up, and where the decay begins behind that."""
    schedulers = [
        dict(type='LinearLR', by_epoch=False, begin=0, end=500),
        dict(type='CosineAnnealingLR', by_epoch=False, begin=500, end=12000, T_max=12000),
        dict(type='PolyLR', by_epoch=False, begin=0, end=12000),
        dict(type='CosineRestartLR', by_epoch=False, periods=[4000, 8000]),
    ]
    changed = config(param_scheduler=schedulers)
    set_epochs(changed, 3)
    warm_up, cosine, poly, restarts = changed.param_scheduler
    assert warm_up == schedulers[0]
    assert [cosine[key] for key in ('begin', 'end', 'T_max')] == [500, 3000, 3000]
    assert poly.end == 3000 and restarts.periods == [1000, 2000]


@pytest.mark.parametrize('epochs', [1, 3, 5])
def test_a_much_shorter_training_has_a_schedule_still(epochs):
    """A warm-up of epochs lasts one at least, and no rate falls before the first epoch."""
    schedulers = [
        dict(type='LinearLR', start_factor=0.1, end=5),
        dict(type='MultiStepLR', milestones=[30, 60, 90]),
        dict(type='StepLR', step_size=2, gamma=0.9),
        dict(type='ExponentialLR', gamma=0.9),
        dict(type='CosineAnnealingLR', T_max=290, begin=5, end=300),
    ]
    changed = config(param_scheduler=copy.deepcopy(schedulers))
    changed.train_cfg.max_epochs = 300
    set_epochs(changed, epochs)
    linear, steps, step, exponential, cosine = changed.param_scheduler
    assert linear.end >= 1 and min(steps.milestones) >= 1 and step.step_size >= 1 and cosine.T_max >= 1
    assert cosine.end > cosine.begin
    assert exponential.gamma**epochs == pytest.approx(0.9**300)


HOOKS = [
    dict(type='PipelineSwitchHook', switch_epoch=280, switch_pipeline=[]),
    dict(type='YOLOXModeSwitchHook', num_last_epochs=20),
    dict(type='EMAHook', begin_epoch=30),
    dict(type='SwitchRecipeHook', schedule=[dict(action_epoch=epoch) for epoch in (1, 2, 290)]),
]


@pytest.mark.parametrize(('epochs', 'last'), [(600, 40), (300, 20), (30, 2), (15, 1), (5, 1), (1, 1)])
def test_hooks_act_in_the_same_part_of_the_training(epochs, last):
    """What an RTMDet or YOLOX does in the last 20 of its 300 epochs is done in the last fifteenth, one at least."""
    changed = config(custom_hooks=copy.deepcopy(HOOKS))
    changed.train_cfg.update(max_epochs=300, val_begin=150, dynamic_intervals=[(280, 1)])
    set_epochs(changed, epochs)
    switch, mode, mean, recipes = changed.custom_hooks
    assert switch.switch_epoch == epochs - last == changed.train_cfg.dynamic_intervals[0][0]
    assert changed.train_cfg.dynamic_intervals[0][1] == 1 and mode.num_last_epochs == last
    assert mean.begin_epoch == round(epochs / 10) and changed.train_cfg.val_begin == max(1, round(epochs / 2))
    actions = [recipe.action_epoch for recipe in recipes.schedule]
    assert actions[0] >= 1 and len(set(actions)) == 3 and actions == sorted(actions)
    assert epochs < 15 or actions[2] == round(290 * epochs / 300)


def test_a_hook_that_never_acts_does_not_begin_to():
    changed = config(custom_hooks=[dict(type='PipelineSwitchHook', switch_epoch=300, switch_pipeline=[])])
    changed.train_cfg.max_epochs = 300
    set_epochs(changed, 30)
    assert changed.custom_hooks[0].switch_epoch >= 30


@pytest.mark.parametrize(
    ('loop', 'message'), [(dict(max_iters=100), 'trains for 100 iterations'), (None, 'at least 1')]
)
def test_what_has_no_such_length_is_refused(loop, message):
    changed = config(**({} if loop is None else dict(train_cfg=loop)))
    with pytest.raises(ValueError, match=message):
        set_epochs(changed, 0)
