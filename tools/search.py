"""Search a data-augmentation policy: policy.json and policy.png appear in the work dir after every epoch."""

import argparse

import mmddas  # noqa: F401  (registers the search loop, and makes MMCV work without compiled operators)
from mmddas.command_line import add_arguments, build_runner, end_process, load_config


def main() -> None:
    args = add_arguments(argparse.ArgumentParser(description=__doc__)).parse_args()
    config = load_config(args)
    loop = config.get('train_cfg', {}).get('type')
    if loop != 'DDASSearchLoop':
        raise SystemExit(
            f'{args.config} trains with {loop or "no loop at all"}; a search needs '
            "train_cfg=dict(type='DDASSearchLoop', ...). To train with a policy, use tools/train.py"
        )
    build_runner(config).train()
    print(f'\nThe searched policy: {config.work_dir}/policy.json, {config.work_dir}/policy.png')
    end_process()


if __name__ == '__main__':
    main()
