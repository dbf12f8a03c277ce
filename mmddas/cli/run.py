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

import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmddas.compat import import_formatter
from mmddas.config_nodes import type_name
from mmddas.engine.checkpoints import latest_checkpoint, protect_checkpoints
from mmddas.files import check_folder


def check_run(config: Config) -> None:
    """Check a training or search before it is built.

    Raises:
        FileExistsError: As of :func:`check_no_earlier_run`.
        FileNotFoundError: As of :func:`check_data`.
        OSError: The work dir cannot be written to.
        ValueError: A part of the config is missing, or as of :func:`check_data`.
    """
    check_parts(config, 'model', 'train_dataloader', 'train_cfg', 'optim_wrapper')
    loop = config.get('train_cfg') or {}
    loaders = ['train_dataloader', 'train_cfg.policy_dataloader']
    if type_name(loop) != 'DDASSearchLoop' or loop.get('val_interval') is not None:
        loaders.append('val_dataloader')
    check_data(config, loaders)
    if not config.get('resume'):
        check_no_earlier_run(config.work_dir)
    check_work_dir(config.work_dir)


def check_parts(config: Config, *names: str) -> None:
    """Raise ValueError where the config lacks one of these settings."""
    missing = [name for name in names if config.get(name) is None]
    if missing:
        raise ValueError(
            f'The config has no {" and no ".join(missing)}: give that of a detector or classifier, with its data'
        )


def check_no_earlier_run(work_dir: str) -> None:
    """Raise FileExistsError where a work dir has checkpoints, for a run that does not resume one."""
    there = latest_checkpoint(work_dir)
    if there is not None:
        raise FileExistsError(
            f'{there} is of an earlier run, which this run would overwrite: --resume continues the earlier one, '
            '--work-dir names another folder for this one'
        )


def check_work_dir(work_dir: str) -> None:
    """Raise OSError where a work dir cannot be written to."""
    check_folder(work_dir, 'The work dir (--work-dir names another one)')


def check_data(config: Config, loaders: Iterable[str]) -> None:
    """Check the annotation files and data roots of these data loaders.

    Raises:
        FileNotFoundError: One is missing; the message says which setting names it.
        ValueError: It is not an annotation file.
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
        key, value = ('data_root', root) if root else ('ann_file', annotations)
        raise FileNotFoundError(
            f'There is no {path}, of {name}.{key}={value!r}: get the data, or say where they are with '
            f'--cfg-options {name}.{key}=PATH'
        )
    if type_name(dataset).endswith('CocoDataset') and (path.is_dir() or path.suffix.lower() == '.xml'):
        raise ValueError(
            f'{path}, of {name}.ann_file, is {"a folder" if path.is_dir() else "XML"}, and a CocoDataset reads a JSON '
            'file: mmddas split makes one from a folder of Pascal VOC XML files'
        )


def build_runner(config: Config) -> Runner:
    """Build the runner of a config, of the type that it names or MMEngine's own; its checkpoints are written whole."""
    _keep_freed_memory_without_gpu()
    import_formatter()
    runner = RUNNERS.build(config) if 'runner_type' in config else Runner.from_cfg(config)
    protect_checkpoints(runner)
    return runner


def _keep_freed_memory_without_gpu() -> None:
    """Have the C library keep what a step has freed for the next one, where tensors are in the CPU's memory.

    Glibc hands large blocks back to the system, and a step on the CPU then asks for its activations page by page: of
    WRN-16-2's time that was a fifth. Other C libraries are left alone.
    """
    if torch.cuda.is_available() or platform.libc_ver()[0] != 'glibc':
        return
    library = ctypes.CDLL(None)
    trim_threshold, mmap_max = -1, -4  # names of malloc.h
    library.mallopt(trim_threshold, 2**31 - 1)
    library.mallopt(mmap_max, 0)


def join_processes(config: Config, args: argparse.Namespace) -> None:
    """Make the process group on CPUs, before data sets are built, some of which wait in it.

    MMEngine would set a CUDA device and give it to the model's wrapper.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if args.launcher == 'pytorch' and _needs_gloo(config) and not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')


def _needs_gloo(config: Config) -> bool:
    backend = config.get('env_cfg', {}).get('dist_cfg', {}).get('backend', 'nccl')
    return not torch.cuda.is_available() and backend == 'nccl'


def use_gloo_without_gpu(config: Config) -> None:
    """Set the backend of a config to Gloo, and the model's wrapper to one without devices, where there is no GPU."""
    if not _needs_gloo(config):
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


def end_process() -> None:
    """End a process that is one of several; a single process ends by itself.

    Gloo's threads may still hold tensors. Where they release one while the interpreter shuts down, the process aborts
    (pytorch/pytorch issue 190489), and the launcher reports a complete run as failed: about once in 30 runs on a busy
    machine, also where the process group is destroyed first. So this runs Python's exit functions, and leaves without
    shutting the interpreter down.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
