"""What the command-line tools share: the usual arguments of OpenMMLab's tools, and how they enter a config."""

import argparse
import atexit
import ctypes
import difflib
import functools
import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmddas.compat import import_formatter
from mmddas.core.files import check_folder
from mmddas.datasets.walk import type_name
from mmddas.engine.checkpoints import check_checkpoint, latest_checkpoint, protect_checkpoints
from mmddas.engine.tasks import TASKS


def read_options(given: list[str]) -> dict:
    """``--cfg-options`` as MMEngine reads them.

    Raises:
        ValueError: One is not KEY=VALUE.
    """
    wrong = [option for option in given if '=' not in option]
    if wrong:
        raise ValueError(f'--cfg-options takes KEY=VALUE, got {wrong[0]!r}')
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    return parser.parse_args(['--cfg-options', *given] if given else []).cfg_options


def read_config(name: str) -> Config:
    """A config file, or one of a package's, ``mmdet::retinanet/retinanet_r50_fpn_1x_coco.py``.

    Raises:
        FileNotFoundError: There is none; of a package's, similar names are said.
        ValueError: It is no config.
    """
    if '::' in name:
        return _packaged_config(name)
    if not Path(name).is_file():
        raise FileNotFoundError(f'There is no config file {name!r}')
    try:
        return _scoped(Config.fromfile(name))
    except SyntaxError as error:
        raise ValueError(f'{name!r}, or a config that it is based on, is no Python: {error}') from error
    except Exception as error:  # a config is a program, and may fail in any way
        raise ValueError(f'{name!r} cannot be read as a config: {type(error).__name__}: {error}') from error


def _scoped(config: Config) -> Config:
    """With a ``default_scope``, which configs of imports may lack, since their parts are classes: their model's."""
    kind = (config.get('model') or {}).get('type')
    package = str(getattr(kind, '__module__', kind)).split('.')[0]
    if config.get('default_scope') is None and package in TASKS:
        config.default_scope = package
    return config


def _packaged_config(name: str) -> Config:
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
        similar = difflib.get_close_matches(path, there, 3, 0.5)
        raise FileNotFoundError(
            f'{package} has no config {path!r}' + (f'; similar ones are {", ".join(similar)}' if similar else '')
        )
    return get_config(name)


def load_config(args: argparse.Namespace) -> Config:
    """The config file with the arguments entered, to be run here and now.

    Raises:
        FileNotFoundError: There is no such config file, or no such checkpoint to resume from.
        ValueError: As of :func:`changed_config`, or the checkpoint is none.
    """
    return started(changed_config(args), args)


def changed_config(args: argparse.Namespace) -> Config:
    """The config file with what the arguments change of it, as it could be run on any machine.

    Raises:
        FileNotFoundError: There is no such config file.
        ValueError: ``--auto-scale-lr`` where the config does not say for which batch size its rate is.
    """
    config = read_config(args.config)
    config.merge_from_dict(read_options(args.cfg_options))
    if getattr(args, 'amp', False):
        config.optim_wrapper.type = 'AmpOptimWrapper'
        config.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if getattr(args, 'auto_scale_lr', False):
        if 'base_batch_size' not in config.get('auto_scale_lr', {}):
            raise ValueError('--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the config')
        config.auto_scale_lr.enable = True
    return config


def started(config: Config, args: argparse.Namespace) -> Config:
    """The config with what depends on this machine and this start: launcher, work dir, backend and checkpoint.

    Raises:
        FileNotFoundError, ValueError: There is no such checkpoint to resume from, or it is none.
    """
    join_processes(config, args)
    config.launcher = args.launcher
    config.work_dir = args.work_dir or config.get('work_dir') or f'work_dirs/{Path(args.config).stem}'
    _use_gloo_without_gpu(config)
    if getattr(args, 'resume', None):
        checkpoint = latest_checkpoint(config.work_dir) if args.resume == 'auto' else check_checkpoint(args.resume)
        if checkpoint is None:  # weights that the config begins with stay
            print(f'There is no checkpoint in {config.work_dir} to resume from: this run starts at the beginning')
        else:
            config.update(resume=True, load_from=str(checkpoint))
    return config


def check_parts(config: Config, *names: str) -> None:
    """Raise ValueError for a config that lacks one of these settings."""
    missing = [name for name in names if config.get(name) is None]
    if missing:
        raise ValueError(
            f'The config has no {" and no ".join(missing)}: give that of a detector or classifier, with its data'
        )


def check_run(config: Config) -> None:
    """What can be said of a training or search before it is built: its parts, its data and its work dir.

    Raises:
        FileExistsError: The work dir has checkpoints of an earlier run, which is not to be resumed.
        OSError, ValueError: A part is missing, or as of :func:`build_runner`.
    """
    check_parts(config, 'model', 'train_dataloader', 'train_cfg', 'optim_wrapper')
    check_data(config, _needed_loaders(config))
    if not config.get('resume'):
        check_no_earlier_run(config.work_dir)
    check_folder(config.work_dir, 'The work dir (--work-dir names another one)')


def check_no_earlier_run(work_dir: str) -> None:
    """Raise FileExistsError where a work dir has checkpoints, for a run that does not go on from one."""
    there = latest_checkpoint(work_dir)
    if there is not None:
        raise FileExistsError(
            f'{there} is of an earlier run, over which this one would write: --resume goes on with that one, '
            '--work-dir names another folder for this one'
        )


