"""Measure whether a policy helps: searches and trainings for a config of ``research/configs/comparisons/``.

Searches with both estimators in every search space, RandAugment's level on images apart, and ``mmddas compare`` of
these with no policy, uniform ones, TrivialAugment and the published ones. It goes on where it was interrupted; policies
are kept in ``research/policies/comparisons/``, results and the seconds of searches in ``research/data/comparisons/``,
as they come. To be run in the checkout, beside ``data/``.

    python research/does_it_help.py research/configs/comparisons/bccd_policies.py --seeds 3 --jobs 2
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from mmengine.config import Config
from tables import chosen_with, table_of_comparison
from yardstick import differences

from mmddas.core import PolicySchedule
from mmddas.core.estimators.shrinkage import within_divergence
from mmddas.core.named import uniform
from mmddas.derive import set_policy
from mmddas.experiments.trainings import Results, last_values
from mmddas.files import write_text

ROOT = Path(__file__).parents[1]
DATA = Path('research/data/comparisons')
ESTIMATORS = {'recommended': 'ShrinkageEstimator', 'paper': 'PaperEstimator'}
# The recommended search of a network that the config has trained without a policy.
TRAINED = 'trained'
# Whether there is worth in what the recommended search tells apart: its p_o to this power, more of it and the opposite.
POWERS = {'sharpened': 2.0, 'opposite': -2.0}
# What a perfect search could give: the order of operations that trainings with each alone have measured, on the test
# images, at the concentration that searches are held to.
MEASURED, DIVERGENCE = 'measured', 1.0
YARDSTICKS = {'bccd_policies': 'bccd', 'cards_policies': 'cards', 'cifar10_4k_policies': 'cifar10_1k'}
SPACES = {'detection': ('detection', 'detection_wide'), 'classification': ('cifar',)}
PUBLISHED = {
    'detection': ('zoph_v0', 'zoph_v1', 'zoph_v2', 'zoph_v3'),
    'classification': ('autoaugment_cifar10', 'fast_autoaugment_cifar10'),
}
RANDAUGMENT, LEVELS = 'randaugment', (3, 6, 9)  # whose level is chosen
# Of the searches: a search's equations are for its steps, whatever the training has.
SGD = ('_delete_=True', 'type=SGD', 'momentum=0.9', 'weight_decay=0.0001')


def search(args: argparse.Namespace, config: Config, kind: str, space: str, seed: int) -> Path:
    """Search, unless it is done; return the path of the policies, with ``{seed}`` in place of the seed."""
    name = config.get('searches_of') or Path(args.config).stem
    kept = Path('research/policies/comparisons') / name / f'{kind}_{space}_{seed}.json'
    files = kept.with_stem(f'{kind}_{space}_{{seed}}')
    if kept.is_file():
        return files
    if 'searches_of' in config:
        raise SystemExit(f'{kept} is not there: answer research/configs/comparisons/{name}.py first')
    work_dir = Path('work_dirs/comparisons') / name / kept.stem
    settings = [f'train_cfg.estimator.type={ESTIMATORS.get(kind, "ShrinkageEstimator")}', f'randomness.seed={seed}']
    if kind == TRAINED:
        settings.append(f'load_from={trained_network(args, config, seed)}')
    command = [ROOT / 'tools/search.py', args.config, '--space', space]
    command += ['--val-ann', config.val_ann] if 'val_ann' in config else []
    if 'config' in config.search:
        command = [ROOT / 'tools/search.py', ROOT / config.search.config]
        settings += [f'train_cfg.search_space={space}', f'train_cfg.max_epochs={config.search.epochs}']
    else:
        command += ['--epochs', config.search.epochs]
        settings += [f'optim_wrapper.optimizer.{option}' for option in (*SGD, f'lr={config.search.sgd}')]
    work_dir.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    run([*command, '--work-dir', work_dir, '--resume', '--cfg-options', *settings], work_dir / 'search.log')
    Results(DATA / f'{name}_searches.jsonl').add(dict(name=kept.stem, seconds=round(time.monotonic() - began)))
    PolicySchedule.load(work_dir / 'policy.json').save(kept)
    shutil.rmtree(work_dir)  # a search that is wanted anew begins anew
    return files


def trained_network(args: argparse.Namespace, config: Config, seed: int) -> Path:
    """Train without a policy; return the checkpoint, in the work dir (``mmddas compare`` keeps none)."""
    if 'val_ann' not in config:
        raise SystemExit(f'S_val of {args.config} is of the images that the network would know by heart; want val_ann')
    work_dir = Path('work_dirs/comparisons') / Path(args.config).stem / f'network_{seed}'
    checkpoint = work_dir / f'epoch_{config.train_cfg.max_epochs}.pth'
    if not checkpoint.is_file():
        plain = Config(config.to_dict())
        set_policy(plain, None)
        path = work_dir / 'network.py'
        write_text(path, plain.pretty_text)
        command = [ROOT / 'tools/train.py', path, '--work-dir', work_dir, '--resume']
        run([*command, '--cfg-options', f'randomness.seed={seed}'], work_dir / 'train.log')
    return checkpoint


def run(command: list, log: Path) -> None:
    """Run a tool of this repository on one thread, as trainings are; its output goes into a file."""
    print(f'{log} is being written', flush=True)
    environment = dict(os.environ, OMP_NUM_THREADS='1')
    with log.open('ab') as file:
        subprocess.run(
            [sys.executable, *map(str, command)], check=True, stdout=file, stderr=subprocess.STDOUT, env=environment
        )


def source_of(kind: str) -> str:
    """Return the kind of search that a kind of row takes its policies from."""
    return 'recommended' if kind in POWERS else kind


def raised(schedule: PolicySchedule, power: float) -> PolicySchedule:
    """Return the policy with every p_o raised to this power, normalised."""
    content = schedule.to_dict()
    content.pop('evidence', None)
    for epoch in content['epochs']:
        probs = np.array(epoch['op_probs']) ** power
        epoch['op_probs'] = list(probs / probs.sum())
    return PolicySchedule.from_dict(content)


def measured(args: argparse.Namespace, config: Config, space: str) -> Path:
    """Write the policy whose p_o grows with what an operation adds in ``yardstick.py``, DIVERGENCE from uniform.

    An operation's levels are equally likely; what has not been measured (Identity) adds nothing.
    """
    name = Path(args.config).stem
    file = Path('research/policies/comparisons') / name / f'{MEASURED}_{space}.json'
    if file.is_file():
        return file
    if name not in YARDSTICKS:
        raise SystemExit(f'nothing has been measured of operations with {name}, only with {", ".join(YARDSTICKS)}')
    rows = Results(ROOT / f'research/data/yardstick/{YARDSTICKS[name]}.jsonl').rows()
    worth = {op: np.mean([*by_seed.values()]) for op, by_seed in differences(rows, config.yardstick.metric).items()}
    content = uniform(space).to_dict()
    added = np.array([worth.get(candidate['op'], 0.0) for candidate in content['candidates']])
    logits = within_divergence(DIVERGENCE, 1e4 * added / np.abs(added).max())
    probs = np.exp(logits - logits.max())
    for epoch in content['epochs']:
        epoch['op_probs'] = list(probs / probs.sum())
    PolicySchedule.from_dict(content).save(file)
    return file


def compare(args: argparse.Namespace, config: object, policies: list, seeds: int, name: str) -> Path:
    """Train with these policies; return the path of the results."""
    results = DATA / f'{name}.jsonl'
    work_dir = Path('work_dirs/comparisons') / name
    command = [ROOT / 'tools/compare.py', config, '--policies', *policies, '--seeds', seeds, '--jobs', args.jobs]
    command += ['--results', results, '--work-dir', work_dir]
    subprocess.run([sys.executable, *map(str, command)], check=True)
    return results


def chosen_level(args: argparse.Namespace, config: Config, space: str) -> str:
    """Return RandAugment at the level that is best on images kept apart, at one seed."""
    stem = Path(args.config).stem
    name = f'{chosen_with(stem)}_choosing'
    results = DATA / f'{name}.jsonl'
    policies = [f'randaugment:{space}:level={level}' for level in LEVELS]
    if chosen_with(stem) == stem:
        apart = Config(config.to_dict())
        apart.merge_from_dict(apart.pop('choosing'))
        path = Path('work_dirs/comparisons') / f'{name}.py'
        write_text(path, apart.pretty_text)
        compare(args, path, policies, 1, name)
    elif not results.is_file():
        raise SystemExit(f'{results} is not there: answer research/configs/comparisons/{chosen_with(stem)}.py first')
    rows = {row['name']: row for row in last_of_each(results) if row['name'] in policies and row['seed'] == 0}

    def value(row: dict) -> float:
        return last_values(row).get(config.yardstick.metric, 0.0)

    return max(rows.values(), key=value)['name']


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='of research/configs/comparisons/')
    parser.add_argument('--seeds', type=int, default=3, help='of the trainings, and of the searches (default: 3)')
    parser.add_argument('--jobs', type=int, default=2, help='trainings, or searches, at a time (default: 2)')
    parser.add_argument(
        '--only',
        nargs='+',
        metavar='POLICY',
        help='these alone: none, opposite_detection, recommended_detection:total_prob=0.7, ...',
    )
    args = parser.parse_args()
    config = Config.fromfile(args.config)
    task = 'detection' if config.default_scope == 'mmdet' else 'classification'
    spaces = SPACES[task]
    searched = {f'{kind}_{space}': (kind, space) for space in spaces for kind in (*ESTIMATORS, TRAINED, *POWERS)}
    names = ['none', *(f'uniform:{space}' for space in spaces), f'trivialaugment:{spaces[0]}', RANDAUGMENT]
    names = args.only or [*names, *PUBLISHED[task], *(name for name in searched if searched[name][0] in ESTIMATORS)]
    rows = [name.partition(':')[0] for name in names]  # recommended_cifar of recommended_cifar:total_prob=0.7
    # Several rows may be of one search, which runs once.
    wanted = [
        (source_of(kind), space, seed)
        for seed in range(args.seeds)
        for kind, space in (searched[row] for row in rows if row in searched)
    ]
    wanted = list(dict.fromkeys(wanted))
    with ThreadPoolExecutor(args.jobs) as pool:
        files = list(pool.map(lambda item: search(args, config, *item), wanted))
    found = {f'{kind}_{space}': file for (kind, space, _), file in zip(wanted, files, strict=True)}
    for row in rows:
        if row in searched and searched[row][0] in POWERS:
            kind, space = searched[row]
            found[row] = found[f'{source_of(kind)}_{space}'].with_stem(f'{row}_{{seed}}')
            for seed in range(args.seeds):
                kept = found[row].with_stem(f'{row}_{seed}')
                raised(PolicySchedule.load(kept.with_stem(f'{source_of(kind)}_{space}_{seed}')), POWERS[kind]).save(
                    kept
                )
    for space in spaces:
        if f'{MEASURED}_{space}' in rows:
            found[f'{MEASURED}_{space}'] = measured(args, config, space)
    if RANDAUGMENT in names:
        found[RANDAUGMENT] = chosen_level(args, config, spaces[0])
    stem = Path(args.config).stem
    policies = {name: with_settings(found, name) for name in names}
    results = compare(args, args.config, [*policies.values()], args.seeds, stem)
    print('\n'.join(table_of_comparison(results)))


def with_settings(found: dict[str, str | Path], name: str) -> str:
    """Return what ``mmddas compare`` gets for a row: the file of a searched one, with the row's settings."""
    row, colon, settings = name.partition(':')
    file = found.get(row)
    return f'{file}{colon}{settings}' if isinstance(file, Path) else str(found.get(name, name))


def last_of_each(path: Path) -> list[dict]:
    """Return the last result of each name and seed."""
    return [*{(row['name'], row.get('seed')): row for row in Results(path).rows()}.values()]


if __name__ == '__main__':
    main()
