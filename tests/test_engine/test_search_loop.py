"""A search of a few steps with a real detector: the method's step, its invariances, its files."""

import functools
import json
import os
import random
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from make_shapes import SHAPES
from mmengine.hooks import Hook
from mmengine.registry import DATASETS
from mmengine.runner import Runner, checkpoint
from searches import final_policy

from mmddas.core import ESTIMATORS, PaperEstimator, PolicySchedule, ViewGradients
from mmddas.engine import SearchStep
from mmddas.engine.checkpoints import WholeFilesBackend, latest_checkpoint
from mmddas.engine.checks import fingerprint
from mmddas.viz import policy_figure


def build(config):
    return Runner.from_cfg(config)


@pytest.fixture(scope='module')
def searched(make_search_config, draw_policy):
    """The runner of a search of two epochs that is over, with its figure."""
    runner = build(make_search_config())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy_figure, 'draw_policy', draw_policy)
        runner.train()
    return runner


def test_search_writes_policy_figure_and_checkpoint(searched):
    config, work_dir = searched.cfg, Path(searched.work_dir)
    schedule = PolicySchedule.load(work_dir / 'policy.json')
    assert len(schedule) == config.train_cfg.max_epochs
    assert schedule.meta['seed'] == config.randomness.seed
    assert (work_dir / 'policy.png').read_bytes().startswith(b'\x89PNG')
    assert (work_dir / 'epoch_2.pth').exists()
    assert not list(work_dir.glob('.*')), 'temporary files were left'
    scalars = [json.loads(line) for path in work_dir.glob('*/vis_data/scalars.json') for line in path.open()]
    names = {'loss_clean', 'loss_augmented', 'loss_val', 'total_prob', 'op_entropy', 'time', 'data_time', 'memory'}
    assert names <= set(scalars[0])
    assert [line['iter'] for line in scalars] == list(range(1, 7))


@pytest.mark.slow
def test_another_seed_gives_another_search(search_config):
    changes = [{'randomness.seed': seed, 'train_cfg.max_epochs': 1} for seed in (0, 1)]
    configs = [search_config(change, name=f'seed{seed}') for seed, change in enumerate(changes)]
    for config in configs:
        build(config).train()
    assert final_policy(configs[0])['epochs'] != final_policy(configs[1])['epochs']


def test_the_evidence_of_a_search_is_in_its_file(searched):
    runner = searched
    findings = PolicySchedule.load(f'{runner.work_dir}/policy.json').findings
    assert findings.steps == runner.iter
    space = runner.train_loop.policy.space
    drawn = findings.steps * runner.train_loop.num_sub_policies * space.num_ops
    assert findings.candidate_effects.draws.sum() == findings.operation_effects.draws.sum() == drawn
    assert runner.train_loop.estimator.evidence.findings().to_dict() == findings.to_dict()


@pytest.mark.slow
def test_a_search_with_the_recommended_estimator_resumes_to_the_bit(search_config):
    chosen = {'train_cfg.estimator': dict(type='ShrinkageEstimator', decay=0.9), 'train_cfg.policy_optim': None}
    whole = search_config(chosen, name='whole')
    build(whole).train()
    runner = build(search_config(chosen, name='stopped'))
    runner.register_hook(SignalHook(3))
    with pytest.raises(SystemExit):
        runner.train()
    build(search_config({'resume': True, **chosen}, name='stopped')).train()
    assert final_policy(runner.cfg) == final_policy(whole)
    assert not Path(whole.work_dir, 'policy.json').read_text().count('NaN')


def test_an_estimator_without_optimizers_takes_none(search_config):
    config = search_config({'train_cfg.estimator': dict(type='ShrinkageEstimator')})
    config.train_cfg.policy_optim = dict(op=dict(lr=0.02))
    with pytest.raises(ValueError, match='ShrinkageEstimator takes no policy_optim: leave it out'):
        build(config).train()


