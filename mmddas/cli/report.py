"""The command ``report``."""

import argparse

from mmddas.viz.report import write_report

from . import wrong_input_ends


def main(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    with wrong_input_ends(parser):
        print(write_report(args.work_dir, args.compare))
