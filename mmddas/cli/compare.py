"""The command ``compare``."""

import argparse
import hashlib
import json
import re
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from mmengine.config import Config

from mmddas.config_nodes import annotation_files
from mmddas.core import PolicySchedule
from mmddas.derive import policy_for, set_epochs, set_policy
from mmddas.experiments.trainings import Results, Training, file_stem, last_values, run_trainings
from mmddas.files import write_text
from mmddas.stats.comparison import Comparison
from mmddas.viz.comparison_figure import draw_comparison

from . import wrong_input_ends
from .arguments import NONE
from .config import read_config, read_options
from .run import check_data

# `mmddas train`, which does not look for modules in the folder where it is typed, a clone of MMDetection for instance.
_TRAIN = (
    "import sys; sys.path.remove('') if '' in sys.path else None; "
    "from mmddas_cli import main; sys.argv[1:1] = ['train']; main()"
)
TRAIN = ('-c', _TRAIN)
# Ends of metrics that are meant where none is named.
USUAL = ('mAP', 'top1')
SEED = '{seed}'


def at_seed(name: str, seed: int) -> str:
    """A policy's name with the training's seed in its place: one search for each training."""
    return name.replace(SEED, str(seed))


def check_args(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Look at the numbers and names, and read the shard's."""
    if args.seeds < 1 or args.jobs < 1:
        parser.error('--seeds and --jobs are numbers of at least 1')
    match = re.fullmatch(r'(\d+)/(\d+)', args.shard)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        parser.error(f'--shard is 1/4, 2/4, ..., got {args.shard!r}')
    args.shard = int(match[1]), int(match[2])
    stems = [{file_stem(at_seed(policy, seed)) for seed in range(args.seeds)} for policy in args.policies]
    twice = [
        policy
        for policy, own in zip(args.policies, stems, strict=True)
        if sum(not own.isdisjoint(s) for s in stems) > 1
    ]
    if twice:
        parser.error(f'--policies has {" and ".join(twice)}, which would share files: give each once, or other names')
    args.cfg_options = read_options(args.cfg_options)


def load_policies(args: argparse.Namespace) -> dict[str, PolicySchedule | None]:
    """What is compared, by the names that were given, for each seed; ValueError for a policy of another task."""
    config = read_config(args.config)
    config.merge_from_dict(args.cfg_options)
    names = [at_seed(name, seed) for name in args.policies for seed in range(args.seeds)]
    return {name: None if name == NONE else policy_for(config, name) for name in dict.fromkeys(names)}


def training_config(args: argparse.Namespace, name: str, file: Path | None) -> Config:
    """The config with one of the policies, as it is trained."""
    config = read_config(args.config)
    config.merge_from_dict(args.cfg_options)
    for place in set_policy(config, None if file is None else str(file)):
        print(f'{name}: DDASAugment {place}')
    if args.epochs is not None:
        set_epochs(config, args.epochs)
    if config.get('val_evaluator') is None:
        raise ValueError(f'{args.config} has no val_evaluator, whose metric could be compared')
    check_data(config, ('train_dataloader', 'val_dataloader'))
    return config


def trainings(args: argparse.Namespace, policies: dict[str, PolicySchedule | None], work_dir: Path) -> list[Training]:
    """All of them, seed by seed, each with a config of its own in the work dir.

    Trainings read their files when they start. What is in a file is in its name, so that another comparison in the
    same work dir, of another length for instance, does not change them.
    """
    commands = {}
    data = data_digest(training_config(args, NONE, None))
    for name, schedule in policies.items():
        file = None
        if schedule is not None:
            file = work_dir / 'policies' / f'{file_stem(name)}_{digest(schedule.to_dict())}.json'
            schedule.save(file)
        config = training_config(args, name, file)
        settings = digest([config_text(config), content(schedule)])
        path = work_dir / 'configs' / f'{file_stem(name)}_{settings}.py'
        write_text(path, config.pretty_text)
        commands[name] = (*TRAIN, str(path), '--resume', '--cfg-options'), dict(settings=settings, data=data)
    wanted = [(seed, name) for seed in range(args.seeds) for name in args.policies]
    return [Training(name, seed, *commands[at_seed(name, seed)]) for seed, name in wanted]


def data_digest(config: Config) -> str:
    """Of the annotation files, and the checkpoint that a training begins with: with others it is another training.

    What else holds labels, Pascal VOC's XML files and folders of classes, is not looked at.
    """
    found = hashlib.sha256()
    nodes = [config.get(name) for name in ('train_dataloader', 'val_dataloader', 'val_evaluator')]
    for path in [*annotation_files(nodes), config.get('load_from') or '']:
        if Path(path).is_file():
            with Path(path).open('rb') as file:
                while part := file.read(1 << 20):
                    found.update(part)
    return found.hexdigest()[:16]


def digest(found: object) -> str:
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16]


