"""Read a config, from a file or a package, and apply the arguments of the command line to it."""

import argparse
import difflib
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config, DictAction

from mmddas.engine.checkpoints import check_checkpoint, latest_checkpoint
from mmddas.engine.tasks import TASKS

from .run import join_processes, use_gloo_without_gpu


def read_options(given: Sequence[str]) -> dict:
    """Parse ``--cfg-options`` as MMEngine does.

    Raises:
        ValueError: One is not KEY=VALUE.
    """
    wrong = [option for option in given if '=' not in option]
    if wrong:
        raise ValueError(f'--cfg-options takes KEY=VALUE, got {wrong[0]!r}')
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    return parser.parse_args(['--cfg-options', *given] if given else []).cfg_options


def read_config(name: str, cfg_options: Sequence[str] = ()) -> Config:
    """Read a config file, or a package's (``mmdet::retinanet/retinanet_r50_fpn_1x_coco.py``), with ``--cfg-options``.

    Raises:
        FileNotFoundError: There is no such config; for a package's, similar names are listed.
        ValueError: It is not a config, or an option is not KEY=VALUE.
    """
    if '::' in name:
        config = _read_packaged(name)
    elif not Path(name).is_file():
        raise FileNotFoundError(f'There is no config file {name!r}')
    else:
        try:
            config = Config.fromfile(name)
        except SyntaxError as error:
            raise ValueError(f'{name!r}, or a config that it is based on, is not valid Python: {error}') from error
        except Exception as error:  # a config is a program, and may fail in any way
            raise ValueError(f'{name!r} cannot be read as a config: {type(error).__name__}: {error}') from error
        # Configs of imports may lack a default_scope, since their parts are classes.
        kind = (config.get('model') or {}).get('type')
        package = str(getattr(kind, '__module__', kind)).split('.')[0]
        if config.get('default_scope') is None and package in TASKS:
            config.default_scope = package
    config.merge_from_dict(read_options(cfg_options))
    return config


def _read_packaged(name: str) -> Config:
    from mmengine.hub import get_config
    from mmengine.utils import get_installed_path

    package, _, path = name.partition('::')
    packages = (*TASKS, 'mmddas')
    if package not in packages:
        raise ValueError(f'{name!r}: packaged configs are {", ".join(f"{known}::..." for known in packages)}')
    try:
        folder = Path(get_installed_path(package), '.mim', 'configs')
    except ImportError as error:
        raise ValueError(f'{name!r} is a config of {package}, which is not installed') from error
    if not (folder / path).is_file():
        there = [file.relative_to(folder).as_posix() for file in folder.rglob('*.py')]
        similar = ', '.join(difflib.get_close_matches(path, there, 3, 0.5))
        raise FileNotFoundError(
            f'{package} has no config {path!r}' + (f'; similar ones are {similar}' if similar else '')
        )
    return get_config(name)


def load_config(args: argparse.Namespace) -> Config:
    """Read the config and apply all arguments, for a run that starts now.

    Raises:
        FileNotFoundError, ValueError: As of :func:`changed_config` and :func:`started`.
    """
    return started(changed_config(args), args)


def changed_config(args: argparse.Namespace) -> Config:
    """Read the config and apply the arguments that hold on any machine.

    Raises:
        FileNotFoundError: There is no such config file.
        ValueError: ``--auto-scale-lr`` needs a batch size that the config does not give; as of :func:`read_config`.
    """
    config = read_config(args.config, args.cfg_options)
    if getattr(args, 'amp', False):
        config.optim_wrapper.type = 'AmpOptimWrapper'
        config.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if getattr(args, 'auto_scale_lr', False):
        if 'base_batch_size' not in config.get('auto_scale_lr', {}):
            raise ValueError('--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the config')
        config.auto_scale_lr.enable = True
    return config


def started(config: Config, args: argparse.Namespace) -> Config:
    """Enter what depends on this machine and this start: launcher, work dir, backend and checkpoint.

    Raises:
        FileNotFoundError, ValueError: There is no such checkpoint to resume from, or it is not a checkpoint.
    """
    join_processes(config, args)
    config.launcher = args.launcher
    config.work_dir = args.work_dir or config.get('work_dir') or f'work_dirs/{Path(args.config).stem}'
    use_gloo_without_gpu(config)
    if getattr(args, 'resume', None):
        checkpoint = latest_checkpoint(config.work_dir) if args.resume == 'auto' else check_checkpoint(args.resume)
        if checkpoint is None:  # weights that the config begins with stay
            print(f'There is no checkpoint in {config.work_dir} to resume from: this run starts at the beginning')
        else:
            config.update(resume=True, load_from=str(checkpoint))
    return config
