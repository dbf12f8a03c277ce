"""Every config of the repository builds as it is, on tiny data, and runs two iterations and, where it has one, an
evaluation. Sizes of images and batches are made small; networks, pipelines, losses and optimizers are the config's.

Those that leave something out of another config, or are deeper, run in the slow tests."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from search_settings import with_defaults

from mmddas.core import AugmentationPolicy, PolicySchedule, SearchSpace
from mmddas.engine.build import build_policy_optimizers

CONFIGS = Path(__file__).parents[2] / 'configs'
DETECTION = sorted(path.name for path in (CONFIGS / 'ddas').glob('*.py'))
CLASSIFICATION = sorted(path.name for path in (CONFIGS / 'ddas_cls').glob('*.py'))
LEAVE_OUT = ('_baseline.py', '_fixed.py', '_static.py')
# Deeper than another one, or as another one with 100 classes.
DEEPER = ('retinanet_r101', 'resnet200', 'wrn28x10_cifar100', 'shake26x96d_cifar100', 'wrn40x2_cifar100')
SIZE = 64


@pytest.fixture
def tiny(tmp_path, shapes, images, monkeypatch):
    """Makes a config from a file, for the data at hand."""
    for name in ('CIFAR10', 'CIFAR100'):
        monkeypatch.delenv(f'{name}_FORMAT', raising=False)
        monkeypatch.setattr(f'mmpretrain.datasets.{name}._check_integrity', lambda self: True)

    def make(path: Path) -> Config:
        config = Config.fromfile(path)
        if config.train_cfg.get('type') != 'DDASSearchLoop' and config.get('policy_file'):
            task = 'detection' if path.parent.name == 'ddas' else 'cifar'
            schedule = PolicySchedule(SearchSpace.preset(task))
            schedule.append(AugmentationPolicy(schedule.space, init_total_prob=0.9))
            config.policy_file = str(tmp_path / 'policy.json')
            schedule.save(config.policy_file)
        _shrink(config, shapes, images)
        config.train_cfg.update(max_epochs=1)
        if config.train_cfg.get('val_interval'):
            config.train_cfg.val_interval = 1
        config.default_hooks.checkpoint = dict(type='CheckpointHook', interval=-1, save_last=False)
        config.log_level = 'ERROR'
        config.work_dir = str(tmp_path / 'work')
        config.experiment_name = config.visualizer.name = f'{tmp_path.name}_{path.stem}'
        return config

    return make


def _shrink(node: dict, shapes: Path, images: Path) -> None:
    """Batches of 2, two of them; images of 64 pixels; no pretrained weights; the tiny data sets."""
    for key, value in list(node.items()):
        if key == 'init_cfg' and 'checkpoint' in (value or {}):
            node[key] = None
        elif key in ('batch_size', 'num_samples'):
            node[key] = 2 if key == 'batch_size' else 4
        elif key == 'skip':
            node[key] = 4
        elif key == 'num_workers':
            node.update(num_workers=0, persistent_workers=False)
        elif key in ('scale', 'crop_size', 'size') and np.max(value) > SIZE:
            node[key] = tuple(SIZE for _ in value) if isinstance(value, tuple) else SIZE
        elif key == 'crop_size' and value == 32:
            node[key] = 16
        elif key == 'num_classes' and value == 80:  # COCO's; the tiny data set has three, and so has its evaluation
            node[key] = 3
        elif key == 'classes' and isinstance(value, str):
            node[key] = str(images / 'imagenet' / 'meta' / 'search_classes.txt')
        elif key == 'ann_file' and value.endswith('.json'):
            split = 'train' if 'train' in Path(value).stem and 'search_val' not in value else 'test'
            node[key] = str(shapes / 'annotations' / f'{split}.json')
        for child in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(child, dict):
                _shrink(child, shapes, images)
    if node.get('type') == 'CocoDataset':
        train = 'train.json' in node['ann_file']
        node.update(data_root='', data_prefix=dict(img=f'{shapes}/{"train" if train else "test"}/'), indices=4)
        node['metainfo'] = dict(classes=('disc', 'rectangle', 'triangle'))
        node['filter_cfg'] = None
    elif 'pipeline' in node and 'data_root' in node:
        node['data_root'] = str(images / Path(node['data_root']).name)
        node['indices'] = 2 if node.get('test_mode') else 4 if 'imagenet' in node['data_root'] else 10


def _run(config: Config) -> Runner:
    runner = Runner.from_cfg(config)
    runner.train()
    history = runner.message_hub.get_scalar('train/loss').data[0]
    assert np.isfinite(history).all()
    assert runner.iter >= 2
    assert all(parameter.isfinite().all() for parameter in runner.model.parameters())
    if config.train_cfg.type != 'DDASSearchLoop':
        assert any(tag.startswith('val/') for tag in runner.message_hub.log_scalars)
    if config.train_cfg.type == 'DDASSearchLoop':
        assert config.train_cfg.estimator.type  # none relies on the loop's default, where a derived search has another
        assert len(PolicySchedule.load(Path(config.work_dir) / 'policy.json')) == 1
    return runner


def most(names):
    return [
        pytest.param(name, marks=[pytest.mark.slow] * (name.endswith(LEAVE_OUT) or name.startswith(DEEPER)))
        for name in names
    ]


@pytest.mark.parametrize('name', most(DETECTION))
def test_detection_config_runs(name, tiny):
    _run(tiny(CONFIGS / 'ddas' / name))


@pytest.mark.parametrize('name', most(CLASSIFICATION))
def test_classification_config_runs(name, tiny):
    _run(tiny(CONFIGS / 'ddas_cls' / name))


@pytest.mark.parametrize('name', ['wrn40x2_cifar10.py', 'wrn28x10_cifar10_200e.py', 'wrn40x2_cifar100.py'])
def test_class_folders_take_the_place_of_cifars_own_format(name, tiny, monkeypatch):
    for variable in ('CIFAR10_FORMAT', 'CIFAR100_FORMAT'):
        monkeypatch.setenv(variable, 'folders')
    config = tiny(CONFIGS / 'ddas_cls' / name)
    dataset = config.train_dataloader.dataset
    assert dataset.get('dataset', dataset).type == 'CustomDataset'
    if 'wrn28x10' in name:
        config.model.backbone = dict(type='WideResNet', depth=10, width=1)
        config.model.head.in_channels = 64
    _run(config)


# The protocol's table of searches, written down a second time: batches, epochs, L^, rates of alpha_o and alpha_tp, of
# the network for the mean over a batch.
SEARCHES = {
    'wrn40x2_cifar10.py': (32, 256, 20, 3, 0.005, 0.001, 0.32),
    'wrn40x2_cifar10_rotated.py': (32, 256, 20, 3, 0.005, 0.001, 0.32),
    'wrn40x2_cifar100.py': (32, 256, 20, 3, 0.005, 0.001, 0.32),
    'resnet18_imagenet.py': (32, 64, 40, 2, 0.003, 0.001, 0.064),
}


def steps(dataset: dict) -> list[str]:
    """The types of a data set's transforms, within wrappers."""
    return [step['type'] for step in dataset['pipeline']] if 'pipeline' in dataset else steps(dataset['dataset'])


