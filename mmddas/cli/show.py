"""The command ``show``."""

import argparse
from itertools import combinations

from mmddas.core import load_policy
from mmddas.viz.policy_table import policy_table

from . import wrong_input_ends


def main(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    with wrong_input_ends(parser):
        names = column_names(args.policies)
        schedules = {
            name: load_policy(path).smooth(args.smoothing) for name, path in zip(names, args.policies, strict=True)
        }
        for name, schedule in schedules.items():
            if args.epoch is not None and not 1 <= args.epoch <= len(schedule):
                raise ValueError(f'{name}: --epoch must be from 1 to {len(schedule)}, got {args.epoch}')
        print(policy_table(schedules, args.top, -1 if args.epoch is None else args.epoch - 1))
        for name, schedule in schedules.items():
            if schedule.findings is not None:
                print(f'\nEvidence in {name}: {schedule.findings.sentence(len(schedule))}')
        searched = {name: schedule.findings for name, schedule in schedules.items() if schedule.findings is not None}
        for (name, findings), (other_name, other) in combinations(searched.items(), 2):
            if said := findings.rank_agreement(other):
                print(f'\n{name} and {other_name}: {said}')


def column_names(paths: list[str]) -> list[str]:
    """Shorten paths to where they differ, by the folders and names with which all begin and end."""
    if len(set(paths)) < len(paths):
        raise ValueError('The same policy file is given twice')
    parts = [path.replace('\\', '/').split('/') for path in paths]
    while len(parts) > 1 and min(map(len, parts)) > 1 and len({part[0] for part in parts}) == 1:
        parts = [part[1:] for part in parts]
    while len(parts) > 1 and min(map(len, parts)) > 1 and len({part[-1] for part in parts}) == 1:
        parts = [part[:-1] for part in parts]
    return ['/'.join(part) for part in parts]
