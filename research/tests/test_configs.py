"""The configs of research are read from where they are, and its data are of these configs."""

from pathlib import Path

import pytest
from mmengine.config import Config

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(ROOT.glob('configs/*/*.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_loads(path):
    config = Config.fromfile(path)
    assert config.train_dataloader.dataset and config.yardstick.metric
    search = config.get('search', {}).get('config')
    assert search is None or (ROOT.parent / search).is_file()
    assert (config.train_cfg.type == 'DDASSearchLoop') == path.stem.endswith('_search')


def test_measured_worth_is_of_a_config():
    stems = {path.stem for path in CONFIGS}
    measured = {path.stem.removesuffix('_clean_end') for path in ROOT.glob('data/yardstick/*.jsonl')}
    assert measured and measured <= stems
