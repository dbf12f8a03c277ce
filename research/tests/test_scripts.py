"""The scripts of research run, and print what they promise."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'configs/ddas/retinanet_thin_shapes.py')
POLICY = str(ROOT / 'research/policies/cifar10_rotated_wrn40x2.json')


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
        ('agreement.py', [CONFIG, '--epochs', '1', '--only', 'fused optimizer'], ['fused optimizer', 'log p_o']),
        ('operation_bars.py', [POLICY, '--out', 'operations.png', '--epochs', '1', '12'], ['operations.png']),
        ('noise.py', ['--steps', '20', '--runs', '2'], ['ShrinkageEstimator', 'Color in']),
        ('record.py', [CONFIG, '--out', 'record.npz', '--work-dir', 'record'], ['steps along 13 directions']),
        ('reliability.py', [CONFIG, '--seeds', '0', '--records', 'records', '--shuffles', '1'], ['past 0.98']),
    ],
)
def test_script(name, arguments, printed, data, tmp_path):
    options = data if CONFIG in arguments else []
    command = [sys.executable, str(ROOT / 'research' / name), *arguments, *options]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
    assert all(text in found.stdout for text in printed), found.stdout


def test_differences_on_several_data_are_put_together_in_units_of_their_noise(tmp_path, capsys, monkeypatch):
    """mAP by 0.02 better where seeds differ by 0.01, accuracy by 1 point worse where they differ by 1: 2 and -1."""

    def result(name: str, seed: int, metric: str, value: float) -> str:
        evaluations = {'1': {metric: 0.0}, '12': {metric: value}}
        return json.dumps(dict(name=name, seed=seed, seconds=60, evaluations=evaluations))

    searched = {'bccd_policies': ('detection', 'coco/bbox_mAP', 0.4, 0.01, 0.02)}
    searched['cifar10_4k_policies'] = 'cifar', 'accuracy/top1', 65.0, 1.0, -1.0
    for config, (space, metric, middle, noise, better) in searched.items():
        lines = []
        for seed, away in enumerate((-noise, 0.0, noise)):
            lines.append(result(f'uniform:{space}', seed, metric, middle + away))
            file = f'research/policies/comparisons/{config}/recommended_{space}_{{seed}}.json'
            lines.append(result(file, seed, metric, middle + better + away))
        (tmp_path / f'{config}.jsonl').write_text('\n'.join(lines) + '\n')
    (tmp_path / 'lengths.jsonl').write_text('{}\n')
    once = [result(name, 0, 'coco/bbox_mAP', 0.4) for name in ('uniform:detection', 'recommended_detection')]
    (tmp_path / 'bccd_policies_double.jsonl').write_text('\n'.join(once) + '\n')  # has no unit, and no part in the mean
    monkeypatch.syspath_prepend(ROOT / 'research')
    monkeypatch.setattr(sys, 'argv', ['searched_or_uniform.py', '--results', str(tmp_path)])
    runpy.run_path(str(ROOT / 'research/searched_or_uniform.py'), run_name='__main__')
    found = capsys.readouterr().out.splitlines()
    assert re.search(r'recommended_detection beside uniform:detection +\+0.020 \(.*, 3 pairs', found[0])
    assert found[1].startswith('bccd_policies_double: ') and found[1].endswith(' +0.000, 1 pair: no interval')
    assert re.search(r'recommended_cifar beside uniform:cifar +-1.00 \(.*, 3 pairs', found[2])
    low, high = (0.5 + sign * 2.5706 * 1.5 * (6 / 5) ** 0.5 / 6**0.5 for sign in (-1, 1))  # 95%, of 6 pairs
    assert found[3].endswith(f' +0.50 ({low:+.2f} to {high:+.2f}), 6 pairs'), found
    assert re.search(r' \+0.50 \(.*, 2 configs$', found[4]), found


@pytest.mark.slow
def test_the_answer_to_whether_it_helps_has_every_contender(data, tmp_path):
    train = data[1].split('=')[1]
    base = ROOT / 'configs/ddas/retinanet_thin_shapes_baseline.py'
    files = "dict(data_root=root, ann_file='annotations/{part}.json')"
    (tmp_path / 'config.py').write_text(
        f"""
_base_ = ['{base}']
root = '{train}'
yardstick = dict(metric='coco/bbox_mAP')
search = dict(epochs=1, sgd=0.01)
choosing = dict(val_evaluator=dict(ann_file=root + 'annotations/test.json'))
train_dataloader = dict(dataset={files.format(part='train')})
val_dataloader = dict(dataset={files.format(part='test')})
val_evaluator = dict(ann_file=root + 'annotations/test.json')
train_cfg = dict(max_epochs=1, val_interval=1)
model = dict(test_cfg=dict(score_thr=0.0))  # after an epoch there is nothing else to evaluate
"""
    )
    tool = ROOT / 'research/does_it_help.py'
    command = [sys.executable, str(tool), 'config.py', '--seeds', '1', '--jobs', '2']
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
    table = (tmp_path / 'work_dirs/comparisons/config/comparison.md').read_text()
    kinds = [f'{kind}_{space}' for kind in ('recommended', 'paper') for space in ('detection', 'detection_wide')]
    searched = [f'research/policies/comparisons/config/{kind}_{{seed}}.json' for kind in kinds]
    assert all((tmp_path / policy.format(seed=0)).exists() and policy in table for policy in searched)
    rows = ('none', 'uniform:detection', 'uniform:detection_wide', 'trivialaugment', 'randaugment', 'zoph_v3')
    assert all(f'| {row}' in table for row in rows)
    assert (tmp_path / 'research/data/comparisons/config.jsonl').exists()