@pytest.mark.slow  # one with another estimator, and one that is killed, are in the fast tests
def test_a_resumed_search_ends_as_an_uninterrupted_one(search_config):
    whole = search_config({'train_cfg.max_epochs': 3}, name='whole')
    build(whole).train()
    halved = search_config({'train_cfg.max_epochs': 3}, name='halved')
    runner = build(halved)
    stop_after_epoch(runner, 2)
    resumed = search_config({'train_cfg.max_epochs': 3, 'resume': True}, name='halved')
    build(resumed).train()
    assert final_policy(whole) == final_policy(resumed)


def stop_after_epoch(runner, epoch):
    """Train, and raise when ``epoch`` has been saved, as if the process were killed there."""

    original = runner.call_hook

    def call_hook(name, **kwargs):
        if name == 'before_train_epoch' and runner.epoch == epoch:
            raise InterruptedError
        original(name, **kwargs)

    runner.call_hook = call_hook
    with pytest.raises(InterruptedError):
        runner.train()


class SignalHook(Hook):
    """Sends this process a signal in an iteration, as a user or a cluster would."""

    def __init__(self, iteration, number=signal.SIGTERM):
        self.iteration = iteration
        self.number = number

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize(
    ('iteration', 'number'),
    [
        pytest.param(1, signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(2, signal.SIGINT, marks=pytest.mark.slow),
        (4, signal.SIGTERM),
    ],
)
def test_a_search_told_to_stop_goes_on_from_the_very_iteration(request, search_config, iteration, number):
    """In the middle of an epoch, and at its last step, with data workers and the estimator that is recommended."""
    before = signal.signal(number, signal.default_int_handler)  # Ctrl-C may be ignored where tests run
    request.addfinalizer(lambda: signal.signal(number, before))
    estimator = {'train_cfg.estimator': dict(type='ShrinkageEstimator'), 'train_cfg.policy_optim': None}
    options = {'train_dataloader.num_workers': 1, **estimator}
    whole = search_config(options, name='whole')
    build(whole).train()
    runner = build(search_config(options, name='stopped'))
    runner.register_hook(SignalHook(iteration, number))
    with pytest.raises(SystemExit) as stopped:
        runner.train()
    assert stopped.value.code == 128 + number
    assert signal.getsignal(number) is signal.default_int_handler
    assert runner.iter == iteration + 1
    resumed = build(search_config({'resume': True, **options}, name='stopped'))
    resumed.train()
    assert resumed.iter == 6
    assert final_policy(resumed.cfg) == final_policy(whole)


@pytest.mark.slow
def test_a_search_can_be_resumed_from_checkpoints_of_iterations(search_config):
    whole = search_config()
    whole.default_hooks.checkpoint.update(by_epoch=False, interval=2, max_keep_ckpts=-1)
    build(whole).train()
    expected = final_policy(whole)
    for iteration in (2, 4):
        again = search_config({'resume': True, 'load_from': f'{whole.work_dir}/iter_{iteration}.pth'}, name='again')
        build(again).train()
        assert final_policy(again) == expected


def shorter_passes(config):
    """MMDetection's sampler, which drops what is left of each orientation, yet counts it."""
    path = Path(config.train_dataloader.dataset.data_root) / config.train_dataloader.dataset.ann_file
    content = json.loads(path.read_text())
    for number, image in enumerate(content['images']):
        image['width'] -= number % 2
    copied = Path(config.work_dir).parent / 'annotations.json'
    copied.write_text(json.dumps(content))
    config.train_dataloader.dataset.ann_file = str(copied)
    config.train_dataloader.batch_sampler = dict(type='AspectRatioBatchSampler', drop_last=True)
    return config


def endless_s_val(config):
    config.train_cfg.policy_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
    return config


@pytest.mark.slow
@pytest.mark.parametrize('change', [shorter_passes, endless_s_val])
def test_passes_of_another_length_than_they_say_are_resumed_in_the_right_place(search_config, change):
    whole = change(search_config({'train_cfg.max_epochs': 3}, name='whole'))
    runner = build(whole)
    runner.train()
    assert runner.iter == (6 if change is shorter_passes else 9)
    runner = build(change(search_config({'train_cfg.max_epochs': 3}, name='stopped')))
    runner.register_hook(SignalHook(4))
    with pytest.raises(SystemExit):
        runner.train()
    resumed = change(search_config({'train_cfg.max_epochs': 3, 'resume': True}, name='stopped'))
    build(resumed).train()
    assert final_policy(resumed) == final_policy(whole)


@pytest.mark.slow
def test_networks_that_draw_random_numbers_resume_exactly(search_config, monkeypatch):
    """On whatever generator: PyTorch's, NumPy's, Python's."""
    whole = search_config(name='whole')
    stopped, resumed = (search_config({'resume': go_on}, name='stopped') for go_on in (False, True))
    loss = SearchStep.loss

    def noisy(self, batch):
        return loss(self, batch) * (1 + torch.rand(()) + np.random.rand() + random.random())

    monkeypatch.setattr(SearchStep, 'loss', noisy)
    build(whole).train()
    runner = build(stopped)
    runner.register_hook(SignalHook(3))
    with pytest.raises(SystemExit):
        runner.train()
    torch.manual_seed(7), np.random.seed(7), random.seed(7)
    build(resumed).train()
    assert final_policy(resumed) == final_policy(whole)


def test_checkpoints_of_a_search_hold_data_only(searched):
    # What MMEngine's own log needs beside weights; the original MMEngine has mmddas.compat see to it.
    logged = getattr(checkpoint, 'get_torch_safe_globals', list)()
    with torch.serialization.safe_globals(logged):
        state = torch.load(Path(searched.work_dir, 'epoch_2.pth'), weights_only=True)['ddas']
    assert {'policy', 'estimator', 'schedule', 'identity'} <= set(state)


def test_the_last_checkpoint_stays_until_the_next_is_written(search_config, monkeypatch):
    config = search_config({'default_hooks.checkpoint.max_keep_ckpts': 1, 'train_dataloader.dataset.indices': 4})
    put = WholeFilesBackend.put

    def killed(self, obj, filepath):
        if Path(filepath).name == 'epoch_2.pth':
            raise InterruptedError
        put(self, obj, filepath)

    monkeypatch.setattr(WholeFilesBackend, 'put', killed)
    with pytest.raises(InterruptedError):
        build(config).train()
    assert latest_checkpoint(config.work_dir).name == 'epoch_1.pth'
    assert not list(Path(config.work_dir).glob('.*'))


def test_a_search_keeps_the_policy_that_an_earlier_one_has_left(searched, search_config):
    """Its checkpoints may have been removed, for their size; a search that is run again writes the same file."""
    config = search_config(name='again')
    shutil.copytree(searched.work_dir, config.work_dir, ignore=shutil.ignore_patterns('*.pth'))
    build(config).train()
    kept, written = (json.loads(Path(config.work_dir, name).read_text()) for name in ('policy_1.json', 'policy.json'))
    names = [kept['meta'].pop('config'), written['meta'].pop('config')]
    assert names == [searched.cfg.experiment_name, config.experiment_name]
    assert kept == written


def test_a_copied_work_dir_goes_on_from_its_own_checkpoint(tmp_path):
    for name in ('original', 'copy'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'stopped.pth').touch()
        (tmp_path / name / 'last_checkpoint').write_text(str(tmp_path / 'original' / 'stopped.pth'))
    assert latest_checkpoint(tmp_path / 'copy') == tmp_path / 'copy' / 'stopped.pth'
    (tmp_path / 'copy' / 'stopped.pth').unlink()
    assert latest_checkpoint(tmp_path / 'copy') == tmp_path / 'original' / 'stopped.pth'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(num_ops=3), 'num_ops: 2 in the checkpoint, 3 in this search'),
        (dict(num_sub_policies=2), 'num_sub_policies: 3 in the checkpoint, 2 in this search'),
        (dict(search_space=['Equalize', 'Invert']), 'search space: 21 of them.*2 of them, Invert among them'),
        (dict(max_epochs=1), 'holds 2 epochs.*max_epochs=1: resume with at least as many'),
        ({'policy_dataloader.dataset.indices': 5}, 'S_val: 8 samples.*in the checkpoint, 5 samples'),
        ({'policy_dataloader.batch_size': 2}, 'batches of S_val: 2 of 4 in the checkpoint, 4 of 2'),
        ({'sub_policies_per_rank': True}, 'sub-policies are drawn by'),
        ({'normalize': False}, 'normalize: True in the checkpoint, False in this search'),
        ({'policy_optim.total': None}, 'p_tp is: learned in the checkpoint, fixed in this search'),
    ],
    ids=lambda value: '' if isinstance(value, str) else '-'.join(value),
)
def test_a_checkpoint_of_another_search_is_refused(search_config, searched, change, message):
    options = {f'train_cfg.{key}': value for key, value in change.items()}
    load_from = f'{searched.work_dir}/epoch_2.pth'
    changed = search_config({'resume': True, 'load_from': load_from, **options}, name='changed')
    with pytest.raises(ValueError, match=message):
        build(changed).train()


