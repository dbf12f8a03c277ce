"""Where an OpenMMLab package is missing, too old or broken, one sentence says so."""

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmddas.requirements import ONE_OF, REQUIRED, check_requirements

NAMES = [name for name, _, _ in REQUIRED]


@pytest.fixture
def pretend(monkeypatch):
    """Give a package another version (a text), make its import fail (an error), or hide it (None)."""
    found = dict.fromkeys([name for name, _, _ in REQUIRED + ONE_OF], '99.0')

    def find_spec(name):
        return None if found[name] is None else object()

    def import_module(name):
        outcome = found[name.removesuffix('.version')]
        if isinstance(outcome, Exception):
            raise outcome
        return SimpleNamespace(__version__=outcome)

    monkeypatch.setattr(importlib.util, 'find_spec', find_spec)
    monkeypatch.setattr(importlib, 'import_module', import_module)
    return found.__setitem__


def complaint() -> str:
    with pytest.raises(ImportError) as error:
        check_requirements()
    return str(error.value)


def test_what_is_installed_passes():
    check_requirements()


@pytest.mark.parametrize('name', NAMES)
def test_a_missing_package_is_named_with_what_provides_it(pretend, name):
    pretend(name, None)
    text = complaint()
    assert text.startswith(f'mmddas needs {name} >= ')
    assert text.endswith('which is not installed.')
    assert 'onedl-mm' in text
    assert '\n' not in text


def test_detection_or_classification_is_enough(pretend):
    pretend('mmdet', None)
    check_requirements()
    pretend('mmpretrain', None)
    text = complaint()
    assert 'mmdet >= ' in text and 'mmpretrain >= ' in text
    assert text.endswith('neither is installed.')


def test_what_is_not_used_may_be_broken(pretend):
    pretend('mmdet', AssertionError('MMCV==2.3.0 is used but incompatible.'))
    check_requirements()
    pretend('mmpretrain', '1.0.0')
    assert complaint().startswith('mmddas needs mmdet >= ')
    pretend('mmdet', None)
    assert complaint().endswith('found 1.0.0.')


@pytest.mark.parametrize(('name', 'old'), [('mmengine', '0.9.1'), ('mmcv', '1.7.2'), ('mmdet', '3.1.0')])
def test_an_old_package_is_named_with_its_version(pretend, name, old):
    pretend('mmpretrain', None)
    pretend(name, old)
    text = complaint()
    assert text.startswith(f'mmddas needs {name} >= ')
    assert text.endswith(f'found {old}.')
    assert '\n' not in text


@pytest.mark.parametrize(
    'error',
    [
        ModuleNotFoundError("No module named 'pkg_resources'"),
        AssertionError('MMCV==2.3.0 is used but incompatible. Please install mmcv>=2.0.0rc4, <2.2.0.'),
    ],
    ids=['import error', 'failed assertion'],
)
def test_a_package_that_does_not_import_is_named_with_the_reason(pretend, error):
    pretend('mmpretrain', None)
    pretend('mmdet', error)
    text = complaint()
    assert text.startswith('mmddas needs mmdet >= ')
    assert str(error) in text


@pytest.mark.parametrize(('version', 'enough'), [('2.0.1', True), ('2.0.1rc4', True), ('2.1', True), ('2.0', False)])
def test_versions_are_compared_by_their_numbers(pretend, version, enough):
    pretend('mmcv', version)
    if enough:
        check_requirements()
    else:
        assert complaint().endswith(f'found {version}.')


WITHOUT_MMDETECTION = """
import importlib.util, sys
sys.modules['mmdet'] = None  # an import fails
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == 'mmdet' else find_spec(name, *rest)
import mmddas
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, init_default_scope
init_default_scope('mmpretrain')
model = dict(
    type='ImageClassifier',
    backbone=dict(type='WideResNet', depth=10, width=1),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=64),
)
print(type(MODELS.build(model)).__name__, Config.fromfile(sys.argv[1]).train_cfg.type)
"""


def test_classification_does_without_mmdetection():
    pytest.importorskip('mmpretrain')
    config = Path(__file__).parents[1] / 'configs' / 'ddas_cls' / 'wrn40x2_cifar10.py'
    command = [sys.executable, '-c', WITHOUT_MMDETECTION, str(config)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.endswith('ImageClassifier DDASSearchLoop\n'), done.stdout + done.stderr
