"""tools/compare.py: every policy at every seed once, tables and a sentence in the end, mistakes said at once."""

import csv
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

import mmddas_cli
from mmddas.cli.compare import TRAIN
from mmddas.core import load_policy

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'configs/ddas/retinanet_thin_shapes_train.py')

# Stands for tools/train.py: a metric that tells policy, seed and epochs of the config that it is given.
TRAINING = """
import json, pathlib, runpy, sys
config = runpy.run_path(sys.argv[1])  # a dumped config is plain Python
begin, end = (sys.argv.index(option) for option in ('--cfg-options', '--work-dir'))
options = dict(option.split('=', 1) for option in sys.argv[begin + 1:end])
seed, policy = int(options['randomness.seed']), config['policy_file']
with open('trained.txt', 'a') as file:
    file.write(f'{pathlib.Path(sys.argv[1]).stem.rpartition("_")[0]} {seed}' + chr(10))
if policy and 'zoph_v1' in policy and seed == 1:
    sys.exit('cannot train')
folder = pathlib.Path(sys.argv[end + 1])
folder.mkdir(parents=True, exist_ok=True)
value = 0.3 + 0.01 * seed + (0.1 + 0.001 * seed if policy else 0.0)
metrics = {'coco/disc_precision': 0.9, 'coco/bbox_mAP': value, 'coco/bbox_mAP_50': 2 * value}
if policy and 'zoph_v2' in policy and seed == 1:
    metrics = {}
row = dict(at=config['train_cfg']['max_epochs'], last=True, metrics=metrics)
folder.joinpath('evaluations.jsonl').write_text(json.dumps(row))
"""


