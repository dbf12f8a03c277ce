"""The tools and the configs as users meet them, this package's and MMDetection's own."""

import ast
import functools
import json
import os
import pickle
import re
import runpy
import subprocess
import sys
from pathlib import Path

import mmdet
import pytest
import torch
from mmengine.config import Config

from mmddas.cli import command_parser
from mmddas.cli.config import load_config
from mmddas.cli.run import check_data, check_run
from mmddas.cli.search import search_config
from mmddas.core import PolicySchedule
from mmddas.datasets import DDASAugment

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / 'configs' / 'ddas'
SEARCH, TRAIN = CONFIGS / 'retinanet_thin_shapes.py', CONFIGS / 'retinanet_thin_shapes_train.py'
BASELINE = CONFIGS / 'retinanet_thin_shapes_baseline.py'

USERS_CONFIG = """
_base_ = 'mmdet::_base_/default_runtime.py'
custom_imports = dict(imports=['mmddas'])
custom_hooks = [dict(type='PolicyScheduleHook')]
model = dict(
    type='FCOS',
    data_preprocessor=dict(type='DetDataPreprocessor', mean=[100.0] * 3, std=[50.0] * 3, pad_size_divisor=32),
    backbone=dict(type='ResNet', depth=18, base_channels=8, stem_channels=8),
    neck=dict(type='FPN', in_channels=[8, 16, 32, 64], out_channels=16, num_outs=4),
    bbox_head=dict(
        type='FCOSHead', num_classes=3, in_channels=16, feat_channels=16, stacked_convs=1, strides=[4, 8, 16, 32],
        regress_ranges=((-1, 16), (16, 32), (32, 64), (64, 1e8)), norm_cfg=dict(type='GN', num_groups=4),
    ),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='DDASAugment', policy='policy.json'),
    dict(type='Resize', scale=(64, 64), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    batch_size=4, num_workers=1, multiprocessing_context='spawn',
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CocoDataset', data_root='SHAPES', ann_file='annotations/train.json', data_prefix=dict(img='train/'),
        metainfo=dict(classes=('disc', 'rectangle', 'triangle')), pipeline=train_pipeline,
    ),
)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.001))
"""
POLICY = dict(
    num_ops=2,
    candidates=[dict(op='Solarize', level=2), dict(op='Rotate_BBox', level=4)],
    epochs=[dict(total_prob=1.0, op_probs=[0.5, 0.5])],
)


@pytest.mark.slow
def test_mmdetections_own_train_tool_follows_a_policy_in_a_config_of_the_users(shapes, tmp_path):
    """With data workers that inherit no module of the tool's process."""
    (tmp_path / 'config.py').write_text(USERS_CONFIG.replace('SHAPES', str(shapes)))
    (tmp_path / 'policy.json').write_text(json.dumps(POLICY))
    tool = Path(mmdet.__file__).parent / '.mim' / 'tools' / 'train.py'
    subprocess.run(
        [sys.executable, '-W', 'ignore', str(tool), 'config.py', '--work-dir', 'work_dir'],
        cwd=tmp_path,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
        check=True,
    )
    assert (tmp_path / 'work_dir' / 'epoch_1.pth').exists()


@pytest.fixture
def run_tool(monkeypatch):
    """Runs a tool of ``tools/`` in this process, which spares it the imports."""
    monkeypatch.setenv('LOCAL_RANK', '0')

    def run(name: str, *arguments: object) -> None:
        monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
        runpy.run_path(str(ROOT / 'tools' / name), run_name='__main__')

    return run


def small(shapes: Path, *loaders: str) -> list[str]:
    """--cfg-options that let data loaders of the shapes configs read the tests' images, without workers."""
    options = [f'{loader}.dataset.data_root={shapes}/' for loader in loaders]
    options += [f'{loader}.num_workers=0' for loader in loaders]
    return [*options, *(f'{loader}.persistent_workers=False' for loader in loaders), 'log_level=WARNING']


