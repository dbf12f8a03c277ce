"""The command ``compare``."""

import argparse
import re
import signal
import sys
from pathlib import Path

from mmengine.config import Config

from mmddas.core import PolicySchedule
from mmddas.derive import policy_for, set_epochs, set_policy
from mmddas.experiments.comparing import (
    check_metric,
    compare_results,
    data_digest,
    digest,
    search_cost,
    settings_digest,
)
from mmddas.experiments.trainings import Results, Training, file_stem, run_trainings
from mmddas.files import write_text
from mmddas.stats.comparison import Comparison
from mmddas.viz.comparison_figure import draw_comparison
from mmddas.viz.tables import text_table

from . import wrong_input_ends
from .arguments import NONE
from .config import read_config
from .run import check_data

# `mmddas train`, which does not look for modules in the folder where it is typed, a clone of MMDetection for instance.
_TRAIN = (
    "import sys; sys.path.remove('') if '' in sys.path else None; "
    "from mmddas_cli import main; sys.argv[1:1] = ['train']; main()"
)
TRAIN = ('-c', _TRAIN)


def main(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    work_dir = args.work_dir or Path(f'work_dirs/compare/{Path(args.config).stem}')
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, lambda *_: sys.exit('Told to stop; the same command goes on'))
    results = Results(args.results or work_dir / 'results.jsonl')
    with wrong_input_ends(parser):
        part, parts = _check_args(parser, args)
        config = read_config(args.config, args.cfg_options)
        names = dict.fromkeys(_at_seed(name, seed) for name in args.policies for seed in range(args.seeds))
        policies = {name: None if name == NONE else policy_for(config, name) for name in names}
        trainings = _trainings(args, policies, work_dir)
        mine = trainings[part - 1 :: parts]
        failed = run_trainings(mine, results, work_dir / 'runs', args.jobs, lambda row: check_metric(args.metric, row))
        if len(failed) < len(mine):
            costs = {name: search_cost(policies[_at_seed(name, 0)]) for name in args.policies}
            report(compare_results(trainings, results.rows(), args.metric, costs), work_dir, args.typed)
    if failed:
        sys.exit('These trainings failed; the same command tries them again:\n' + '\n'.join(failed))


def _check_args(parser: argparse.ArgumentParser, args: argparse.Namespace) -> tuple[int, int]:
    """Check the numbers and names, and return those of the shard: which part, of how many."""
    if args.seeds < 1 or args.jobs < 1:
        parser.error('--seeds and --jobs must be at least 1')
    match = re.fullmatch(r'(\d+)/(\d+)', args.shard)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        parser.error(f'--shard must be 1/4, 2/4, ..., got {args.shard!r}')
    stems = [{file_stem(_at_seed(name, seed)) for seed in range(args.seeds)} for name in args.policies]
    shared = [
        name
        for name, own in zip(args.policies, stems, strict=True)
        if sum(not own.isdisjoint(others) for others in stems) > 1
    ]
    if shared:
        parser.error(f'--policies has {" and ".join(shared)}, which would share files: give each once, or rename one')
    return int(match[1]), int(match[2])


def _at_seed(name: str, seed: int) -> str:
    """Replace {seed} in a policy's name, so that each training has the policy of a search of its seed."""
    return name.replace('{seed}', str(seed))


def _trainings(args: argparse.Namespace, policies: dict[str, PolicySchedule | None], work_dir: Path) -> list[Training]:
    """Write a config for each policy, and return all trainings, seed by seed.

    Trainings read their files when they start. Files are named by their content, so that another comparison in the
    same work dir, of another length for instance, does not change them.
    """
    commands = {}
    data = data_digest(_training_config(args, NONE, None))
    for name, schedule in policies.items():
        file = None
        if schedule is not None:
            file = work_dir / 'policies' / f'{file_stem(name)}_{digest(schedule.to_dict())}.json'
            schedule.save(file)
        config = _training_config(args, name, file)
        settings = settings_digest(config, schedule)
        path = work_dir / 'configs' / f'{file_stem(name)}_{settings}.py'
        write_text(path, config.pretty_text)
        commands[name] = (*TRAIN, str(path), '--resume', '--cfg-options'), dict(settings=settings, data=data)
    return [
        Training(name, seed, *commands[_at_seed(name, seed)]) for seed in range(args.seeds) for name in args.policies
    ]


def _training_config(args: argparse.Namespace, name: str, file: Path | None) -> Config:
    config = read_config(args.config, args.cfg_options)
    for place in set_policy(config, None if file is None else str(file)):
        print(f'{name}: DDASAugment {place}')
    if args.epochs is not None:
        set_epochs(config, args.epochs)
    if config.get('val_evaluator') is None:
        raise ValueError(f'{args.config} has no val_evaluator, whose metric could be compared')
    check_data(config, ('train_dataloader', 'val_dataloader'))
    return config


def report(comparison: Comparison, work_dir: Path, command: str) -> None:
    """Print the table of a comparison, and write its files."""
    print(f'\n{text_table(comparison.table())}\n\n{comparison.sentence()}\n')
    write_text(work_dir / 'comparison.md', comparison.markdown(command))
    write_text(work_dir / 'comparison.csv', comparison.csv())
    draw_comparison(comparison, work_dir / 'comparison.png')
    print(f'{work_dir}/comparison.md, .csv and .png')
