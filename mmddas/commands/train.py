"""The command ``train``."""

import argparse

from mmddas.command_line import build_runner, check_run, end_process, load_config
from mmddas.derivation import evaluate_at_the_end, set_epochs, set_policy

from . import wrong_input_ends


def main(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    with wrong_input_ends(parser):
        config = load_config(args)
        check_run(config)
        if args.policy is not None:
            for place in set_policy(config, args.policy):
                print(f'DDASAugment follows {args.policy}: {place}')
        if args.epochs is not None:
            set_epochs(config, args.epochs)
            evaluate_at_the_end(config)
    build_runner(config).train()
    end_process()
