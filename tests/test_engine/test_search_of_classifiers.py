"""MMPretrain's classifiers and data, searched with on the same core."""

import copy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import DATASETS, init_default_scope
from mmengine.runner import Runner
from torch.utils._python_dispatch import TorchDispatchMode

from mmddas.core import AugmentationPolicy, PolicySchedule, SearchSpace, ViewGradients
from mmddas.datasets import DDASAugment, SearchDataset
from mmddas.datasets.search import SampleKey
from mmddas.engine import ChannelsLastHook, SearchStep

mmpretrain = pytest.importorskip('mmpretrain')
CONFIGS = Path(__file__).parents[2] / 'configs' / 'ddas_cls'
LOAD = dict(type='LoadImageFromFile')
PACK = dict(type='PackInputs')


@pytest.fixture(autouse=True)
def mmpretrain_scope(one_thread_and_mmdet_scope):
    init_default_scope('mmpretrain')


@pytest.fixture(scope='module')
def folders(tmp_path_factory) -> Path:
    """Two classes of 8 images of 40x48, the first one brighter; and as many others for S_val, in ``..._val``."""
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp('folders') / 'data'
    for folder in (root, Path(f'{root}_val')):
        for label, name in enumerate(('bright', 'dark')):
            (folder / name).mkdir(parents=True)
            for i in range(8):
                image = rng.integers(0, 128, (40, 48, 3), dtype=np.uint8) + np.uint8(100 * (1 - label))
                cv2.imwrite(str(folder / name / f'{i}.png'), image)
    return root


def views(folders: Path, before: list, after: list, candidates: list) -> list[np.ndarray]:
    """The four views of one sample, L^ = 3, as arrays ``(H, W, 3)``."""
    pipeline = [LOAD, *before, dict(type='DDASAugment'), *after, PACK]
    dataset = DATASETS.build(dict(type='CustomDataset', data_root=str(folders), pipeline=pipeline))
    usable = SearchDataset(dataset, SearchSpace(candidates, num_ops=1), 3, seed=0)[SampleKey(3, 0, 0)]
    return [view['inputs'].permute(1, 2, 0).numpy() for view in usable.sample.views]


def test_what_is_before_the_operations_is_shared_by_the_views(folders):
    crop = dict(type='RandomResizedCrop', scale=24)
    clean, *augmented = views(folders, [crop], [], ['Identity'])
    assert clean.shape == (24, 24, 3)
    assert all(np.array_equal(clean, view) for view in augmented)
    clean, *augmented = views(folders, [crop], [], ['Invert'])
    assert all(np.array_equal(255 - clean, view) for view in augmented)


@pytest.mark.parametrize(
    'after',
    [
        dict(type='RandomCrop', crop_size=32, padding=4),
        dict(type='Cutout', shape=16, pad_val=(114, 123, 125), prob=1.0),
        dict(type='RandomResizedCrop', scale=24),
    ],
    ids=lambda step: step['type'],
)
def test_what_is_after_the_operations_is_drawn_for_each_view(folders, after):
    drawn = views(folders, [], [after], ['Identity'])
    assert all(not np.array_equal(first, second) for first, second in zip(drawn, drawn[1:], strict=False))


def search_config(folders: Path, work_dir: Path, **changes) -> Config:
    config = Config.fromfile(CONFIGS / 'wrn40x2_cifar10_rotated.py')
    config.model.backbone.update(depth=10, width=1)
    config.model.head.update(num_classes=2, in_channels=64)
    data = dict(type='CustomDataset', data_root=str(folders))
    crop = dict(type='RandomCrop', crop_size=32)
    config.train_dataloader.update(batch_size=4, num_workers=0, persistent_workers=False)
    # S_train is all of it, S_val as much of another folder.
    config.train_dataloader.dataset = data | dict(pipeline=[LOAD, dict(type='DDASAugment'), crop, PACK])
    config.train_cfg.policy_dataloader.update(batch_size=8, num_workers=0, persistent_workers=False)
    config.train_cfg.policy_dataloader.dataset = data | dict(pipeline=[LOAD, crop, PACK], data_root=f'{folders}_val')
    config.train_cfg.max_epochs = 2
    config.default_hooks.logger.interval = 1
    config.log_level = 'ERROR'
    config.work_dir = str(work_dir)
    config.experiment_name = config.visualizer.name = f'{work_dir.parent.name}_{work_dir.name}'
    config.merge_from_dict(changes)
    return config


