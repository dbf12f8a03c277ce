"""What an installation carries besides the code: configs, tools, and the index that OpenMMLab's tools read."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import DATASETS, MODELS

from mmddas.cli.config import read_config

ROOT = Path(__file__).parents[1]
FOLDERS = ('ddas', 'ddas_cls')  # of configs/; those whose names begin with an underscore hold parts of configs
# A config of a user that builds on one of this package, and what shows that it does.
USERS_CONFIG = "_base_ = 'mmddas::ddas/retinanet_r50_coco.py'\nmax_epochs = 7\ntrain_cfg = dict(max_epochs=7)\n"
PROOF = """
import sys, mmddas
from mmengine.config import Config
from mmengine.hub import get_config
assert mmddas.__file__.startswith(sys.argv[1]), mmddas.__file__
assert get_config('mmddas::ddas/retinanet_thin_bccd.py').train_cfg.type == 'DDASSearchLoop'
config = Config.fromfile(sys.argv[2])
assert (config.train_cfg.type, config.train_cfg.max_epochs) == ('DDASSearchLoop', 7)
"""


@pytest.fixture
def users_config(tmp_path) -> Path:
    path = tmp_path / 'users_config.py'
    path.write_text(USERS_CONFIG)
    return path


def metafiles() -> list[dict]:
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    return [yaml.safe_load((ROOT / path).read_text()) for path in index['Import']]


def test_every_config_is_listed_once():
    listed = [model['Config'] for metafile in metafiles() for model in metafile['Models']]
    there = [f'configs/{folder}/{path.name}' for folder in FOLDERS for path in ROOT.glob(f'configs/{folder}/*.py')]
    assert {path.name for path in ROOT.glob('configs/[!_]*')} == set(FOLDERS)
    assert sorted(listed) == sorted(there)


@pytest.mark.slow
def test_entries_are_what_their_configs_say():
    for metafile in metafiles():
        collections = {collection['Name']: collection for collection in metafile['Collections']}
        for collection in collections.values():
            assert (ROOT / collection['README']).is_file()
        for model in metafile['Models']:
            assert model['Name'] == Path(model['Config']).stem
            assert model['In Collection'] in collections
            train_cfg = Config.fromfile(ROOT / model['Config']).train_cfg
            assert model['Metadata']['Epochs'] == train_cfg.max_epochs
            assert (model['Metadata']['Purpose'] == 'Search') == (train_cfg.type == 'DDASSearchLoop')


def test_configs_are_found_by_the_name_of_the_package(users_config):
    assert get_config('mmddas::ddas/retinanet_thin_bccd.py').train_cfg.type == 'DDASSearchLoop'
    assert read_config('mmddas::ddas/retinanet_thin_bccd.py').train_cfg.type == 'DDASSearchLoop'  # of a command
    config = Config.fromfile(users_config)
    assert (config.train_cfg.type, config.train_cfg.max_epochs) == ('DDASSearchLoop', 7)


def test_parts_of_a_packaged_base_are_built(tmp_path, shapes):
    base = "_base_ = 'mmddas::ddas/retinanet_thin_shapes_baseline.py'\n"
    path = tmp_path / 'config.py'
    path.write_text(f'{base}mine = {{{{_base_.train_dataloader}}}}\n')
    config = Config.fromfile(path)
    config.mine.dataset.data_root = f'{shapes}/'
    dataset = DATASETS.build(config.mine.dataset)
    assert len(dataset) == 12 and 'inputs' in dataset[0]
    MODELS.build(config.model)


@pytest.fixture(scope='module')
def checkout(tmp_path_factory) -> Path:
    """A copy of the repository to build in, without what git ignores."""
    copy = tmp_path_factory.mktemp('checkout') / 'mmddas'
    ignored = shutil.ignore_patterns('.*', 'build', 'data', 'dist', 'work_dirs', '*.egg-info', '__pycache__')
    shutil.copytree(ROOT, copy, ignore=ignored)
    return copy


def python(*arguments: str | Path, **environment: str) -> None:
    """Run Python, away from the checkout, in an environment; the output is part of a failure."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd='/', env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_wheel_carries_what_the_package_needs_and_no_more(checkout, tmp_path, users_config):
    pip = ('-m', 'pip', '--disable-pip-version-check')
    python(*pip, 'wheel', '--no-deps', '--no-build-isolation', '--wheel-dir', tmp_path, checkout)
    (wheel,) = tmp_path.glob('mmddas-*.whl')
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split('/')[0] for name in names if '.dist-info/' not in name} == {'mmddas', 'mmddas_cli.py'}
    assert not [name for name in names if {'research', 'tests', 'yardstick', 'comparisons'} & {*Path(name).parts}]
    data = [*(ROOT / 'mmddas/policies').glob('*.json'), ROOT / 'mmddas/viz/report/template.html']
    assert len(data) > 1 and {path.relative_to(ROOT).as_posix() for path in data} <= {*names}
    site = tmp_path / 'site'
    python(*pip, 'install', '--no-deps', '--target', site, wheel)
    for name in ('configs', 'tools'):
        expected = sorted(path.relative_to(checkout) for path in (checkout / name).rglob('*') if path.is_file())
        mim = site / 'mmddas' / '.mim'
        found = sorted(
            path.relative_to(mim)
            for path in (mim / name).rglob('*')
            if path.is_file() and '__pycache__' not in path.parts  # pip compiles what it installs
        )
        assert found == expected
    assert (site / 'mmddas' / 'py.typed').is_file()
    python('-c', PROOF, site, users_config, PYTHONPATH=str(site))
    python(site / 'mmddas' / '.mim' / 'tools' / 'search.py', '--help', PYTHONPATH=str(site))


@pytest.mark.slow
def test_the_source_distribution_builds_a_wheel(checkout, tmp_path):
    build = 'import os, sys, setuptools.build_meta as b; os.chdir(sys.argv[1]); b.build_sdist(sys.argv[2])'
    python('-c', build, checkout, tmp_path)
    (archive,) = tmp_path.glob('mmddas-*.tar.gz')
    python('-m', 'pip', 'wheel', '--no-deps', '--no-build-isolation', '--wheel-dir', tmp_path, archive)
    (wheel,) = tmp_path.glob('mmddas-*.whl')
    shutil.unpack_archive(wheel, tmp_path / 'site', 'zip')
    assert (tmp_path / 'site' / 'mmddas' / '.mim' / 'model-index.yml').is_file()
    assert (tmp_path / 'site' / 'mmddas' / '.mim' / 'configs' / 'ddas' / 'metafile.yml').is_file()
