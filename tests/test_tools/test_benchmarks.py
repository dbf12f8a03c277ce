"""The benchmarks run, and print what they promise. Their figures are for quiet machines: tools/benchmarks/guard.sh."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'configs/ddas/retinanet_thin_shapes.py')


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> list[str]:
    """The options that point the quick start's config to data of its own."""
    folder = tmp_path_factory.mktemp('data')
    command = [
        sys.executable,
        ROOT / 'tools/dataset_tools/make_shapes.py',
        '--out-dir',
        folder,
        '--num-train',
        '96',
        '--num-val',
        '24',
    ]
    subprocess.run(command, check=True, capture_output=True)
    loaders = ('train_dataloader', 'train_cfg.policy_dataloader')
    return ['--cfg-options', *(f'{loader}.dataset.data_root={folder}/' for loader in loaders)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'arguments', 'printed'),
    [
        ('operations.py', ['--repeats', '1'], ['two of detection', 'PIL, array to array']),
        ('search_step.py', [CONFIG, '--repeats', '1', '--warmup', '1'], ['ratio', 'outside forward and backward']),
        ('search_step.py', [CONFIG, '--profile'], ['Self CPU']),
        ('data.py', [CONFIG, '--samples', '8'], ['their sum', 'making the 4 views']),
        ('data.py', [CONFIG, '--re-training', '--samples', '40', '--rounds', '1'], ['p_tp = 0.5']),
        ('scale.py', [CONFIG, '--repeats', '2'], ['P, at L^ = 3', 'data workers']),
        ('communication.py', [CONFIG], ['MiB a step and process']),
        ('start.py', ['--repeats', '1'], ['import mmddas', 'tools/search.py --help']),
    ],
)
def test_benchmark(name, arguments, printed, data, tmp_path):
    options = data if CONFIG in arguments else []
    command = [sys.executable, str(ROOT / 'tools/benchmarks' / name), *arguments, *options]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
    assert all(text in found.stdout for text in printed), found.stdout
