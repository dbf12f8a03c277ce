"""Search a data-augmentation policy: policy.json and policy.png appear in the work dir after every epoch.

CONFIG trains a detector or classifier: any config of yours, or a packaged one, mmdet::retinanet/.... What a search
needs is derived from it and its data, printed, and written into the work dir as a config to read and to change. A
config that is a search already is run as it is.

    python tools/search.py my_retinanet.py                       # S_val: a third of the training images
    python tools/search.py my_retinanet.py --dry-run             # prints and writes the config, and stops
    python tools/search.py my_retinanet.py --val-ann webcam.json # S_val: what the model will meet
"""

import argparse
import os
from pathlib import Path

from mmengine.config import Config

import mmddas  # noqa: F401  (registers the search loop, and makes MMCV work without compiled operators)
from mmddas.command_line import add_arguments, build_runner, check_data, end_process, load_config, read_config
from mmddas.core.files import check_folder, write_text
from mmddas.derivation import SearchOptions, derive_search

DERIVED = (
    ('--val-share', float, "S_val's share of the training images (default: 1/3)"),
    ('--num-train', int, 'images of S_train'),
    ('--num-val', int, 'images of S_val'),
    ('--val-ann', str, 'S_val from this annotation file, of images that the model will meet; not the test data'),
    ('--val-data-root', str, 'S_val from below this folder'),
    ('--budget', float, "what the search may cost, as a share of the training's passes (default: 0.25)"),
    ('--epochs', int, 'passes over S_train, in the place of the budget'),
    ('--space', str, 'detection, detection_wide, cifar, imagenet: the candidates (default: by task and image size)'),
)


def parse_args() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    group = parser.add_argument_group('what is derived from a training config')
    for option, kind, words in DERIVED:
        group.add_argument(option, type=kind, help=words)
    group.add_argument('--dry-run', action='store_true', help='stop before the search')
    return parser, parser.parse_args()


def search_name(args: argparse.Namespace) -> str:
    """Of the search for a training: of its config, and of its work dir where no other is named."""
    return f'{Path(args.config).stem}_search'


def derived(args: argparse.Namespace, training: Config) -> Config | None:
    """The search for a training, written into its work dir; None where that was all that was asked for."""
    names = [option[2:].replace('-', '_') for option, *_ in DERIVED]
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    processes = int(os.environ.get('WORLD_SIZE', os.environ.get('SLURM_NTASKS', 1))) if args.launcher != 'none' else 1
    found = derive_search(training, args.config, SearchOptions(**given), processes)
    work_dir = training.work_dir
    path = Path(work_dir, f'{search_name(args)}.py')
    if int(os.environ.get('RANK', os.environ.get('SLURM_PROCID', 0))) == 0:
        check_folder(work_dir, 'The work dir (--work-dir names another one)')
        write_text(path, found.text)
        print('\nThe search:\n' + ''.join(f'  {line}\n' for line in found.lines) + f'  {"config":10}{path}\n')
        for warning in found.warnings:
            print(f'WARNING: {warning}\n')
    if args.dry_run:
        print(f'Start it with: python tools/search.py {path} --work-dir {work_dir}')
        return None
    config = Config.fromstring(found.text, '.py')
    config.update(launcher=training.launcher, work_dir=work_dir, resume=training.get('resume', False))
    for key in ('load_from', 'model_wrapper_cfg'):
        if training.get(key) is not None:
            config[key] = training[key]
    of_the_search = {key: value for key, value in (args.cfg_options or {}).items() if key.startswith('train_cfg.')}
    config.merge_from_dict(of_the_search)
    return config


def main() -> None:
    parser, args = parse_args()
    is_search = (read_config(args.config).get('train_cfg') or {}).get('type') == 'DDASSearchLoop'
    if not is_search:  # before --resume looks for a checkpoint: the training's are no search's
        args.work_dir = args.work_dir or f'work_dirs/{search_name(args)}'
    config = load_config(args)
    if not is_search:
        try:
            check_data(config, ['train_dataloader'])
            config = derived(args, config)
        except (ValueError, OSError) as error:
            parser.error(str(error))
        if config is None:
            return
    else:
        unused = [option for option, *_ in DERIVED if getattr(args, option[2:].replace('-', '_')) is not None]
        if unused or args.dry_run:
            parser.error(
                f'{args.config} is a search already: {unused[0] if unused else "--dry-run"} is for searches that are '
                'derived from the config of a training. Change the config, or give --cfg-options'
            )
    build_runner(config).train()
    print(f'\nThe searched policy: {config.work_dir}/policy.json, {config.work_dir}/policy.png')
    end_process()


if __name__ == '__main__':
    main()