@pytest.mark.parametrize('name', SEARCHES)
def test_searches_are_the_protocols(name):
    config = Config.fromfile(CONFIGS / 'ddas_cls' / name)
    loop, loader = with_defaults(config.train_cfg), config.train_dataloader
    policy = AugmentationPolicy(SearchSpace.preset('cifar'))
    optimizers = [optimizer.param_groups[0] for optimizer in build_policy_optimizers(policy, loop.policy_optim)]
    rates = *(optimizer['lr'] for optimizer in optimizers), config.optim_wrapper.optimizer.lr
    sizes = loader.batch_size, loop.policy_dataloader.batch_size, loop.max_epochs, loop.num_sub_policies
    assert (*sizes, *rates) == pytest.approx(SEARCHES[name])
    assert (loop.num_ops, loop.init_total_prob) == (2, 0.35)
    assert all(optimizer['betas'] == (0.5, 0.999) for optimizer in optimizers)
    assert (config.optim_wrapper.optimizer.momentum, config.optim_wrapper.optimizer.weight_decay) == (0, 0)
    if 'imagenet' in name:
        assert steps(loader.dataset)[1:6:2] == ['RandomResizedCrop', 'RandomFlip', 'Normalize']
        assert steps(loader.dataset)[2] == 'DDASAugment'
        assert steps(loop.policy_dataloader.dataset)[1:3] == ['ResizeEdge', 'CenterCrop']
    else:
        assert steps(loader.dataset) == ['DDASAugment', 'RandomCrop', 'RandomFlip', 'Cutout', 'PackInputs']
        assert steps(loop.policy_dataloader.dataset) == ['Rotate', 'PackInputs'][0 if 'rotated' in name else 1 :]
        assert (loader.dataset.num_samples, loop.policy_dataloader.dataset.num_samples) == (2000, 2000)
        assert loop.policy_dataloader.dataset.skip == 2000