@pytest.mark.slow  # as the four commands of the README are
def test_a_searched_policy_is_trained_with_and_the_detector_tested(run_tool, shapes, tmp_path):
    search, train, test = tmp_path / 'search', tmp_path / 'train', tmp_path / 'test'
    searching = small(shapes, 'train_dataloader', 'train_cfg.policy_dataloader')
    searching += ['train_cfg.estimator.type=PaperEstimator']  # which moves the policy from the first step on
    run_tool('search.py', SEARCH, '--work-dir', search, '--cfg-options', *searching, 'train_cfg.max_epochs=1')
    (first,) = PolicySchedule.load(search / 'policy.json').snapshots

    run_tool(
        'search.py', SEARCH, '--work-dir', search, '--resume', '--cfg-options', *searching, 'train_cfg.max_epochs=2'
    )
    resumed = PolicySchedule.load(search / 'policy.json').snapshots
    assert len(resumed) == 2 and resumed[0] == first and resumed[1] != first

    evaluating = [f'{name}_evaluator.ann_file={shapes}/annotations/test.json' for name in ('val', 'test')]
    training = small(shapes, 'train_dataloader', 'val_dataloader', 'test_dataloader') + evaluating
    training += [
        'model.test_cfg.score_thr=0.0',
        'train_cfg.max_epochs=2',
        'train_cfg.val_interval=2',
        f'policy_file={search}/policy.json',
    ]
    run_tool('train.py', TRAIN, '--work-dir', train, '--cfg-options', *training)
    checkpoint = train / 'epoch_2.pth'

    run_tool('test.py', TRAIN, checkpoint, '--work-dir', test, '--out', test / 'found.pkl', '--cfg-options', *training)
    assert len(pickle.loads((test / 'found.pkl').read_bytes())) == 4
    (metrics,) = (json.loads(path.read_text()) for path in test.glob('*/*.json'))
    assert 0 <= metrics['coco/bbox_mAP'] <= 1


@pytest.mark.slow  # as the README's search for a training is
def test_a_search_is_derived_from_a_training_whose_config_then_gets_the_policy(run_tool, shapes, tmp_path, capsys):
    """And the config that is written is that search."""
    options = small(shapes, 'train_dataloader', 'val_dataloader')
    derived = ['--num-train', 4, '--num-val', 4, '--epochs', 1]
    settings = ['--cfg-options', *options, 'train_cfg.estimator.type=PaperEstimator']
    run_tool('search.py', BASELINE, '--work-dir', tmp_path / 'search', *derived, *settings)
    printed = capsys.readouterr().out
    assert 'place     DDASAugment after LoadAnnotations, before Resize' in printed
    assert 'WARNING: An operation is drawn some' in printed
    written = tmp_path / 'search' / f'{BASELINE.stem}_search.py'

    run_tool('search.py', written, '--work-dir', tmp_path / 'again', '--cfg-options', settings[-1])
    assert final_policy_of(tmp_path / 'search') == final_policy_of(tmp_path / 'again')

    run_tool('search.py', BASELINE, '--work-dir', tmp_path / 'dry', '--dry-run', *derived, *settings)
    assert [path.name for path in (tmp_path / 'dry').iterdir()] == [written.name]
    assert (tmp_path / 'dry' / written.name).read_text() == written.read_text()

    training = ['--epochs', 1, '--cfg-options', *options, f'val_evaluator.ann_file={shapes}/annotations/test.json']
    policy = tmp_path / 'search' / 'policy.json'
    run_tool('train.py', BASELINE, '--policy', policy, '--work-dir', tmp_path / 'train', *training)
    assert f'DDASAugment follows {policy}: after LoadAnnotations, before Resize' in capsys.readouterr().out
    assert (tmp_path / 'train' / 'epoch_1.pth').exists()


def test_a_derived_search_does_without_the_data_of_the_evaluation(shapes, tmp_path):
    options = [*small(shapes, 'train_dataloader'), 'val_dataloader.dataset.data_root=nowhere/']
    parser = command_parser('search', 'mmddas search')
    derived = ['--num-train', '4', '--num-val', '4', '--epochs', '1']
    given = [str(BASELINE), '--work-dir', str(tmp_path), *derived, '--cfg-options', *map(str, options)]
    config = search_config('mmddas search', parser.parse_args(given))
    check_run(config)
    assert config.train_cfg.type == 'DDASSearchLoop'


