"""The command ``train``."""

import argparse

from mmddas.derive import set_epochs, set_policy
from mmddas.engine.hooks import EvaluationRecordHook

from . import wrong_input_ends
from .arguments import NONE
from .config import load_config
from .run import build_runner, check_run, end_process


def main(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    with wrong_input_ends(parser):
        config = load_config(args)
        check_run(config)
        if args.policy is not None:
            for place in set_policy(config, None if args.policy == NONE else args.policy):
                print(f'DDASAugment follows {args.policy}: {place}')
        if args.epochs is not None:
            set_epochs(config, args.epochs)
    runner, evaluations = build_runner(config), EvaluationRecordHook()
    runner.register_hook(evaluations)
    runner.train()
    evaluations.complete(runner)
    end_process()