def config_text(config: Config) -> str:
    """What tells one training from another: not where its policy's file lies."""
    config = Config(config.to_dict())
    config.pop('policy_file', None)
    return config.pretty_text


def content(schedule: PolicySchedule | None) -> dict | None:
    """What of a policy a training depends on."""
    if schedule is None:
        return None
    return {key: value for key, value in schedule.to_dict().items() if key not in ('meta', 'evidence')} | dict(
        options=schedule.meta.get('operation_options')
    )


def search_cost(schedule: PolicySchedule | None) -> str:
    """Steps of the search, and passes of each, where the policy's file has them."""
    if schedule is None or schedule.findings is None or 'num_sub_policies' not in schedule.meta:
        return ''
    return f'{schedule.findings.steps} steps of {schedule.meta["num_sub_policies"] + 2} passes'


def usual_metric(given: Iterable[str]) -> str | None:
    # Evaluators may give figures of single classes first.
    return next((name for name in given if name.endswith(USUAL) and not name.endswith('_precision')), None)


def check_metric(metric: str | None, row: dict) -> None:
    """ValueError where the evaluator does not give the metric.

    Where a network detects nothing it gives none, or others alone, such as those of proposals.
    """
    given = last_values(row)
    if metric is not None and metric not in given and usual_metric(given):
        raise ValueError(f'--metric {metric}: the evaluator does not give it; it gives {", ".join(given)}')


def chosen_metric(metric: str | None, rows: Iterable[dict]) -> str:
    """The metric to compare; ValueError where no training has it."""
    given = list(dict.fromkeys(name for row in rows for name in last_values(row)))
    if not given:
        raise ValueError(
            'There is no metric to compare: no network detects anything when its training ends, or the evaluator gives '
            'none (format_only)'
        )
    if metric is not None and metric not in given:
        raise ValueError(f'--metric {metric}: the evaluator does not give it; it gives {", ".join(given)}')
    return metric or usual_metric(given) or given[0]


def report(args: argparse.Namespace, policies: dict, wanted: list[Training], results: Results, work_dir: Path) -> None:
    rows = results.rows()
    found = {}
    for training in wanted:
        row = next((row for row in rows if training.is_in([row])), None)
        if row is not None:
            found[training.name, training.seed] = row
    if not found:
        raise ValueError('There is no result yet')
    metric = chosen_metric(args.metric, found.values())
    values, seconds = {}, {}
    for (name, seed), row in found.items():
        # COCO's evaluation gives nothing where nothing is detected: a mean of the others would be too good.
        values.setdefault(name, {})[seed] = last_values(row).get(metric, 0.0)
        seconds.setdefault(name, []).append(row['seconds'])
    costs = {name: search_cost(policies[at_seed(name, 0)]) for name in args.policies}
    nothing = [f'{name}, seed {seed}' for (name, seed), row in found.items() if metric not in last_values(row)]
    comparison = Comparison(metric, args.policies, values, seconds, costs, range(args.seeds), nothing)
    table = comparison.table()
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    print()
    for row in table:
        print('  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print(f'\n{comparison.sentence()}\n')
    write_text(work_dir / 'comparison.md', comparison.markdown(args.typed))
    write_text(work_dir / 'comparison.csv', comparison.csv())
    draw_comparison(comparison, work_dir / 'comparison.png')
    print(f'{work_dir}/comparison.md, .csv and .png')


def main(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    with wrong_input_ends(parser):
        check_args(parser, args)
    work_dir = args.work_dir or Path(f'work_dirs/compare/{Path(args.config).stem}')
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, lambda *_: sys.exit('Told to stop; the same command goes on'))
    results = Results(args.results or work_dir / 'results.jsonl')
    with wrong_input_ends(parser):
        policies = load_policies(args)
        wanted = trainings(args, policies, work_dir)
        mine = wanted[args.shard[0] - 1 :: args.shard[1]]
        failed = run_trainings(mine, results, work_dir / 'runs', args.jobs, lambda row: check_metric(args.metric, row))
        if len(failed) < len(mine):
            report(args, policies, wanted, results, work_dir)
    if failed:
        sys.exit('These trainings failed; the same command tries them again:\n' + '\n'.join(failed))
