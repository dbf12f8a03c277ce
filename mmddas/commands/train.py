"""The command ``train``."""

import argparse

from mmddas.command_line import build_runner, end_process, load_config
from mmddas.derivation import set_policy


def main(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    config = load_config(args)
    if args.policy is not None:
        for place in set_policy(config, args.policy):
            print(f'DDASAugment follows {args.policy}: {place}')
    build_runner(config).train()
    end_process()