@pytest.mark.parametrize('values', [[('config optim_wrapper.optimizer.lr', '0.1', '0.2')], [('seed', 0, 1)], []])
def test_processes_that_disagree_are_told_so(monkeypatch, values):
    first = {'seed': 0, 'S_train': '12 samples, aa', 'config optim_wrapper.optimizer.lr': '0.1'}
    second = first | {key: other for key, _, other in values}
    monkeypatch.setattr(fingerprint, 'get_world_size', lambda: 2)
    monkeypatch.setattr(fingerprint, 'all_gather_object', lambda identity: [first, second])
    if not values:
        return fingerprint.check_processes_agree(first)
    ((key, here, there),) = values
    with pytest.raises(RuntimeError, match=f'{key}: {here} on rank 0, {there} on rank 1'):
        fingerprint.check_processes_agree(first)
    return None


def test_settings_that_are_no_text_are_the_same_in_all_processes():
    """Python's own text of them has places in memory, or an order that another process does not have."""

    def found(base):
        settings = dict(collate=len, steps=(min, dict(key=functools.partial(int, base=base))), names={'a', 'b', 'c'})
        return fingerprint.config_fingerprint(settings)

    assert found(2) == found(2) != found(3)
    assert found(2)['config collate'] == 'builtins.len' and found(2)['config names'] == "['a', 'b', 'c']"
    assert not any(' at 0x' in text for text in found(2).values())