@pytest.fixture
def compare(tmp_path, monkeypatch, shapes, capfd):
    """Runs the tool in this process; returns its exit status and what it printed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools' / 'train.py').write_text(TRAINING)
    monkeypatch.setattr('mmddas.cli.compare.TRAIN', (str(tmp_path / 'tools' / 'train.py'),))
    roots = [f'{loader}.dataset.data_root={shapes}/' for loader in ('train_dataloader', 'val_dataloader')]

    def run(*arguments: str, config: str = CONFIG, options: tuple[str, ...] = ()) -> tuple[object, str]:
        monkeypatch.setattr(sys, 'argv', ['tools/compare.py', config, *arguments, '--cfg-options', *roots, *options])
        status = 0
        try:
            mmddas_cli.main('compare')
        except SystemExit as end:
            status = end.code
        printed = capfd.readouterr()
        return status, printed.out + printed.err

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield run
    for number, handler in before.items():
        signal.signal(number, handler)  # the tool's own would be inherited by what other tests start


def trained() -> list[str]:
    return sorted(Path('trained.txt').read_text().splitlines())


def results(name: str = 'retinanet_thin_shapes_train') -> Path:
    return Path('work_dirs/compare') / name


def written(policy: str, name: str = 'retinanet_thin_shapes_train') -> Config:
    """The config that was trained with this policy."""
    (path,) = (results(name) / 'configs').glob(f'{policy}_*.py')
    return Config.fromfile(path)


def test_every_policy_is_trained_with_at_every_seed_once(compare):
    load_policy('uniform').save('mine/policy.json')
    arguments = ('--policies', 'none', 'uniform', 'mine/policy.json', '--seeds', '2', '--jobs', '2')
    status, printed = compare(*arguments)
    assert status == 0 and 'Significantly better than none: ' in printed
    assert trained() == ['mine_policy.json 0', 'mine_policy.json 1', 'none 0', 'none 1', 'uniform 0', 'uniform 1']
    rows = list(csv.DictReader((results() / 'comparison.csv').open()))
    assert len(rows) == 6 and {row['policy'] for row in rows} == {'none', 'uniform', 'mine/policy.json'}
    assert '+0.1005' in (results() / 'comparison.md').read_text() and (results() / 'comparison.png').exists()
    # Again, with a seed more: only that is trained.
    assert compare(*arguments[:-4], '--seeds', '3', '--jobs', '2')[0] == 0
    assert len(trained()) == 9


def test_each_seed_may_have_a_policy_of_its_own(compare):
    load_policy('uniform').save('search_0/policy.json')
    arguments = ('--policies', 'none', 'search_{seed}/policy.json')
    status, printed = compare(*arguments, '--seeds', '2')
    assert status == 2 and "There is no policy file 'search_1/policy.json'" in printed
    load_policy('uniform:total_prob=0.9').save('search_1/policy.json')
    status, printed = compare(*arguments, '--seeds', '2')
    assert status == 0 and trained() == ['none 0', 'none 1', 'search_0_policy.json 0', 'search_1_policy.json 1']
    for seed, total_prob in enumerate((0.35, 0.9)):
        config = written(f'search_{seed}_policy.json')
        assert load_policy(config.policy_file).snapshots[0].total_prob == total_prob
    assert '| search_{seed}/policy.json | 2 |' in (results() / 'comparison.md').read_text()
    # Another policy of one seed is another training at that seed alone.
    load_policy('uniform:total_prob=0.8').save('search_1/policy.json')
    compare(*arguments, '--seeds', '2')
    assert trained().count('search_0_policy.json 0') == 1 and trained().count('search_1_policy.json 1') == 2


def test_configs_of_the_policies_differ_by_the_policy_alone(compare):
    compare('--policies', 'none', 'uniform', '--seeds', '1')
    none, uniform = (written(name) for name in ('none', 'uniform'))
    assert all(step.type != 'DDASAugment' for step in none.train_dataloader.dataset.pipeline)
    assert Path(uniform.policy_file).is_file()
    for config in (none, uniform):
        for key in ('custom_hooks', 'policy_file', 'train_pipeline', 'train_dataloader'):
            config.pop(key, None)
    assert none.to_dict() == uniform.to_dict()


def test_what_fails_is_named_tried_again_and_in_no_average(compare):
    for _ in range(2):
        status, printed = compare('--policies', 'none', 'zoph_v1', '--seeds', '2')
        assert (
            'zoph_v1, seed 1: ' in status
            and 'Missing, since they failed or have not been run: zoph_v1, seed 1.' in printed
        )
    assert trained().count('zoph_v1 1') == 2 and trained().count('zoph_v1 0') == 1


def test_a_network_that_detects_nothing_counts_as_0(compare):
    status, printed = compare('--policies', 'none', 'zoph_v2', '--seeds', '2')
    assert status == 0 and 'These networks detect nothing, which counts as 0: zoph_v2, seed 1.' in printed
    values = {(row['policy'], row['seed']): row for row in csv.DictReader((results() / 'comparison.csv').open())}
    assert float(values['zoph_v2', '1']['coco/bbox_mAP']) == 0
    status, printed = compare('--policies', 'none', 'zoph_v2', '--seeds', '2', '--metric', 'coco/bbox_mAP_50')
    assert status == 0 and len(trained()) == 4


def test_other_labels_are_other_trainings(compare, shapes, tmp_path):
    root = shutil.copytree(shapes, tmp_path / 'data')
    options = tuple(f'{loader}.dataset.data_root={root}/' for loader in ('train_dataloader', 'val_dataloader'))
    for _ in range(2):
        compare('--policies', 'none', 'uniform', '--seeds', '1', options=options)
    assert trained() == ['none 0', 'uniform 0']
    file = root / 'annotations' / 'train.json'
    file.write_text(file.read_text() + ' ')
    compare('--policies', 'none', '--seeds', '1', options=options)
    assert trained() == ['none 0'] * 2 + ['uniform 0']


@pytest.mark.slow
def test_trainings_look_for_no_modules_where_the_command_is_typed(tmp_path):
    (tmp_path / 'mmdet.py').write_text('raise SystemExit("a clone of MMDetection")')
    found = subprocess.run([sys.executable, *TRAIN, 'none.py'], cwd=tmp_path, capture_output=True, text=True)
    assert "There is no config file 'none.py'" in found.stderr


def test_another_length_or_another_policy_in_the_file_is_another_training(compare):
    load_policy('uniform').save('policy.json')
    arguments = ('--policies', 'none', 'policy.json', '--seeds', '1')
    compare(*arguments)
    compare(*arguments, '--epochs', '2')
    # Both have their files: trainings of the first may wait still.
    lengths = {Config.fromfile(path).train_cfg.max_epochs for path in (results() / 'configs').glob('none_*.py')}
    assert lengths == {2, 24}
    load_policy('uniform:total_prob=0.9').save('policy.json')
    compare(*arguments)
    assert trained() == ['none 0'] * 2 + ['policy.json 0'] * 3
    assert {'2', '24'} == {
        epoch
        for line in (results() / 'results.jsonl').read_text().splitlines()
        for epoch in json.loads(line)['evaluations']
    }


def test_shards_share_a_folder_and_do_everything_once(compare):
    for shard in ('1/3', '2/3', '3/3'):
        status, printed = compare(
            '--policies', 'none', 'uniform', '--seeds', '2', '--shard', shard, '--work-dir', 'all'
        )
        assert status == 0
    assert trained() == ['none 0', 'none 1', 'uniform 0', 'uniform 1'] and 'Missing' not in printed


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('--policies', 'none', 'zoph_v9'), "no policy named 'zoph_v9', and no such file; names are uniform"),
        (('--policies', 'none', 'a/policy.json'), 'There is no policy file'),
        (('--policies', 'none', 'pba_svhn'), 'pba_svhn is a policy for classification, and '),
        (('--policies', 'none', 'none'), 'none and none, which would share files'),
        (('--policies', 'a_{seed}.json', 'a_1.json'), 'a_{seed}.json and a_1.json, which would share files'),
        (('--policies', 'a/b.json', 'a_b.json'), 'a/b.json and a_b.json, which would share files'),
        (('--policies', 'none', '--seeds', '0'), 'at least 1'),
        (('--policies', 'none', '--shard', '3/2'), '--shard must be 1/4'),
        (('--policies', 'none', '--epochs', '0'), 'at least 1 epoch'),
        (('--policies', 'none', '--metric', 'mAP'), 'it gives coco/disc_precision, coco/bbox_mAP, coco/bbox_mAP_50'),
    ],
)
def test_mistakes_are_said(compare, arguments, message):
    status, printed = compare(*arguments)
    assert status == 2 and message in printed


def test_an_option_without_a_value_is_said(compare):
    status, printed = compare('--policies', 'none', options=('seed',))
    assert status == 2 and "--cfg-options takes KEY=VALUE, got 'seed'" in printed


def test_a_config_without_the_transform_gets_it_where_it_belongs(compare):
    status, printed = compare(
        '--policies', 'none', 'uniform', config=str(ROOT / 'configs/ddas/retinanet_thin_shapes_baseline.py')
    )
    assert status == 0 and 'uniform: DDASAugment after LoadAnnotations, before Resize' in printed
    for name, count in (('uniform', 1), ('none', 0)):
        dataset = written(name, 'retinanet_thin_shapes_baseline').train_dataloader.dataset
        assert [step.type for step in dataset.pipeline].count('DDASAugment') == count


def test_another_metric_of_the_evaluator_is_compared(compare):
    compare('--policies', 'none', 'uniform', '--seeds', '2', '--metric', 'coco/bbox_mAP_50')
    assert '| uniform | 2 | 0.8110 |' in (results() / 'comparison.md').read_text()
