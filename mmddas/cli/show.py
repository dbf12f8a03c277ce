"""The command ``show``."""

import argparse
from itertools import combinations

from mmddas.core import PolicySchedule, load_policy
from mmddas.viz.policy_table import policy_table

from . import wrong_input_ends


def column_names(paths: list[str]) -> list[str]:
    """The files' names as short as they differ: without what all paths begin and end with."""
    if len(set(paths)) < len(paths):
        raise ValueError('The same policy file is given twice')
    parts = [path.replace('\\', '/').split('/') for path in paths]
    while len(parts) > 1 and min(map(len, parts)) > 1 and len({part[0] for part in parts}) == 1:
        parts = [part[1:] for part in parts]
    while len(parts) > 1 and min(map(len, parts)) > 1 and len({part[-1] for part in parts}) == 1:
        parts = [part[:-1] for part in parts]
    return ['/'.join(part) for part in parts]


def check_epoch(epoch: int | None, schedules: dict[str, PolicySchedule]) -> None:
    """Raise ValueError where a policy has no such epoch (from 1)."""
    for name, schedule in schedules.items():
        if epoch is not None and not 1 <= epoch <= len(schedule):
            raise ValueError(f'{name}: --epoch must lie in 1..{len(schedule)}, the epochs of the search; got {epoch}')


def main(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    with wrong_input_ends(parser):
        names = column_names(args.policies)
        schedules = {
            name: load_policy(path).smooth(args.smoothing) for name, path in zip(names, args.policies, strict=True)
        }
        check_epoch(args.epoch, schedules)
        print(policy_table(schedules, args.top, -1 if args.epoch is None else args.epoch - 1))
        for name, schedule in schedules.items():
            if schedule.findings is not None:
                print(f'\nEvidence in {name}: {schedule.findings.sentence(len(schedule))}')
        for (name, one), (other_name, other) in combinations(schedules.items(), 2):
            if (
                one.findings is not None
                and other.findings is not None
                and (said := one.findings.rank_agreement(other.findings))
            ):
                print(f'\n{name} and {other_name}: {said}')