def test_the_place_of_data_does_not_enter_their_fingerprint(search_config, tmp_path):
    config = search_config()
    folder = Path(config.train_dataloader.dataset.data_root)
    shutil.copytree(folder, tmp_path / 'copy')
    prints = []
    for root in (folder, tmp_path / 'copy'):
        config.train_dataloader.dataset.data_root = f'{root}/'
        prints.append(fingerprint.dataset_fingerprint(DATASETS.build(config.train_dataloader.dataset)))
    assert prints[0] == prints[1] and prints[0].startswith('12 samples')
    annotations = tmp_path / 'copy' / config.train_dataloader.dataset.ann_file
    content = json.loads(annotations.read_text())
    content['annotations'][0]['bbox'][2] += 1
    annotations.write_text(json.dumps(content))
    assert fingerprint.dataset_fingerprint(DATASETS.build(config.train_dataloader.dataset)) != prints[0]


def test_too_many_steps_in_a_row_without_an_update_end_the_search(search_config, monkeypatch):
    """Of six steps the third finds something; the count goes on over the end of an epoch."""
    factors, loss = [float('nan')] * 2 + [1.0] + [float('nan')] * 3, SearchStep.loss
    config = search_config({'train_cfg.max_skipped_in_a_row': 3})
    runner = build(config)
    monkeypatch.setattr(SearchStep, 'loss', lambda self, batch: loss(self, batch) * factors[runner.iter])
    with pytest.raises(FloatingPointError, match='3 steps in a row, the last one of iteration 6.*learning rate'):
        runner.train()
    assert runner.message_hub.get_scalar('train/skipped_updates').data[0].tolist() == [1, 2, 2, 3, 4]


