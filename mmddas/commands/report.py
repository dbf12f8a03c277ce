"""The command ``report``."""

import argparse

from mmddas.report import write_report


def main(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    try:
        print(write_report(args.work_dir, args.compare))
    except (ValueError, OSError) as error:
        parser.error(str(error))
