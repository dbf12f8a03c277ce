"""The code of ``docs/custom_operations.md``, run as it stands there."""

import json
import re
import runpy
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.utils import import_modules_from_strings

from mmddas import ops
from mmddas.core import SearchSpace, load_policy
from mmddas.core.presets import PRESET_TASKS, PRESETS
from mmddas.datasets import DDASAugment

PAGE = Path(__file__).parents[2] / 'docs' / 'custom_operations.md'


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The page's code blocks, each in the file that its first line names; their operations end with the test."""
    folder = tmp_path / 'code'
    for name, code in re.findall(r'```python\n# (\S+)\n(.*?)```', PAGE.read_text(encoding='utf-8'), re.DOTALL):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code.replace('mmddas::ddas/', './'))
    (folder / 'my_package' / '__init__.py').touch()
    monkeypatch.syspath_prepend(folder)
    with mock.patch.dict(ops.OPERATIONS), mock.patch.dict(PRESETS), mock.patch.dict(PRESET_TASKS):
        yield folder
    for name in [name for name in sys.modules if name.split('.')[0] == 'my_package']:
        del sys.modules[name]


def augmented(op: str, level: float | None, sample: dict) -> dict:
    """The sample after one operation of a policy that always applies it."""
    policy = dict(num_ops=1, candidates=[dict(op=op, level=level)], epochs=[dict(total_prob=1.0, op_probs=[1.0])])
    return DDASAugment(policy=policy, box_prob=1.0)(sample)


@pytest.fixture
def sample() -> dict:
    image = np.full((64, 96, 3), 100, np.uint8)
    return dict(img=image, gt_bboxes=np.array([[40, 24, 56, 40]], np.float32), gt_bboxes_labels=np.array([2]))


def test_the_page_calls_its_operation_and_states_the_result(folder, capsys):
    runpy.run_path(str(folder / 'try_it.py'))
    stated = re.search(r'print\(.*\)  # (.*)', (folder / 'try_it.py').read_text())[1]
    assert capsys.readouterr().out.strip() == stated


def test_a_colour_operation_changes_values_only(folder, sample):
    import_modules_from_strings(['my_package.augmentations'])
    result = augmented('Gamma', 5, sample)
    assert (result['img'] == int(255 * (100 / 255) ** 2)).all()
    assert result['gt_bboxes'].tolist() == [[40, 24, 56, 40]]


def test_an_operation_per_box_stays_inside_the_boxes(folder, sample):
    import_modules_from_strings(['my_package.augmentations'])
    changed = augmented('Gamma_Only_BBoxes', 5, sample)['img'][..., 0] != 100
    assert changed[25:40, 41:56].all()
    assert not changed[:24].any()
    assert not changed[:, :40].any()


def test_boxes_follow_an_affine_operation(folder, sample):
    import_modules_from_strings(['my_package.augmentations'])
    (box,) = augmented('Zoom', 10, sample)['gt_bboxes'].tolist()
    assert box in ([32, 16, 64, 48], [44, 28, 52, 36])  # twice or half as large


def test_a_patch_operation_fills_with_grey(folder, sample):
    import_modules_from_strings(['my_package.augmentations'])
    grey = (augmented('Stripe', 2, sample)['img'] == 128).all(axis=2)
    assert 1 <= grey.all(axis=1).sum() <= 8
    assert (grey.all(axis=1) == grey.any(axis=1)).all()


def test_a_config_brings_the_operations_into_a_search(folder, search_config):
    # MMEngine keeps one visualizer a name; this run's must not be another test's.
    base = search_config({'train_cfg.max_epochs': 1, 'visualizer.name': 'custom_operation'})
    base.dump(folder / 'retinanet_thin_shapes.py')
    assert 'Gamma' not in ops.OPERATIONS
    config = Config.fromfile(folder / 'my_search.py')
    assert 'Gamma' in ops.OPERATIONS
    Runner.from_cfg(config).train()
    policy = json.loads(Path(base.work_dir, 'policy.json').read_text())
    assert [(item['op'], item['level']) for item in policy['candidates']] == [
        tuple(pair) for pair in config.train_cfg.search_space
    ]
    assert np.ptp(policy['epochs'][0]['op_probs']) > 0


def test_a_space_of_ones_own_goes_by_its_name(folder):
    import_modules_from_strings(['my_package.spaces'])
    space = SearchSpace.preset('detection_and_mine')
    assert len(space) == len(SearchSpace.preset('detection')) + 3
    policy = load_policy('uniform:detection_and_mine')
    assert policy.space == space and policy.meta['task'] == 'detection'
    SearchSpace.register('detection_and_mine', space.candidates)  # a module that is imported anew
    for name, candidates, task, message in (
        ('detection', ['Gamma'], 'detection', "search space 'detection'"),
        ('a:b', ['Gamma'], 'detection', "got 'a:b'"),
        ('other', ['Gamma'], 'mmdet', "got 'mmdet'"),
        ('other', ['Gamma', 'Gamma'], 'detection', 'Gamma'),
    ):
        with pytest.raises(ValueError, match=message):
            SearchSpace.register(name, candidates, task)
