"""Train a detector or classifier, with or without a policy.

    python tools/train.py CONFIG                            # as the config says
    python tools/train.py CONFIG --policy policy.json       # with a searched policy, or a packaged one: zoph_v1

CONFIG is any config of yours, or a packaged one, mmdet::retinanet/...; with --policy the transform and the hook that
follow the policy are put into it, where they are not there already.
"""

import argparse

import mmddas  # noqa: F401  (registers the components, and makes MMCV work without compiled operators)
from mmddas.command_line import add_arguments, build_runner, end_process, load_config
from mmddas.derivation import set_policy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument('--policy', help='a policy file, or the name of a packaged policy (see docs/policies.md)')
    args = parser.parse_args()
    config = load_config(args)
    if args.policy is not None:
        for place in set_policy(config, args.policy):
            print(f'DDASAugment follows {args.policy}: {place}')
    build_runner(config).train()
    end_process()


if __name__ == '__main__':
    main()