class MemoryEstimator(PaperEstimator):
    """Compares views along the mean of S_val's gradients over the steps so far."""

    mean = None

    def direction(self, gradients):
        g_val = gradients.g_val
        self.mean = g_val.clone() if self.mean is None else self.mean.lerp(g_val, 0.1)
        return self.mean

    def state_dict(self):
        return super().state_dict() | dict(mean=self.mean)

    def load_state_dict(self, state):
        super().load_state_dict(state)
        self.mean = state['mean']

    def scalars(self):
        return super().scalars() | dict(mean_norm=self.mean.norm())


@pytest.mark.slow
def test_an_estimator_is_chosen_by_name_and_its_memory_resumed_to_the_bit(search_config, monkeypatch):
    monkeypatch.setitem(ESTIMATORS, 'MemoryEstimator', MemoryEstimator)
    chosen = {'train_cfg.estimator': dict(type='MemoryEstimator')}
    whole, paper = search_config(chosen, name='whole'), search_config(name='paper')
    build(whole).train()
    build(paper).train()
    runner = build(search_config(chosen, name='stopped'))
    runner.register_hook(SignalHook(3))
    with pytest.raises(SystemExit):
        runner.train()
    resumed = build(search_config({'resume': True, **chosen}, name='stopped'))
    resumed.train()
    assert final_policy(resumed.cfg) == final_policy(whole) != final_policy(paper)
    assert resumed.message_hub.get_scalar('train/mean_norm').current() > 0
    changed = search_config({'resume': True, 'load_from': f'{whole.work_dir}/epoch_2.pth'}, name='changed')
    with pytest.raises(ValueError, match='estimator: MemoryEstimator in the checkpoint, PaperEstimator in this'):
        build(changed).train()


class FreezeHook(Hook):
    """Freezes the backbone from one iteration on, and thaws it at another, as fine-tuning recipes do."""

    def __init__(self, freeze, thaw):
        self.freeze, self.thaw = freeze, thaw

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter in (self.freeze, self.thaw):
            runner.model.backbone.requires_grad_(runner.iter == self.thaw)


@pytest.mark.slow
def test_layers_may_be_frozen_and_thawed_in_a_search(search_config):
    """Frozen ones stay where they are, thawed ones move; a search that is interrupted meanwhile ends the same."""

    class Watch(Hook):
        def __init__(self):
            self.weights = []

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            self.weights.append(runner.model.backbone.conv1.weight.detach().clone())

    def runner_of(name, **changes):
        runner = build(search_config({'train_cfg.max_epochs': 2, **changes}, name=name))
        runner.register_hook(FreezeHook(freeze=1, thaw=4))
        return runner

    whole, watch = runner_of('whole'), Watch()
    whole.register_hook(watch)
    whole.train()
    moved = [not torch.equal(a, b) for a, b in zip(watch.weights, watch.weights[1:], strict=False)]
    assert moved == [False, False, False, True, True]
    stopped = runner_of('stopped')
    stopped.register_hook(SignalHook(4))
    with pytest.raises(SystemExit):
        stopped.train()
    resumed = runner_of('stopped', resume=True)
    resumed.train()
    assert final_policy(resumed.cfg) == final_policy(whole.cfg)


@pytest.mark.slow
def test_what_a_preprocessor_remembers_is_resumed(search_config):
    """BatchSyncRandomResize, which draws a size at every second iteration."""
    resize = dict(type='BatchSyncRandomResize', random_size_range=(64, 160), interval=2, size_divisor=32)
    options = {'model.data_preprocessor.batch_augments': [resize]}
    whole = search_config(options, name='whole')
    build(whole).train()
    runner = build(search_config(options, name='stopped'))
    runner.register_hook(SignalHook(3))
    with pytest.raises(SystemExit):
        runner.train()
    resumed = build(search_config({'resume': True, **options}, name='stopped'))
    resumed.train()
    assert final_policy(resumed.cfg) == final_policy(whole)
    assert resumed.model.data_preprocessor.batch_augments[0]._input_size != (64, 64)


@pytest.mark.slow
def test_settings_of_the_estimator_may_stand_beside_it(search_config):
    beside = search_config({'train_cfg.normalize': False, 'train_cfg.scale_by_lr': True}, name='beside')
    within = dict(type='PaperEstimator', normalize=False, scale_by_lr=True)
    within = search_config({'train_cfg.estimator': within}, name='within')
    for config in (beside, within):
        build(config).train()
    assert final_policy(beside) == final_policy(within)


