"""The command ``search``."""

import argparse
import os
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process

from mmddas.config_nodes import type_name
from mmddas.derive import SearchOptions, derive_search
from mmddas.engine.checkpoints import check_checkpoint
from mmddas.files import keep_other, write_text

from . import wrong_input_ends
from .arguments import DERIVED
from .config import changed_config, load_config, read_config, read_options, started
from .run import (
    build_runner,
    check_data,
    check_no_earlier_run,
    check_run,
    check_work_dir,
    end_process,
    join_processes,
)

# The keys of --cfg-options that change the search, not the training that it is derived from.
OF_THE_SEARCH = ('train_cfg', 'default_hooks', 'log_processor')
# Where launchers give the number of this process, and how many there are; MMEngine reads them when it builds a runner.
_LAUNCHED = {
    'pytorch': ('RANK', 'WORLD_SIZE'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE'),
}


def main(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    with wrong_input_ends(parser):
        config = search_config(parser.prog, args)
        if config is None:
            return
        check_run(config)
    build_runner(config).train()
    if is_main_process():
        print(f'\nThe searched policy: {config.work_dir}/policy.json, {config.work_dir}/policy.png')
    end_process()


def search_config(prog: str, args: argparse.Namespace) -> Config | None:
    """Return the given config of a search, or derive one from a training's; None for --dry-run."""
    derived = {option: getattr(args, option[2:].replace('-', '_')) for option, *_ in DERIVED}
    derived = {option: value for option, value in derived.items() if value is not None}
    if type_name(read_config(args.config).get('train_cfg') or {}) == 'DDASSearchLoop':
        if derived or args.dry_run:
            raise ValueError(
                f'{args.config} is a search already: {next(iter(derived), "--dry-run")} is for searches that are '
                'derived from the config of a training. Change the config, or give --cfg-options'
            )
        config = load_config(args)
        if typed := _typed_options(args, args.cfg_options):
            config.typed_options = typed  # for the report's command that resumes
        return config
    # Without --work-dir not the training's, whose checkpoints are no search's.
    args.work_dir = args.work_dir or f'work_dirs/{_search_name(args)}'
    training = changed_config(args)
    join_processes(training, args)
    check_data(training, ['train_dataloader'])  # a search needs no data of the evaluation
    if args.resume not in (None, 'auto'):
        check_checkpoint(args.resume)
    if not (args.dry_run or args.resume or training.get('resume')):
        check_no_earlier_run(args.work_dir)
    options = SearchOptions(**{option[2:].replace('-', '_'): value for option, value in derived.items()})
    return _derived(prog, args, training, options)


def _derived(prog: str, args: argparse.Namespace, training: Config, options: SearchOptions) -> Config | None:
    """Derive a search from a training, and write its config into the work dir; None for --dry-run."""
    changes = {key: value for key, value in read_options(args.cfg_options).items() if _is_of_the_search(key)}
    if typed := _typed_options(args, [option for option in args.cfg_options if not _is_of_the_search(option)]):
        training.derived_with = typed  # for the report's commands
    rank_name, size_name = _LAUNCHED.get(args.launcher, ('', ''))
    found = derive_search(training, args.config, options, int(os.environ.get(size_name, 1)), changes)
    path = Path(args.work_dir, f'{_search_name(args)}.py')
    if int(os.environ.get(rank_name, 0)) == 0:
        check_work_dir(args.work_dir)
        kept = keep_other(path, found.text)
        write_text(path, found.text)
        if kept is not None:
            print(f'\nThe config that was there differs, and is kept: {kept}')
        print('\nThe search:\n' + ''.join(f'  {line}\n' for line in found.lines) + f'  {"config":10}{path}\n')
        for warning in found.warnings:
            print(f'WARNING: {warning}\n')
    if args.dry_run:
        print(f'Start it with: {prog} {path} --work-dir {args.work_dir}')
        return None
    # Without the name of the temporary file that it is read from, of which MMEngine would leave a copy.
    config = Config(Config.fromstring(found.text, '.py').to_dict())
    config.update(experiment_name=_search_name(args), resume=training.get('resume', False))
    return started(config, args)


def _is_of_the_search(option: str) -> bool:
    return option.split('.')[0] in OF_THE_SEARCH


def _search_name(args: argparse.Namespace) -> str:
    """Name a derived search: its config's file and, without ``--work-dir``, its work dir."""
    return f'{Path(args.config).stem}_search'


def _typed_options(args: argparse.Namespace, cfg_options: list[str]) -> list[str]:
    """Return the options of the training as they can be typed again, flags first."""
    flags = ['--amp'] * args.amp + ['--auto-scale-lr'] * args.auto_scale_lr
    return [*flags, *(['--cfg-options', *cfg_options] if cfg_options else [])]
