"""A re-training replays the schedule: what reaches the network was made with the snapshot of its time."""

import copy

import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, HOOKS, LOOPS, MODELS, TRANSFORMS
from mmengine.runner import BaseLoop, IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from mmddas import ops
from mmddas.core import PolicyFileError, PolicySchedule, PolicySnapshot, SearchSpace
from mmddas.datasets import find_augments

SPACE = SearchSpace([('Brightness', level) for level in (0, 2, 4, 6)], num_ops=1)
T = len(SPACE)
GREY = np.full((8, 8, 3), 100, np.uint8)
# The grey that the one candidate of snapshot t makes of an image.
GREYS = [int(ops.apply(candidate.op, GREY, level=candidate.level)[0][0, 0, 0]) for candidate in SPACE.candidates]


def telling_schedule(total_probs=(1.0,) * T) -> PolicySchedule:
    """Snapshot t applies candidate t and no other."""
    return PolicySchedule(SPACE, [PolicySnapshot(p, np.eye(T)[t]) for t, p in enumerate(total_probs)])


@DATASETS.register_module()
class GreyImages(BaseDataset):
    """Eight images of one and the same grey."""

    METAINFO = dict(classes=('nothing',))

    def load_data_list(self) -> list[dict]:
        return [dict(img=GREY, img_shape=GREY.shape[:2]) for _ in range(8)]

    def get_cat_ids(self, idx: int) -> list[int]:
        return [0]


@TRANSFORMS.register_module()
class Stack(BaseTransform):
    """Put another image below: a multi-image transform as MultiImageMixDataset calls it."""

    def get_indexes(self, dataset) -> int:
        return 3

    def transform(self, results: dict) -> dict:
        results['img'] = np.vstack([results['img'], results['mix_results'][0]['img']])
        return results


@MODELS.register_module()
class GreyRecorder(BaseModel):
    """Learns nothing and notes the greys of every batch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.batches = []

    def forward(self, img: list, mode: str = 'loss', **kwargs) -> dict:
        self.batches.append(set(np.unique(np.stack(img)).tolist()))
        return dict(loss=self.weight.sum())


@LOOPS.register_module()
class EagerIterBasedTrainLoop(IterBasedTrainLoop):
    """Starts its workers when it is built, as the original MMEngine does."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.dataloader_iterator._iterator = iter(self.dataloader)


@HOOKS.register_module()
class StopAt(Hook):
    """As if the process were killed before an epoch or an iteration."""

    def __init__(self, epoch: int = -1, iteration: int = -1) -> None:
        self.epoch = epoch
        self.iteration = iteration

    def before_train_epoch(self, runner) -> None:
        if runner.epoch == self.epoch:
            raise InterruptedError

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == self.iteration:
            raise InterruptedError


GREY_IMAGES = dict(type='GreyImages', pipeline=[dict(type='DDASAugment')])
HOOK = dict(type='PolicyScheduleHook', policy=telling_schedule().to_dict())


def with_policy(policy) -> dict:
    return dict(type='GreyImages', pipeline=[dict(type='DDASAugment', policy=policy)])


@pytest.fixture
def build(tmp_path):
    """Makes the runner of a re-training with two batches an epoch."""
    runners = []

    def make(epochs=None, iterations=None, dataset=GREY_IMAGES, hooks=(HOOK,), loop='IterBasedTrainLoop', **changes):
        settings = {key: changes.pop(key) for key in ('resume', 'policy_file') if key in changes}
        by_epoch = epochs is not None
        train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=epochs) if by_epoch else dict(type=loop)
        loader = dict(
            batch_size=4,
            num_workers=0,
            dataset=dataset,
            sampler=dict(type='DefaultSampler' if by_epoch else 'InfiniteSampler'),
        )
        config = dict(
            model=dict(type='GreyRecorder'),
            work_dir=str(tmp_path / 'work_dir'),
            experiment_name=f'{tmp_path.name}_{len(runners)}',
            default_scope='mmdet',
            log_level='ERROR',
            train_dataloader=loader | changes,
            train_cfg=train_cfg if by_epoch else dict(train_cfg, max_iters=iterations),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1, by_epoch=by_epoch)),
            custom_hooks=list(hooks),
            **settings,
        )
        runners.append(Runner.from_cfg(Config(config)))
        return runners[-1]

    yield make
    for runner in runners:
        end_workers(runner)