class EvaluationHook(Hook):
    def __init__(self):
        self.count = 0

    def before_val_epoch(self, runner):
        self.count += 1


@pytest.mark.parametrize(('interval', 'evaluations'), [(None, 0), (1, 1)])
def test_a_search_evaluates_only_where_it_is_asked_to(search_config, shapes, interval, evaluations):
    """The test data need not even be there."""
    config = search_config({'train_cfg.max_epochs': 1, 'train_cfg.val_interval': interval})
    if interval is not None:
        config.val_dataloader.update(num_workers=0, persistent_workers=False)
        config.val_dataloader.dataset.data_root = f'{shapes}/'
        config.val_evaluator.ann_file = f'{shapes}/annotations/test.json'
    runner, hook = build(config), EvaluationHook()
    runner.register_hook(hook)
    runner.train()
    assert hook.count == evaluations


def test_p_tp_stays_fixed_without_an_optimizer(search_config):
    config = search_config({'train_cfg.max_epochs': 1})
    config.train_cfg.policy_optim.total = None
    build(config).train()
    assert final_policy(config)['epochs'][0]['total_prob'] == pytest.approx(0.35)


@pytest.mark.parametrize('indices', [3, 8])
def test_s_val_may_be_shorter_or_longer_than_s_train(search_config, indices):
    config = search_config()
    config.train_cfg.policy_dataloader.dataset.indices = indices
    config.train_dataloader.dataset.indices = 5
    build(config).train()
    assert len(final_policy(config)['epochs']) == 2


def test_views_share_the_sample_and_differ_in_the_operations(search_config):
    """With one candidate that inverts, every augmented view is the negative of an unflipped or flipped clean one."""
    config = search_config()
    config.train_cfg.update(search_space=[('Solarize', 0)], num_ops=1, num_sub_policies=2)
    runner = build(config)
    batch = next(iter(runner.build_train_loop(runner._train_loop).dataloader))['data']
    clean, *augmented = batch['views']
    for view in augmented:
        for image, negative in zip(clean['inputs'], view['inputs'], strict=True):
            assert any(torch.equal(255 - image, turned) for turned in (negative, negative.flip(-1)))
    assert batch['sub_policies'].shape == (2, 1)


def wrapped(config, wrapper):
    loader = config.train_dataloader
    loader.dataset = wrapper(loader.dataset)
    return config


@pytest.mark.parametrize(
    'wrapper',
    [
        lambda dataset: dict(type='RepeatDataset', times=2, dataset=dataset),
        lambda dataset: dict(type='ConcatDataset', datasets=[dataset, dataset]),
        lambda dataset: dict(type='ClassBalancedDataset', oversample_thr=0.5, dataset=dataset),
        lambda dataset: dict(
            type='MultiImageMixDataset',
            dataset=dict(dataset, pipeline=dataset.pipeline[:2]),
            pipeline=[dict(type='Mosaic', img_scale=(32, 32)), *dataset.pipeline[2:]],
        ),
    ],
    ids=['repeat', 'concat', 'balanced', 'mosaic'],
)
def test_dataset_wrappers_can_be_searched(search_config, wrapper):
    config = wrapped(search_config({'train_cfg.max_epochs': 1, 'train_dataloader.dataset.indices': 4}), wrapper)
    build(config).train()
    assert len(final_policy(config)['epochs']) == 1