@pytest.mark.slow
def test_a_derived_search_is_resumed_from_its_own_work_dir(run_tool, shapes, tmp_path, monkeypatch, capsys):
    """Not from the training's, of which there may be one."""
    monkeypatch.chdir(tmp_path)
    work_dir = Path('work_dirs') / f'{BASELINE.stem}_search'
    derived = ['--num-train', 4, '--num-val', 4, '--epochs', 1, '--resume', '--cfg-options']
    for there_is_none in (True, False):
        run_tool('search.py', BASELINE, *derived, *small(shapes, 'train_dataloader', 'val_dataloader'))
        assert (f'There is no checkpoint in {work_dir} to resume' in capsys.readouterr().out) == there_is_none
        assert len(PolicySchedule.load(work_dir / 'policy.json')) == 1


@pytest.mark.parametrize('command', ['train', 'search'])
def test_what_may_be_resumed_begins_with_the_weights_that_its_config_names(command, tmp_path):
    """``--resume`` in a script that starts again and again is about what the run itself has written."""
    resumable = ['--work-dir', str(tmp_path / 'work'), '--resume']
    given = [str(TRAIN if command == 'train' else SEARCH), *resumable, '--cfg-options', 'load_from=coco.pth']
    args = command_parser(command, f'mmddas {command}').parse_args(given)
    first = load_config(args)
    assert first.load_from == 'coco.pth' and not first.get('resume')
    (tmp_path / 'work').mkdir()
    torch.save(dict(meta=dict(epoch=1)), tmp_path / 'work' / 'epoch_1.pth')
    again = load_config(args)
    assert again.load_from == str(tmp_path / 'work' / 'epoch_1.pth') and again.resume


def test_what_is_said_of_a_derived_search_is_in_its_file(shapes, tmp_path, capsys):
    """What runs by the command that --dry-run prints is what would have run without it."""
    loaders = small(shapes, 'train_dataloader', 'val_dataloader')
    changes = ['train_cfg.estimator.type=PaperEstimator', 'train_cfg.num_sub_policies=3', 'load_from=coco.pth']
    changes += ['default_hooks.checkpoint.by_epoch=False', 'default_hooks.checkpoint.interval=500']
    given = [str(BASELINE), '--work-dir', str(tmp_path), '--cfg-options', *changes, *map(str, loaders)]
    parser = command_parser('search', 'mmddas search')
    assert search_config('mmddas search', parser.parse_args([*given, '--dry-run'])) is None
    assert 'PaperEstimator, 3 sub-policies a step' in capsys.readouterr().out
    torch.save(dict(meta=dict(epoch=1)), tmp_path / 'stopped.pth')
    runs = search_config('mmddas search', parser.parse_args([*given, '--resume']))
    written = Config.fromfile(tmp_path / f'{BASELINE.stem}_search.py')
    for config in (written, runs):
        assert (config.train_cfg.estimator.type, config.train_cfg.num_sub_policies) == ('PaperEstimator', 3)
        assert config.default_hooks.checkpoint.interval == 500 and not config.default_hooks.checkpoint.by_epoch
    assert written.load_from == 'coco.pth' and runs.load_from == str(tmp_path / 'stopped.pth')
    assert 'gloo' not in written.pretty_text  # of this machine, which may have no GPU
    # For the report, whose commands train as is searched for here.
    assert written.derived_with == ['--cfg-options', 'load_from=coco.pth', *map(str, loaders)]
    (tmp_path / 'work').mkdir()
    for options in (['--resume', 'nowhere.pth'], ['--resume', 'nowhere.pth', '--dry-run']):
        elsewhere = [str(BASELINE), '--work-dir', str(tmp_path / 'work'), *options, '--cfg-options', *map(str, loaders)]
        with pytest.raises(FileNotFoundError, match=r'nowhere\.pth'):
            search_config('mmddas search', parser.parse_args(elsewhere))
    assert not list((tmp_path / 'work').iterdir())
    with pytest.raises(ValueError, match='the length of a search that is derived is --epochs'):
        search_config('mmddas search', parser.parse_args([*given, 'train_cfg.max_epochs=3', '--resume']))


