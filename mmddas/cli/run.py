"""Check a run before it is built, build its runner, and end its process."""

import argparse
import atexit
import ctypes
import functools
import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmddas.compat import import_formatter
from mmddas.config_nodes import type_name
from mmddas.engine.checkpoints import latest_checkpoint, protect_checkpoints
from mmddas.files import check_folder


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


def use_gloo_without_gpu(config: Config) -> None:
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