def test_samples_that_lose_all_boxes_are_searched_with(search_config):
    """FilterAnnotations rejects them: their view counts as a clean one."""
    config = search_config({'train_cfg.max_epochs': 1})
    config.train_dataloader.dataset.pipeline.insert(-1, dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1)))
    config.train_cfg.search_space = [('TranslateX_BBox', 8), ('Identity', None)]
    build(config).train()
    assert len(final_policy(config)['epochs']) == 1


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda c: c.train_cfg.pop('policy_dataloader'), 'needs S_val'),
        (lambda c: c.train_cfg.update(search_space='detecton'), 'presets'),
        (lambda c: c.train_cfg.update(search_space=[('Spin', 1)]), 'Unknown operation'),
        (lambda c: c.train_cfg.update(search_space=['Equalize', 'Equalize']), 'more than once'),
        (lambda c: c.train_cfg.update(num_sub_policies=0), 'num_sub_policies'),
        (lambda c: c.train_cfg.update(num_ops=0), 'num_ops'),
        (lambda c: c.train_cfg.update(init_total_prob=1.0), 'init_total_prob'),
        (lambda c: c.train_cfg.policy_optim.update(alpha=None), "'op' and 'total'"),
        (lambda c: c.train_cfg.update(estimator='PaperEstimator'), 'estimator must be dict'),
        (lambda c: c.train_cfg.update(estimator=dict(type='Paper')), "known are .*'PaperEstimator'"),
        (lambda c: c.train_cfg.update(estimator=dict(type='PaperEstimator', decay=1)), "no setting 'decay'"),
        (lambda c: c.train_dataloader.dataset.pipeline.pop(2), 'no DDASAugment'),
        (
            lambda c: c.train_cfg.policy_dataloader.dataset.pipeline.insert(2, dict(type='DDASAugment')),
            'never augmented',
        ),
        (lambda c: c.optim_wrapper.update(accumulative_counts=2), 'accumulate'),
        (lambda c: c.train_cfg.update(max_broken_share='0.1'), 'max_broken_share'),
        (lambda c: c.train_cfg.update(init_total_prob=None), 'init_total_prob'),
        (lambda c: c.train_cfg.update(search_space=5), "preset's name or a list"),
        (lambda c: c.train_cfg.update(search_space=[('Solarize', 1, 2)]), 'a name or a pair'),
        (lambda c: c.train_cfg.update(search_space=[None]), 'a name or a pair'),
        (lambda c: c.train_cfg.update(normalize='False'), 'normalize must be True or False'),
        (lambda c: c.train_cfg.update(max_epochs=0), 'max_epochs'),
        (lambda c: c.train_cfg.policy_optim.update(op='Adam'), 'dict\\(type=...\\)'),
        (lambda c: c.train_cfg.policy_optim.update(op=None), 'dict\\(type=...\\)'),
        (
            lambda c: c.train_dataloader.update(sampler=dict(type='InfiniteSampler')),
            'which has no end',
        ),
        (lambda c: c.train_dataloader.update(batch_size=50, drop_last=True), 'S_train gives no batches'),
        (lambda c: c.train_cfg.policy_dataloader.update(batch_size=50, drop_last=True), 'S_val gives no batches'),
    ],
)
def test_wrong_configs_are_refused_before_the_first_step(search_config, change, message):
    config = search_config()
    change(config)
    with pytest.raises(ValueError, match=message):
        build(config).train()


def test_adaptive_network_optimizers_are_warned_of(search_config, caplog):
    config = search_config({'train_cfg.max_epochs': 1})
    config.optim_wrapper.optimizer = dict(type='Adam', lr=1e-4)
    build(config).train()
    log = next(Path(config.work_dir).glob('*/*.log')).read_text()
    assert 'exact only for SGD' in log


@pytest.mark.parametrize(('cosine', 'warned'), [(-0.2, True), (-0.01, False)])
def test_overshooting_steps_are_warned_of(search_config, monkeypatch, cosine, warned):
    monkeypatch.setattr(ViewGradients, 'grad_cosine', lambda self: torch.tensor(cosine))
    config = search_config({'train_cfg.max_epochs': 1})
    runner = build(config)
    runner.train()
    assert runner.message_hub.get_scalar('train/grad_cosine').data[0].tolist() == pytest.approx([cosine] * runner.iter)
    log = next(Path(config.work_dir).glob('*/*.log')).read_text()
    assert ('steps overshoot' in log and 'mean cosine -0.20' in log) == warned


def test_classes_of_the_configs_are_those_that_are_drawn(search_config):
    assert tuple(search_config().metainfo.classes) == tuple(SHAPES)