def test_a_training_ends_with_an_evaluation_also_where_it_was_stopped_in_it(run_tool, shapes, tmp_path):
    options = ['train_cfg.max_epochs=3', 'train_cfg.val_interval=2', 'model.test_cfg.score_thr=0.0']
    options.append(f'val_evaluator.ann_file={shapes}/annotations/test.json')
    given = [BASELINE, '--work-dir', tmp_path, '--resume', '--cfg-options', *options]
    given += small(shapes, 'train_dataloader', 'val_dataloader')
    for _ in range(2):  # again, where the last checkpoint is there and its evaluation is not
        run_tool('train.py', *given)
        found = [json.loads(line) for line in (tmp_path / 'evaluations.jsonl').read_text().splitlines()]
        assert (found[-1]['at'], found[-1]['last']) == (3, True) and 'coco/bbox_mAP' in found[-1]['metrics']
        (tmp_path / 'evaluations.jsonl').unlink()


def test_a_derived_search_begins_with_the_weights_that_are_asked_for(shapes, tmp_path):
    given = [str(BASELINE), '--work-dir', str(tmp_path), '--resume', '--cfg-options', 'load_from=coco.pth']
    given += [str(option) for option in small(shapes, 'train_dataloader', 'val_dataloader')]
    config = search_config('mmddas search', command_parser('search', 'mmddas search').parse_args(given))
    assert config.load_from == 'coco.pth'


def final_policy_of(work_dir: Path) -> dict:
    content = json.loads((work_dir / 'policy.json').read_text())
    content['meta'].pop('config', None)
    return content


def test_what_is_derived_has_no_meaning_for_a_search(run_tool, capsys):
    with pytest.raises(SystemExit):
        run_tool('search.py', SEARCH, '--budget', 0.5)
    assert 'is a search already: --budget is for searches that are derived' in capsys.readouterr().err


@pytest.mark.parametrize('kind', ["'mmengine.DDASSearchLoop'", 'DDASSearchLoop'])
def test_a_search_is_known_by_its_loop_whatever_it_is_written_like(kind, tmp_path):
    text = Config.fromfile(SEARCH).pretty_text.replace("type='DDASSearchLoop'", f'type={kind}')
    assert f'type={kind}' in text
    path = tmp_path / 'search.py'
    path.write_text((f'from mmddas.engine import {kind}\n' if kind.isidentifier() else '') + text)
    args = command_parser('search', 'mmddas search').parse_args([str(path)])
    config = search_config('mmddas search', args)
    assert config.train_cfg.max_epochs == Config.fromfile(SEARCH).train_cfg.max_epochs
    assert 'derived_from' not in config


@pytest.mark.parametrize(
    ('launcher', 'rank', 'size'),
    [
        ('mpi', 'OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE'),
        ('slurm', 'SLURM_PROCID', 'SLURM_NTASKS'),
        ('none', 'RANK', 'WORLD_SIZE'),  # left over in the environment
    ],
)
def test_the_first_process_of_a_launcher_writes_what_is_derived(launcher, rank, size, shapes, tmp_path, monkeypatch):
    given = [str(BASELINE), '--work-dir', str(tmp_path), '--launcher', launcher, '--epochs', '1', '--dry-run']
    given += ['--cfg-options', *map(str, small(shapes, 'train_dataloader', 'val_dataloader'))]
    path, texts = tmp_path / f'{BASELINE.stem}_search.py', []
    monkeypatch.setenv(size, '2')
    for number in ('1', '0'):
        monkeypatch.setenv(rank, number)
        search_config('mmddas search', command_parser('search', 'mmddas search').parse_args(given))
        texts.append(path.read_text() if path.exists() else '')
    assert bool(texts[0]) == (launcher == 'none')
    assert f'steps of {8 if launcher == "none" else 16} images' in texts[1]


