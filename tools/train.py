"""Train a detector or classifier, with a searched policy where the config has a DDASAugment.

python tools/train.py CONFIG --cfg-options policy_file=work_dirs/SEARCH/policy.json
"""

import argparse

import mmddas  # noqa: F401  (registers the components, and makes MMCV work without compiled operators)
from mmddas.command_line import add_arguments, build_runner, end_process, load_config


def main() -> None:
    args = add_arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0])).parse_args()
    build_runner(load_config(args)).train()
    end_process()


if __name__ == '__main__':
    main()