@pytest.mark.parametrize('data_format', ['pickles', 'folders'])
@pytest.mark.parametrize('number', ['10', '100'])
def test_s_train_and_s_val_of_cifar_are_of_one_data_set(number, data_format, monkeypatch):
    monkeypatch.setenv(f'CIFAR{number}_FORMAT', data_format)
    config = Config.fromfile(CONFIGS / 'ddas_cls' / f'wrn40x2_cifar{number}.py')
    subsets = config.train_dataloader.dataset, config.train_cfg.policy_dataloader.dataset
    for subset in subsets:
        data = subset.dataset
        assert data.type == ('CustomDataset' if data_format == 'folders' else f'CIFAR{number}')
        assert data.data_root == f'data/cifar{number}'
        assert data.get('split', data.get('data_prefix')) == 'train'
    assert subsets[1].skip == subsets[0].num_samples
    assert config.model.head.num_classes == config.data_preprocessor.num_classes == int(number)


def _settings(text: str) -> set[str]:
    """The lines of a config that say something: nothing of docstring and bases, no brackets alone, no openings."""
    body = text.split('_base_ = [', 1)[-1].split(']\n', 1)[-1]
    lines = (line.strip() for line in body.splitlines())
    return {line for line in lines if any(map(str.isalnum, line)) and line[-1] not in '([' and line[0] != '#'}


def test_no_two_configs_say_the_same_over_more_than_a_handful_of_lines():
    settings = {path: _settings(path.read_text(encoding='utf-8')) for path in CONFIGS.glob('*/*.py')}
    shared = {(a, b): settings[a] & settings[b] for a, b in itertools.combinations(settings, 2)}
    too_much = {(a.name, b.name): sorted(lines) for (a, b), lines in shared.items() if len(lines) > 5}
    assert not too_much


@pytest.mark.parametrize(
    ('name', 'epochs', 'batch', 'rate', 'weight_decay'),
    [
        ('wrn28x10_cifar10_200e', 200, 128, 0.1, 5e-4),
        ('wrn28x10_cifar100_200e', 200, 128, 0.1, 5e-4),
        ('shake26x96d_cifar10_1800e', 1800, 128, 0.01, 1e-3),
        ('shake26x96d_cifar100_1800e', 1800, 128, 0.01, 1e-3),
        ('resnet50_imagenet_270e', 270, 512, 0.2, 1e-4),
        ('resnet200_imagenet_270e', 270, 512, 0.2, 1e-4),
    ],
)
def test_trainings_are_the_protocols_and_their_baselines_lack_the_policy_alone(name, epochs, batch, rate, weight_decay):
    config, baseline = (Config.fromfile(CONFIGS / 'ddas_cls' / f'{name}{end}.py') for end in ('', '_baseline'))
    optimizer = config.optim_wrapper.optimizer
    assert config.train_cfg.max_epochs == epochs and config.auto_scale_lr.base_batch_size == batch
    assert (optimizer.lr, optimizer.weight_decay) == (rate, weight_decay)
    with_policy, without = steps(config.train_dataloader.dataset), steps(baseline.train_dataloader.dataset)
    assert [step for step in with_policy if step != 'DDASAugment'] == without
    assert with_policy.count('DDASAugment') == 1
    for part in ('model', 'optim_wrapper', 'param_scheduler', 'train_cfg', 'val_dataloader'):
        assert config[part] == baseline[part]