def test_a_classifier_can_be_searched_with(folders, tmp_path):
    runner = Runner.from_cfg(search_config(folders, tmp_path / 'work'))
    runner.train()
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    assert len(losses) == 8 and np.isfinite(losses).all()
    assert runner.message_hub.get_scalar('train/skipped_updates').data[0][-1] == 0
    probs = runner.train_loop.policy.op_probs
    assert probs.max() > probs.min()
    assert runner.train_loop.policy.total_prob != 0.35


class ScalarReads(TorchDispatchMode):
    """Counts the numbers that the host reads from tensors: on a GPU it waits for each."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(('fused', 'reads'), [(True, 0), (False, 1)])
def test_the_host_reads_nothing_between_the_passes_but_whether_to_step(folders, tmp_path, fused, reads):
    changes = {'optim_wrapper.optimizer.fused': fused, 'train_cfg.max_epochs': 1}
    runner = Runner.from_cfg(search_config(folders, tmp_path / 'work', **changes))
    found = []
    step, alignments = SearchStep.__call__, ViewGradients.alignments
    with pytest.MonkeyPatch.context() as patch, ScalarReads() as counter:

        def counted_step(*args):
            counter.count = 0
            return step(*args)

        def counted_alignments(*args):
            found.append(counter.count)
            return alignments(*args)

        patch.setattr(SearchStep, '__call__', counted_step)
        patch.setattr(ViewGradients, 'alignments', counted_alignments)
        runner.train()
    assert found == [reads] * 4


@pytest.mark.slow
def test_a_compiled_network_finds_the_same_policy(folders, tmp_path):
    policies, statistics = [], []
    for name, compiled in (('eager', False), ('compiled', dict(backend='aot_eager'))):
        config = search_config(folders, tmp_path / name, **{'train_cfg.max_epochs': 1, 'compile': compiled})
        config.custom_hooks = []
        runner = Runner.from_cfg(config)
        runner.train()
        policies.append(runner.train_loop.policy.state_dict())
        statistics.append(torch.cat([value for name, value in runner.model.named_buffers() if 'running' in name]))
        parts = (runner.model.backbone, runner.model.neck, runner.model.head)
        assert [part._compiled_call_impl is not None for part in parts] == [bool(compiled)] * 3
    torch.testing.assert_close(*policies, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(*statistics, rtol=1e-3, atol=1e-5)


def test_a_fixed_total_prob_stays_while_operations_are_learned(folders, tmp_path):
    changes = {'train_cfg.policy_optim.total': None, 'train_cfg.init_total_prob': 0.6}
    runner = Runner.from_cfg(search_config(folders, tmp_path / 'work', **changes))
    runner.train()
    assert [snapshot.total_prob for snapshot in runner.train_loop.schedule.snapshots] == [pytest.approx(0.6)] * 2
    assert runner.train_loop.policy.op_logits.any()


def test_channel_order_changes_nothing_but_the_order():
    image = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    sub_policy = SearchSpace([('Color', 2), ('CutoutAbs', 4), ('Contrast', 9)]).candidates
    results = {
        order: DDASAugment(channel_order=order).augment(dict(img=given), sub_policy, np.random.default_rng(1))['img']
        for order, given in (('bgr', image), ('rgb', image[..., ::-1].copy()))
    }
    assert np.array_equal(results['bgr'], results['rgb'][..., ::-1])
    assert not np.array_equal(results['bgr'], image)


def test_an_unknown_channel_order_is_refused():
    with pytest.raises(ValueError, match="'bgr' or 'rgb'"):
        DDASAugment(channel_order='grb')


@pytest.mark.slow
def test_channels_last_changes_nothing_but_the_memory(folders, tmp_path):
    losses = {}
    for name, hooks in (('with', [dict(type='ChannelsLastHook')]), ('without', [])):
        config = search_config(folders, tmp_path / name)
        config.custom_hooks = copy.deepcopy(hooks)
        config.model.backbone.init_cfg = None
        runner = Runner.from_cfg(config)
        runner.train()
        losses[name] = runner.message_hub.get_scalar('train/loss').data[0]
        formats = {
            weight.is_contiguous(memory_format=torch.channels_last)
            for weight in runner.model.parameters()
            if weight.dim() == 4 and weight.shape[1] > 1 and weight.shape[2] > 1
        }
        assert formats == {name == 'with'}
        assert any(isinstance(hook, ChannelsLastHook) for hook in runner.hooks) == (name == 'with')
    np.testing.assert_allclose(losses['with'], losses['without'], rtol=0.01)


@pytest.fixture
def one_process(tmp_path):
    torch.distributed.init_process_group('gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def test_channels_last_leaves_alone_what_several_processes_train(one_process):
    """The distributed wrapper would read its buckets in the old format: the gradients of another network."""
    convolution = torch.nn.Conv2d(3, 4, 3)
    wrapped = MMDistributedDataParallel(convolution, find_unused_parameters=True)
    ChannelsLastHook().before_train(SimpleNamespace(model=wrapped, train_loop=None))
    images = torch.randn(2, 3, 8, 8)
    wrapped.module(images).square().sum().backward()
    expected = convolution.weight.grad.clone()
    wrapped.zero_grad()
    torch.nn.parallel.DistributedDataParallel.forward(wrapped, images).square().sum().backward()
    torch.testing.assert_close(convolution.weight.grad, expected)
    assert convolution.weight.is_contiguous()


USERS_CONFIG = """
_base_ = [
    'mmpretrain::_base_/models/resnet18_cifar.py',
    'mmpretrain::_base_/schedules/cifar10_bs128.py',
    'mmpretrain::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmddas'])
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='DDASAugment', policy='policy.json'),
    dict(type='PackInputs'),
]
custom_hooks = [dict(type='PolicyScheduleHook')]
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='CustomDataset', data_root='FOLDERS', pipeline=train_pipeline),
)
data_preprocessor = dict(num_classes=10, mean=[125.0, 123.0, 114.0], std=[51.0, 51.0, 51.0], to_rgb=True)
train_cfg = dict(by_epoch=True, max_epochs=2)
val_cfg = val_dataloader = val_evaluator = test_cfg = test_dataloader = test_evaluator = None
"""


@pytest.mark.slow
def test_mmpretrains_own_tool_trains_with_a_policy(folders, tmp_path):
    """Three lines in a config outside of this repository."""
    schedule = PolicySchedule(SearchSpace.preset('cifar'))
    schedule.append(AugmentationPolicy(schedule.space, init_total_prob=0.9))
    schedule.save(tmp_path / 'policy.json')
    (tmp_path / 'my_config.py').write_text(USERS_CONFIG.replace('FOLDERS', str(folders)))
    tool = Path(mmpretrain.__file__).parent / '.mim' / 'tools' / 'train.py'
    command = [sys.executable, tool, 'my_config.py', '--work-dir', 'work']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (tmp_path / 'work' / 'epoch_2.pth').is_file(), done.stdout + done.stderr


def test_mixup_mixes_the_views_alike_and_never_s_val(folders, tmp_path, monkeypatch):
    """MMPretrain's, of ``model.train_cfg``, in the data preprocessor: labels are scores for all, as its losses want."""
    mixing = dict(augments=[dict(type='Mixup', alpha=1.0)])
    preprocessor = dict(num_classes=2, to_onehot=True)
    config = search_config(folders, tmp_path / 'work')
    config.merge_from_dict({'train_cfg.max_epochs': 1, 'train_cfg.search_space': ['Identity'], 'train_cfg.num_ops': 1})
    config.data_preprocessor.update(preprocessor)
    config.model.train_cfg = mixing
    config.train_dataloader.dataset.pipeline[2] = dict(type='CenterCrop', crop_size=32)  # nothing else is random
    forward, scores = SearchStep.forward, []

    def noted(step, data):
        scores.append(torch.stack([sample.gt_score for sample in data['data_samples']]))
        return forward(step, data)

    monkeypatch.setattr(SearchStep, 'forward', noted)
    runner = Runner.from_cfg(config)
    runner.train()
    passes = runner.train_loop.num_sub_policies + 2
    assert len(scores) == 4 * passes
    s_val, views = (
        scores[passes - 1 :: passes],
        [scores[step : step + passes - 1] for step in range(0, 4 * passes, passes)],
    )
    assert all(score.unique().tolist() == [0, 1] for score in s_val)
    assert all(torch.equal(view, step[0]) for step in views for view in step)
    assert any(((step[0] > 0) & (step[0] < 1)).any() for step in views)
