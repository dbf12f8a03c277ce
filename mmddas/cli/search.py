"""The command ``search``."""

import argparse
import os
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process

from mmddas.config_nodes import type_name
from mmddas.derive import SearchOptions, derive_search
from mmddas.engine.checkpoints import check_checkpoint
from mmddas.files import check_folder, keep_other, write_text

from . import wrong_input_ends
from .arguments import DERIVED
from .config import changed_config, load_config, read_config, read_options, started
from .run import build_runner, check_data, check_no_earlier_run, check_run, end_process, join_processes

# What --cfg-options say of the search, not of the training that it is derived from.
OF_THE_SEARCH = ('train_cfg', 'default_hooks', 'log_processor')
# Where launchers say which process this is, and of how many; MMEngine names them alike, but when it builds a runner.
_LAUNCHED = {
    'pytorch': ('RANK', 'WORLD_SIZE'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE'),
}


def _process(launcher: str) -> tuple[int, int]:
    """The number of this process, and how many there are, before MMEngine reads them."""
    names = _LAUNCHED.get(launcher)
    return (int(os.environ.get(names[0], 0)), int(os.environ.get(names[1], 1))) if names else (0, 1)


def search_name(args: argparse.Namespace) -> str:
    """The name of a derived search: of its config and, without ``--work-dir``, of its work dir."""
    return f'{Path(args.config).stem}_search'


def derived(args: argparse.Namespace, training: Config, prog: str) -> Config | None:
    """The search for a training, written into its work dir; None where that was all that was asked for."""
    names = [option[2:].replace('-', '_') for option, *_ in DERIVED]
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    rank, processes = _process(args.launcher)
    options = read_options(args.cfg_options)
    changes = {key: value for key, value in options.items() if key.split('.')[0] in OF_THE_SEARCH}
    of_training = [option for option in args.cfg_options if option.split('.')[0] not in OF_THE_SEARCH]
    typed = typed_options(args, of_training)
    if typed:
        training.derived_with = typed  # for the report's commands
    found = derive_search(training, args.config, SearchOptions(**given), processes, changes)
    work_dir = args.work_dir
    path = Path(work_dir, f'{search_name(args)}.py')
    if rank == 0:
        check_folder(work_dir, 'The work dir (--work-dir names another one)')
        kept = keep_other(path, found.text)
        write_text(path, found.text)
        if kept is not None:
            print(f'\nThe config that was there and differs is kept: {kept}')
        print('\nThe search:\n' + ''.join(f'  {line}\n' for line in found.lines) + f'  {"config":10}{path}\n')
        for warning in found.warnings:
            print(f'WARNING: {warning}\n')
    if args.dry_run:
        print(f'Start it with: {prog} {path} --work-dir {work_dir}')
        return None
    # Without the name of the temporary file that it is read from, of which MMEngine would leave a copy.
    config = Config(Config.fromstring(found.text, '.py').to_dict())
    config.update(experiment_name=search_name(args), resume=training.get('resume', False))
    return started(config, args)


def typed_options(args: argparse.Namespace, cfg_options: list[str]) -> list[str]:
    """What was typed, to be typed again: flags first."""
    flags = ['--amp'] * args.amp + ['--auto-scale-lr'] * args.auto_scale_lr
    return [*flags, *(['--cfg-options', *cfg_options] if cfg_options else [])]


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
    """The config of a search, or the one derived from a training's; None where that was all that was asked for."""
    if type_name(read_config(args.config).get('train_cfg') or {}) == 'DDASSearchLoop':
        unused = [option for option, *_ in DERIVED if getattr(args, option[2:].replace('-', '_')) is not None]
        if unused or args.dry_run:
            raise ValueError(
                f'{args.config} is a search already: {unused[0] if unused else "--dry-run"} is for searches that are '
                'derived from the config of a training. Change the config, or give --cfg-options'
            )
        config = load_config(args)
        typed = typed_options(args, args.cfg_options)
        if typed:
            config.typed_options = typed  # for the report's command to go on
        return config
    # Not the training's, whose checkpoints are no search's.
    args.work_dir = args.work_dir or f'work_dirs/{search_name(args)}'
    training = changed_config(args)
    join_processes(training, args)
    check_data(training, ['train_dataloader'])  # the search does without those of the evaluation
    if args.resume not in (None, 'auto'):
        check_checkpoint(args.resume)
    if not (args.dry_run or args.resume or training.get('resume')):
        check_no_earlier_run(args.work_dir)
    return derived(args, training, prog)