@pytest.mark.parametrize('tool', [['search.py'], ['train.py'], ['test.py', 'checkpoint.pth']], ids=lambda tool: tool[0])
def test_a_missing_config_file_is_named_in_one_line(run_tool, tool, capsys):
    with pytest.raises(SystemExit) as stopped:
        run_tool(tool[0], 'configs/ddas/retina.py', *tool[1:])
    assert stopped.value.code == 2
    assert re.fullmatch(r".*: error: There is no config file 'configs/ddas/retina.py'\n", capsys.readouterr().err)


@pytest.mark.parametrize('name', ['resnet18_imagenet', 'resnet50_imagenet_270e_baseline'])
def test_images_that_are_not_there_are_asked_for_before_anything_is_built(name, monkeypatch, tmp_path):
    config = Config.fromfile(ROOT / f'configs/ddas_cls/{name}.py')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r'There is no data/imagenet.*--cfg-options train_dataloader\.dataset'):
        check_data(config, ['train_dataloader'])


def test_training_without_the_policy_file_says_where_it_was_expected(run_tool, shapes, tmp_path):
    options = [*small(shapes, 'train_dataloader', 'val_dataloader'), f'policy_file={tmp_path}/policy.json']
    options += [f'val_evaluator.ann_file={shapes}/annotations/test.json']
    with pytest.raises(FileNotFoundError, match='no policy file .*policy.json.*; a search writes'):
        run_tool('train.py', TRAIN, '--work-dir', tmp_path, '--cfg-options', *options)


def test_a_training_without_the_policy_that_its_config_has(run_tool, shapes, tmp_path):
    options = ['train_cfg.max_epochs=1', 'train_cfg.val_interval=2', f'policy_file={tmp_path}/policy.json']
    options += [f'val_evaluator.ann_file={shapes}/annotations/test.json']
    loaders = small(shapes, 'train_dataloader', 'val_dataloader')
    run_tool('train.py', TRAIN, '--policy', 'none', '--work-dir', tmp_path, '--cfg-options', *options, *loaders)
    assert (tmp_path / 'epoch_1.pth').exists()
    assert 'DDASAugment' not in str(Config.fromfile(tmp_path / TRAIN.name).train_dataloader)


def of_kind(kind: str) -> list[Path]:
    return [path for path in sorted(CONFIGS.glob('*.py')) if kind == kind_of(path)]


@functools.cache
def kind_of(path: Path) -> str:
    if path.stem.endswith('_baseline'):
        return 'baseline'
    return 'search' if Config.fromfile(path).train_cfg.type == 'DDASSearchLoop' else 'training'


def baseline_of(training: Path) -> Path:
    return training.with_name(f'{training.stem.removesuffix("_train")}_baseline.py')


def count_augments(loader: dict) -> int:
    return sum(step['type'] in ('DDASAugment', DDASAugment) for step in loader.dataset.pipeline)


def test_there_are_configs_of_every_kind():
    assert all(of_kind(kind) for kind in ('search', 'training', 'baseline'))


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('*.py')), ids=lambda path: path.stem)
def test_config_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding='utf-8')))


@pytest.mark.parametrize('path', of_kind('search'), ids=lambda path: path.stem)
def test_searches_mark_the_place_of_the_operations_and_leave_s_val_alone(path):
    config = Config.fromfile(path)
    assert count_augments(config.train_dataloader) == 1
    assert count_augments(config.train_cfg.policy_dataloader) == 0


@pytest.mark.parametrize('path', of_kind('training'), ids=lambda path: path.stem)
def test_baseline_is_the_training_without_the_policy(path):
    training = Config.fromfile(path).to_dict()
    baseline = Config.fromfile(baseline_of(path)).to_dict()
    assert training.pop('policy_file') and not baseline.pop('policy_file')
    assert training.pop('custom_hooks') == [dict(type='PolicyScheduleHook')] and not baseline.pop('custom_hooks')
    pipeline = training['train_dataloader']['dataset']['pipeline']
    places = [place for place, step in enumerate(pipeline) if step['type'] == 'DDASAugment']
    assert len(places) == 1
    del pipeline[places[0]]
    assert training == baseline


def test_every_baseline_belongs_to_a_training():
    assert set(of_kind('baseline')) == {baseline_of(path) for path in of_kind('training')}