def build_runner(config: Config, *loaders: str) -> Runner:
    """The runner of a config, of the type that it names or MMEngine's own; its checkpoints are written whole.

    Args:
        loaders: The config's data loaders that will be needed; by default those of a training or search.

    Raises:
        OSError: The work dir cannot be written to.
        FileNotFoundError: An annotation file or a data root of these data loaders is missing.
    """
    _keep_freed_memory_without_gpu()
    import_formatter()
    check_folder(config.work_dir, 'The work dir (--work-dir names another one)')
    check_data(config, loaders or _needed_loaders(config))
    runner = RUNNERS.build(config) if 'runner_type' in config else Runner.from_cfg(config)
    protect_checkpoints(runner)
    return runner


def end_process() -> None:
    """End a program whose work is done and that is one of several; one alone ends by itself.

    Gloo's threads may still hold tensors then. Where they let go of one while the interpreter is being taken down, the
    process aborts (pytorch/pytorch issue 190489), and the launcher calls a complete run failed: about once in 30 runs
    on a busy machine, also where the process group is destroyed first. So what Python does at exit is done here, and
    the interpreter is left standing.
    """
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _needed_loaders(config: Config) -> list[str]:
    """A search evaluates only where it is asked to."""
    loop = config.get('train_cfg') or {}
    evaluates = type_name(loop) != 'DDASSearchLoop' or loop.get('val_interval') is not None
    return ['train_dataloader', 'train_cfg.policy_dataloader'] + ['val_dataloader'] * evaluates


def check_data(config: Config, loaders: Iterable[str]) -> None:
    """Look at the files of these data loaders of a config.

    Raises:
        FileNotFoundError: One is missing; the setting that names it is said.
        ValueError: It is no annotation file.
    """
    for name in loaders:
        loader = functools.reduce(lambda part, key: (part or {}).get(key), name.split('.'), config)
        if isinstance(loader, dict):
            _check_dataset(f'{name}.dataset', loader.get('dataset'))


def _check_dataset(name: str, dataset: object) -> None:
    if isinstance(dataset, (list, tuple)):
        for index, item in enumerate(dataset):
            _check_dataset(f'{name}.{index}', item)
    if not isinstance(dataset, dict):
        return
    for key in ('dataset', 'datasets'):
        _check_dataset(f'{name}.{key}', dataset.get(key))
    root, annotations = str(dataset.get('data_root') or ''), dataset.get('ann_file')
    # CIFAR and the like, which have neither, download what is missing; ImageNet, which may have neither, does not.
    needed = annotations or (root if dataset.get('data_prefix') or type_name(dataset).endswith('ImageNet') else '')
    if not isinstance(needed, str) or not needed or '://' in root + needed or dataset.get('backend_args'):
        return
    path = Path(root, annotations or '')
    if not path.exists():
        setting = f'{name}.data_root={root!r}' if root else f'{name}.ann_file={annotations!r}'
        raise FileNotFoundError(
            f'There is no {path}, of {setting}: get the data, or say where they are with '
            f'--cfg-options {name}.{"data_root" if root else "ann_file"}=PATH'
        )
    if type_name(dataset).endswith('CocoDataset') and (path.is_dir() or path.suffix.lower() == '.xml'):
        raise ValueError(
            f'{path}, of {name}.ann_file, is {"a folder" if path.is_dir() else "XML"}, and a CocoDataset reads a JSON '
            'file: mmddas split makes one of a folder of Pascal-VOC XML files'
        )


def join_processes(config: Config, args: argparse.Namespace) -> None:
    """Make the process group where MMEngine cannot, on CPUs; before data sets are built, some of which wait in it.

    Left to itself, MMEngine sets a CUDA device and names it to the wrapper of the model.
    """
    import torch

    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if args.launcher == 'pytorch' and _wants_gloo(config) and not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')


def _wants_gloo(config: Config) -> bool:
    import torch

    given = config.get('env_cfg', {}).get('dist_cfg', {}).get('backend', 'nccl')
    return not torch.cuda.is_available() and given == 'nccl'


def _use_gloo_without_gpu(config: Config) -> None:
    if not _wants_gloo(config):
        return
    config.merge_from_dict({'env_cfg.dist_cfg.backend': 'gloo'})
    if config.launcher == 'pytorch':
        wrapper = dict(
            type='MMDistributedDataParallel',
            device_ids=None,
            broadcast_buffers=False,
            find_unused_parameters=config.get('find_unused_parameters', False),
        )
        config.model_wrapper_cfg = wrapper | (config.get('model_wrapper_cfg') or {})


def _keep_freed_memory_without_gpu() -> None:
    """Have the C library keep what a step has freed for the next one, where tensors are in the CPU's memory.

    Glibc hands large blocks back to the system, and a step on the CPU then asks for its activations page by page: of
    WRN-16-2's time that was a fifth. Other C libraries are left alone.
    """
    import torch

    if torch.cuda.is_available() or platform.libc_ver()[0] != 'glibc':
        return
    library = ctypes.CDLL(None)
    trim_threshold, mmap_max = -1, -4  # names of malloc.h
    library.mallopt(trim_threshold, 2**31 - 1)
    library.mallopt(mmap_max, 0)