def end_workers(runner) -> None:
    """Left to the garbage collector, which takes the runner's cycle apart in any order, every worker takes 5 s."""
    if isinstance(runner._train_loop, BaseLoop):
        runner.train_dataloader._iterator = None
        runner.train_loop.dataloader_iterator = None


def greys_by_epoch(runner) -> list[set]:
    """The greys that the network has met in every epoch."""
    batches = runner.model.batches
    return [batches[i] | batches[i + 1] for i in range(0, len(batches), 2)]


def replayed(epochs: int, first: int = 0) -> list[set]:
    """The greys of snapshot floor(e * T / E) for every epoch e from the first one on."""
    return [{GREYS[epoch * T // epochs]} for epoch in range(first, epochs)]


WORKERS = [
    dict(num_workers=0),
    dict(num_workers=1, persistent_workers=False),
    dict(num_workers=1, persistent_workers=True),
    dict(num_workers=2, persistent_workers=False),
    dict(num_workers=2, persistent_workers=True),
]


def name(loader: dict) -> str:
    return f'{loader["num_workers"]}{"-persistent" * loader.get("persistent_workers", False)}'


@pytest.mark.parametrize('loader', WORKERS, ids=name)
def test_epoch_e_is_made_with_its_snapshot(build, loader):
    runner = build(epochs=6, **loader)
    runner.train()
    assert greys_by_epoch(runner) == replayed(6)


@pytest.mark.parametrize('epochs', [1, 3, 8])
def test_any_number_of_epochs_replays_the_whole_schedule(build, epochs):
    runner = build(epochs=epochs)
    runner.train()
    assert greys_by_epoch(runner) == replayed(epochs)


@pytest.mark.slow
@pytest.mark.parametrize('loader', WORKERS[1:3], ids=name)
def test_spawned_workers_follow_the_epochs(build, loader):
    """They start from nothing: data set, policy and epoch are handed to them."""
    runner = build(epochs=2, multiprocessing_context='spawn', **loader)
    runner.train()
    assert greys_by_epoch(runner) == replayed(2)


def assert_at_most_ahead(batches: list[set], ahead: int, first: int = 0) -> None:
    """Batch i was made with the snapshot of an iteration from i - ahead to i."""
    for i, greys in enumerate(batches, start=first):
        moments = range(max(i - ahead, first), i + 1)
        assert greys and greys <= {GREYS[moment * T // 12] for moment in moments}


@pytest.mark.parametrize('loader', [dict(loader, prefetch_factor=1) for loader in WORKERS[1:]], ids=name)
@pytest.mark.parametrize('loop', ['IterBasedTrainLoop', 'EagerIterBasedTrainLoop'])
def test_workers_of_iteration_based_loops_are_early_by_what_they_load_ahead(build, loop, loader):
    runner = build(iterations=12, loop=loop, **loader)
    runner.train()
    assert len(runner.model.batches) == 12
    assert_at_most_ahead(runner.model.batches, ahead=loader['num_workers'])


@HOOKS.register_module()
class NotePasses(Hook):
    """Notes, before each step, the pass over the data that the transform has been told."""

    def __init__(self) -> None:
        self.passes = []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        (augment,) = find_augments(runner.train_dataloader.dataset)
        self.passes.append(int(augment._progress[2]))


@pytest.mark.parametrize(
    ('changes', 'passes'),
    [
        (dict(iterations=6), [0] * 6),
        (dict(iterations=6, sampler=dict(type='DefaultSampler')), [0, 0, 1, 1, 2, 2]),
        (dict(epochs=3), [0, 0, 1, 1, 2, 2]),
    ],
    ids=['endless', 'iterations', 'epochs'],
)
def test_random_numbers_move_on_with_the_passes_over_the_data(build, changes, passes):
    """With iterations they would depend on how far ahead a worker happens to load."""
    runner = build(hooks=[HOOK, dict(type='NotePasses')], **changes)
    runner.train()
    (noted,) = [hook for hook in runner.hooks if isinstance(hook, NotePasses)]
    assert noted.passes == passes


@pytest.mark.slow
def test_spawned_workers_follow_the_iterations(build):
    loader = dict(num_workers=1, persistent_workers=True, prefetch_factor=1, multiprocessing_context='spawn')
    runner = build(iterations=12, **loader)
    runner.train()
    assert_at_most_ahead(runner.model.batches, ahead=1)


def test_iteration_i_is_made_with_its_snapshot_without_workers(build):
    runner = build(iterations=12)
    runner.train()
    assert_at_most_ahead(runner.model.batches, ahead=0)


def nested(**transform) -> dict:
    return dict(type='GreyImages', pipeline=[transform])


AUGMENT = [dict(type='DDASAugment')]
DATASETS_THAT_AUGMENT = dict(
    repeat=dict(type='RepeatDataset', times=1, dataset=GREY_IMAGES),
    concat=dict(type='ConcatDataset', datasets=[dict(GREY_IMAGES, indices=3), dict(GREY_IMAGES, indices=5)]),
    balanced=dict(type='ClassBalancedDataset', oversample_thr=0.5, dataset=GREY_IMAGES),
    mix_inner=dict(type='MultiImageMixDataset', dataset=GREY_IMAGES, pipeline=[dict(type='Stack')]),
    mix_outer=dict(
        type='MultiImageMixDataset',
        dataset=dict(type='GreyImages'),
        pipeline=[dict(type='Stack'), dict(type='DDASAugment')],
    ),
    repeated_concat_of_balanced=dict(
        type='RepeatDataset',
        times=2,
        dataset=dict(
            type='ConcatDataset',
            datasets=[
                dict(type='ClassBalancedDataset', oversample_thr=0.5, dataset=dict(GREY_IMAGES, indices=2))
                for _ in range(2)
            ],
        ),
    ),
    random_apply=nested(type='RandomApply', transforms=AUGMENT, prob=1.0),
    random_choice=nested(type='RandomChoice', transforms=[AUGMENT, AUGMENT]),
    broadcaster=nested(
        type='TransformBroadcaster', mapping=dict(img=['img', 'img']), auto_remap=True, transforms=AUGMENT
    ),
    choice_within_apply=nested(
        type='RandomApply', prob=1.0, transforms=[dict(type='RandomChoice', transforms=[AUGMENT, AUGMENT])]
    ),
)


@pytest.mark.parametrize('dataset', DATASETS_THAT_AUGMENT.values(), ids=DATASETS_THAT_AUGMENT)
def test_wrapped_datasets_and_nested_transforms_are_reached(build, dataset):
    runner = build(epochs=3, dataset=dataset, num_workers=1, persistent_workers=True)
    runner.train()
    assert greys_by_epoch(runner) == replayed(3)


def test_branches_of_semi_supervised_pipelines_are_reached():
    branches = dict(teacher=AUGMENT, student=[*AUGMENT, *AUGMENT])
    pipeline = [dict(type='MultiBranch', branch_field=list(branches), **branches)]
    assert len(find_augments(GreyImages(pipeline=pipeline))) == 3


def test_workers_of_a_copied_dataset_are_reached():
    """A runner copies the data set that is given to it as an object, which parts its shared memory."""
    dataset = copy.deepcopy(GreyImages(pipeline=with_policy(telling_schedule())['pipeline']))
    loader = DataLoader(dataset, num_workers=1, persistent_workers=True)
    for epoch in range(T):
        for augment in find_augments(dataset):
            augment.set_progress(epoch, T)
        assert {int(pixel) for sample in loader for pixel in sample['img'].unique()} == {GREYS[epoch]}
    loader._iterator = None


def test_static_takes_the_last_snapshot_throughout(build):
    runner = build(epochs=2, hooks=[dict(HOOK, static=True)], num_workers=1)
    runner.train()
    assert greys_by_epoch(runner) == [{GREYS[-1]}] * 2


def test_smoothing_averages_p_tp_over_neighbouring_snapshots(build):
    policy = telling_schedule((0.0, 1.0, 0.0, 1.0)).to_dict()
    runner = build(epochs=4, hooks=[dict(HOOK, policy=policy, smoothing=3)])
    runner.train()
    (augment,) = find_augments(runner.train_dataloader.dataset)
    assert [snapshot.total_prob for snapshot in augment.schedule.snapshots] == pytest.approx(
        [1 / 2, 1 / 3, 2 / 3, 1 / 2]
    )
    assert all(greys <= {100, GREYS[t]} for t, greys in enumerate(greys_by_epoch(runner)))


@pytest.mark.parametrize('smoothing', [0, 2, 1.5])
def test_windows_without_a_centre_are_refused(build, smoothing):
    with pytest.raises(ValueError, match='odd'):
        build(epochs=1, hooks=[dict(HOOK, smoothing=smoothing)]).train()


@pytest.fixture
def policy_file(tmp_path) -> str:
    telling_schedule().save(tmp_path / 'policy.json')
    return str(tmp_path / 'policy.json')


BARE_HOOK = dict(type='PolicyScheduleHook')
LISTED = dict(epochs=[dict(sub_policies=[[dict(op=op, level=level, prob=1.0)]]) for op, level in SPACE.candidates])
OTHER_POLICY = PolicySchedule(SPACE, telling_schedule().snapshots[::-1]).to_dict()


@pytest.mark.parametrize(
    'settings',
    [
        lambda path: dict(hooks=[dict(HOOK, policy=path)]),
        lambda path: dict(hooks=[BARE_HOOK], policy_file=path),
        lambda path: dict(hooks=[BARE_HOOK], dataset=with_policy(path)),
        lambda path: dict(hooks=[BARE_HOOK], dataset=with_policy(telling_schedule().to_dict())),
        lambda path: dict(hooks=[dict(HOOK, policy=LISTED)]),
        lambda path: dict(hooks=[dict(HOOK, policy=path)], policy_file=path),
    ],
    ids=['hook', 'config', 'transform', 'inline', 'listed', 'hook_and_config'],
)
def test_the_policy_is_taken_from_where_it_is_named(build, policy_file, settings):
    runner = build(epochs=4, num_workers=1, persistent_workers=True, **settings(policy_file))
    runner.train()
    assert greys_by_epoch(runner) == replayed(4)


@pytest.mark.parametrize(
    'settings',
    [
        dict(hooks=[dict(HOOK, policy='missing.json')]),
        dict(hooks=[BARE_HOOK], policy_file='missing.json'),
        dict(hooks=[BARE_HOOK], dataset=with_policy('missing.json')),
    ],
    ids=['hook', 'config', 'transform'],
)
def test_a_missing_policy_file_is_met_before_training(build, settings):
    runner = build(epochs=1, **settings)
    with pytest.raises(FileNotFoundError, match='missing.json'):
        runner.train()
    assert not runner.model.batches


def test_a_file_that_is_no_policy_is_met_before_training(build, tmp_path):
    (tmp_path / 'policy.json').write_text('{"num_ops": 2}')
    with pytest.raises(PolicyFileError, match="policy.json: content: expected the field 'candidates'"):
        build(epochs=1, hooks=[BARE_HOOK], policy_file=str(tmp_path / 'policy.json')).train()


def test_without_any_policy_it_says_how_to_name_one(build):
    with pytest.raises(ValueError, match='--cfg-options policy_file='):
        build(epochs=1, hooks=[BARE_HOOK]).train()


def test_the_hook_without_the_transform_is_refused(build):
    with pytest.raises(ValueError, match='no DDASAugment.*after LoadAnnotations'):
        build(epochs=1, dataset=dict(type='GreyImages')).train()


def test_the_transform_without_the_hook_warns_and_takes_the_last_snapshot(build):
    runner = build(epochs=2, hooks=[], dataset=with_policy(telling_schedule().to_dict()))
    with pytest.warns(UserWarning, match='Add .*PolicyScheduleHook'):
        runner.train()
    assert greys_by_epoch(runner) == [{GREYS[-1]}] * 2


@pytest.mark.parametrize('loader', [WORKERS[0], WORKERS[2]], ids=name)
def test_a_resumed_training_goes_on_with_the_epochs_snapshot(build, loader):
    with pytest.raises(InterruptedError):
        build(epochs=6, hooks=[HOOK, dict(type='StopAt', epoch=3)], **loader).train()
    runner = build(epochs=6, resume=True, **loader)
    runner.train()
    assert greys_by_epoch(runner) == replayed(6, first=3)


@pytest.mark.parametrize('loader', [WORKERS[0], dict(WORKERS[2], prefetch_factor=1)], ids=name)
@pytest.mark.parametrize('loop', ['IterBasedTrainLoop', 'EagerIterBasedTrainLoop'])
def test_a_resumed_training_goes_on_with_the_iterations_snapshot(build, loop, loader):
    with pytest.raises(InterruptedError):
        build(iterations=12, loop=loop, hooks=[HOOK, dict(type='StopAt', iteration=7)], **loader).train()
    runner = build(iterations=12, loop=loop, resume=True, **loader)
    runner.train()
    assert len(runner.model.batches) == 5
    assert_at_most_ahead(runner.model.batches, ahead=loader['num_workers'], first=7)


@pytest.mark.slow
def test_a_training_that_is_resumed_at_its_end_ends(build):
    """MMEngine loads its way through the images that were trained on."""
    loader = dict(num_workers=1, persistent_workers=True, sampler=dict(type='DefaultSampler', shuffle=True))
    build(iterations=6, **loader).train()
    runner = build(iterations=6, resume=True, **loader)
    runner.train()
    assert runner.iter == 6 and not runner.model.batches


SWITCH = dict(type='PipelineSwitchHook', switch_epoch=2, switch_pipeline=[dict(type='DDASAugment')])
PLAIN_IMAGES = dict(type='GreyImages', pipeline=[dict(type='RandomFlip', prob=0.0)])


@pytest.mark.parametrize('order', [1, -1], ids=['switch_first', 'schedule_first'])
@pytest.mark.parametrize('loader', WORKERS, ids=name)
def test_a_pipeline_that_is_switched_to_goes_on_with_the_schedule(build, loader, order):
    """MMDetection's recipes in two stages (RTMDet, ...), whichever hook the config lists first."""
    runner = build(epochs=6, hooks=[SWITCH, HOOK][::order], **loader)
    runner.train()
    assert greys_by_epoch(runner) == replayed(6)


@pytest.mark.parametrize('loader', WORKERS[:3], ids=name)
def test_a_policy_of_its_own_in_the_second_stage_is_smoothed_and_replayed_too(build, loader):
    own = [dict(type='DDASAugment', policy=telling_schedule().to_dict())]
    hooks = [dict(SWITCH, switch_pipeline=own), dict(type='PolicyScheduleHook', smoothing=3)]
    runner = build(
        epochs=6, hooks=hooks, dataset=with_policy(telling_schedule((1.0, 0.1, 0.1, 0.1)).to_dict()), **loader
    )
    runner.train()
    assert greys_by_epoch(runner)[2:] == replayed(6, first=2)
    (augment,) = find_augments(runner.train_dataloader.dataset)
    assert [snapshot.total_prob for snapshot in augment.schedule.snapshots] == pytest.approx([1.0] * T)


def test_the_transform_may_be_in_the_second_stage_alone(build):
    runner = build(epochs=6, hooks=[SWITCH, HOOK], dataset=PLAIN_IMAGES)
    runner.train()
    assert greys_by_epoch(runner) == [{100}, {100}, *replayed(6, first=2)]


def test_without_the_transform_in_any_stage_the_hook_is_refused(build):
    switch = dict(SWITCH, switch_pipeline=PLAIN_IMAGES['pipeline'])
    with pytest.raises(ValueError, match='finds no DDASAugment'):
        build(epochs=6, hooks=[switch, HOOK], dataset=PLAIN_IMAGES).train()


def test_a_second_training_does_not_smooth_again(build):
    hook = dict(HOOK, policy=telling_schedule((0.0, 0.9, 0.0, 0.9)).to_dict(), smoothing=3)
    runner = build(epochs=1, hooks=[hook])
    found = []
    for _ in range(2):
        runner.train()
        (augment,) = find_augments(runner.train_dataloader.dataset)
        found.append([snapshot.total_prob for snapshot in augment.schedule.snapshots])
    assert found[0] == found[1] == pytest.approx([0.45, 0.3, 0.6, 0.45])


@TRANSFORMS.register_module()
class BoxInTheMiddle(BaseTransform):
    def transform(self, results: dict) -> dict:
        results['gt_bboxes'] = np.array([[2, 2, 6, 6]], np.float32)
        return results


@TRANSFORMS.register_module()
class NeedsABox(BaseTransform):
    """As RandomCrop, which rejects an image without boxes."""

    def transform(self, results: dict) -> dict | None:
        return results if len(results.pop('gt_bboxes')) else None


def test_samples_that_lose_all_boxes_stay_clean_where_no_other_can_be_taken(build):
    """MultiImageMixDataset would end the run: 'always return None'."""
    away = dict(
        num_ops=1, candidates=[dict(op='TranslateX_BBox', level=10)], epochs=[dict(total_prob=1.0, op_probs=[1])]
    )
    images = dict(type='GreyImages', pipeline=[dict(type='BoxInTheMiddle')])
    pipeline = [dict(type='DDASAugment'), dict(type='NeedsABox')]
    dataset = dict(type='MultiImageMixDataset', dataset=images, pipeline=pipeline)
    runner = build(epochs=1, dataset=dataset, hooks=[dict(HOOK, policy=away)], num_workers=1)
    runner.train()
    assert greys_by_epoch(runner) == [{100}]


@pytest.mark.parametrize(
    ('dataset', 'settings', 'message'),
    [
        (
            with_policy(OTHER_POLICY),
            dict(hooks=[BARE_HOOK], policy_file='other.json'),
            "follow 'other.json', and every",
        ),
        (GREY_IMAGES, dict(policy_file='other.json'), "policy_file is 'other.json', and PolicyScheduleHook has"),
        (with_policy(OTHER_POLICY), dict(), 'every DDASAugment in its pipeline has a policy of its own'),
    ],
)
def test_a_policy_that_nothing_would_follow_is_refused(build, dataset, settings, message):
    """``--cfg-options policy_file=other.json`` would be passed over without a word."""
    with pytest.raises(ValueError, match=message):
        build(epochs=1, dataset=dataset, **settings).train()


def test_one_data_set_may_have_a_policy_of_its_own(build):
    both = dict(type='ConcatDataset', datasets=[GREY_IMAGES, with_policy(OTHER_POLICY)])
    build(epochs=1, dataset=both).train()
