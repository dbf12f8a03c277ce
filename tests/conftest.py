"""What tests share: tiny data sets that the repository draws itself, and a search over one of them."""

import functools
import gc
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from make_shapes import make_shapes
from mmengine.config import Config
from mmengine.config import utils as config_utils
from mmengine.registry import init_default_scope

import mmddas  # noqa: F401  (registers everything)
from mmddas.compat import import_formatter
from mmddas.viz import policy_figure
from mmddas.viz.report import page

ROOT = Path(__file__).parents[1]

import_formatter()  # its cache is whole before the processes that pytest-xdist starts read it

METAFILES = functools.cache(config_utils.load)

# Files that take longest: they begin, so that no process is left alone with one in the end.
LONGEST = ('test_search_loop.py', 'test_several_processes.py', 'test_interruptions.py', 'test_command_line.py')


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        return LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST)

    items.sort(key=rank)


def pytest_collection_finish() -> None:
    """Keep the imported modules out of garbage collections.

    MMEngine collects whenever it builds a data set: 0.5 s with all of OpenMMLab loaded.
    """
    gc.freeze()


@pytest.fixture(scope='module', autouse=True)
def draw_policy(request):
    """Leave out what takes longer than a tiny search: figures, the formatting of configs for the log, and reading all
    of MMDetection's metafiles again for each ``mmdet::...``.

    Gives the function that draws, for a test that wants the figure.
    """
    drawing = policy_figure.draw_policy
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('yapf.yapflib.yapf_api.FormatCode', lambda text, **kwargs: (text, True))
        patch.setattr(config_utils, 'load', METAFILES)
        if 'test_viz' not in request.path.parts:
            patch.setattr(policy_figure, 'draw_policy', lambda *args, **kwargs: None)
            patch.setattr(page, 'history_svg', lambda schedule: b'')
        yield drawing


@pytest.fixture(autouse=True)
def one_thread_and_mmdet_scope():
    """One thread, for results that do not depend on the machine's load; MMDetection's registries."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    init_default_scope('mmdet')
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='session')
def shapes(tmp_path_factory) -> Path:
    """12 + 8 + 4 drawn images of 64x64."""
    folder = tmp_path_factory.mktemp('shapes')
    make_shapes(folder, num_train=12, num_val=8, num_test=4, size=64)
    return folder


@pytest.fixture(scope='session')
def images(tmp_path_factory) -> Path:
    """``cifar10``, ``cifar100`` in both formats, and ``imagenet``: random images."""
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp('images')
    for name, folder, classes, batches, label_key in (
        ('cifar10', 'cifar-10-batches-py', 10, [f'data_batch_{i}' for i in range(1, 6)] + ['test_batch'], 'labels'),
        ('cifar100', 'cifar-100-python', 100, ['train', 'test'], 'fine_labels'),
    ):
        (root / name / folder).mkdir(parents=True)
        meta = [f'class_{i}' for i in range(classes)]
        meta_file, key = ('batches.meta', 'label_names') if name == 'cifar10' else ('meta', 'fine_label_names')
        (root / name / folder / meta_file).write_bytes(pickle.dumps({key: meta}))
        for batch in batches:
            labels = list(range(0, classes, max(classes // 10, 1)))
            content = {'data': rng.integers(0, 256, (len(labels), 3072), dtype=np.uint8), label_key: labels}
            (root / name / folder / batch).write_bytes(pickle.dumps(content))
        for split in ('train', 'test'):
            _write_classes(root / name / split, meta[:10], rng, count=1 + (split == 'train'))
    wordnet = [f'n{i:08}' for i in range(4)]
    lists = {split: _write_classes(root / 'imagenet' / split, wordnet, rng, count=2) for split in ('train', 'val')}
    meta = root / 'imagenet' / 'meta'
    meta.mkdir()
    for name, images in (
        ('train', lists['train'][:4]),
        ('val', lists['val'][:4]),
        ('search_train', lists['train'][:4]),
        ('search_val', lists['train'][4:]),
    ):
        (meta / f'{name}.txt').write_text(''.join(f'{path} {label}\n' for path, label in images))
    (meta / 'search_classes.txt').write_text('\n'.join(wordnet))
    return root


def _write_classes(folder: Path, classes: list[str], rng: np.random.Generator, count: int) -> list[tuple[str, int]]:
    written = []
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            cv2.imwrite(str(folder / name / f'{number}.png'), rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
            written.append((f'{name}/{number}.png', label))
    return written


def small_search(shapes: Path, folder: Path, name: str, changes: dict | None = None) -> Config:
    """The config of a search of a few steps; ``changes`` are merged into it."""
    config = Config.fromfile(ROOT / 'configs' / 'ddas' / 'retinanet_thin_shapes.py')
    for loader in (config.train_dataloader, config.train_cfg.policy_dataloader):
        loader.dataset.data_root = f'{shapes}/'
        loader.num_workers = 0
        loader.persistent_workers = False
    for step in config.train_dataloader.dataset.pipeline + config.train_cfg.policy_dataloader.dataset.pipeline:
        if step['type'] == 'Resize':
            step['scale'] = (64, 64)
    config.model.backbone.update(base_channels=8, stem_channels=8)
    config.model.neck.update(in_channels=[16, 32, 64], out_channels=16)
    config.model.bbox_head.update(in_channels=16, feat_channels=16)
    config.train_cfg.max_epochs = 2
    # The default estimator, whose policy moves from the first step on.
    del config.train_cfg.estimator
    config.train_cfg.policy_optim = dict(op=dict(lr=0.02), total=dict(lr=0.004))
    config.train_cfg.policy_dataloader.batch_size = 4
    config.default_hooks.logger.interval = 1
    config.log_level = 'WARNING'
    config.work_dir = str(folder / name)
    # MMEngine keeps one visualizer a name, with the folder of the first run.
    config.experiment_name = config.visualizer.name = f'{folder.name}_{name}'
    config.merge_from_dict(changes or {})
    return config


@pytest.fixture
def search_config(shapes, tmp_path):
    """Makes a :func:`small_search` in the test's own folder."""

    def make(changes: dict | None = None, name: str = 'search') -> Config:
        return small_search(shapes, tmp_path, name, changes)

    return make


@pytest.fixture(scope='module')
def make_search_config(shapes, tmp_path_factory):
    """As ``search_config``, for what the tests of a module share."""

    def make(changes: dict | None = None, name: str = 'search') -> Config:
        return small_search(shapes, tmp_path_factory.mktemp('searches'), name, changes)

    return make
