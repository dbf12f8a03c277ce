"""Checkpoints that survive a kill at any moment."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from mmengine.dist import barrier
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmddas.files import atomic_path, remove_leftovers, write_text

_BACKEND = dict(backend='mmddas_whole_files')
# How checkpoints begin: as zip files, and before PyTorch 1.6 as pickles of protocol 2.
_BEGINNINGS = (b'PK', b'\x80\x02')
# Names of checkpoints: MMEngine's, and that of a search that was told to stop.
PATTERNS = ('epoch_*.pth', 'iter_*.pth', 'stopped.pth')


class WholeFilesBackend(LocalBackend):
    """MMEngine's local files, written whole or not at all."""

    def put(self, obj: bytes, filepath: str | os.PathLike) -> None:
        with atomic_path(filepath) as temporary:
            temporary.write_bytes(obj)


register_backend(_BACKEND['backend'], WholeFilesBackend, force=True)


def protect_checkpoints(runner: Runner) -> None:
    """Make the runner's ``CheckpointHook`` write whole files, and keep the last one until the next is written.

    Call it before the training starts. A hook with another storage is left alone.
    """
    for hook in runner.hooks:
        if not isinstance(hook, CheckpointHook) or hook.backend_args or hook.file_client_args:
            continue
        hook.backend_args = dict(_BACKEND)
        if hook.max_keep_ckpts == 1:  # MMEngine removes the old checkpoint before it writes the new one
            hook.max_keep_ckpts = 2


def save_now(runner: Runner) -> Path:
    """Save ``stopped.pth`` between two iterations; all processes return when it is there."""
    path = Path(runner.work_dir, 'stopped.pth')
    runner.save_checkpoint(
        str(path.parent),
        path.name,
        meta=dict(epoch=runner.epoch, iter=runner.iter),
        by_epoch=False,
        backend_args=dict(_BACKEND),
    )
    if runner.rank == 0:
        write_text(path.parent / 'last_checkpoint', str(path))
    barrier()  # a launcher ends all processes when the first has left
    return path


def check_checkpoint(name: str) -> str:
    """Return the name of a checkpoint, checked unless it lies elsewhere (``https://...``).

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no checkpoint of PyTorch, or is cut short.
    """
    if '://' in name:
        return name
    if not Path(name).is_file():
        raise FileNotFoundError(f'There is no checkpoint {name!r}')
    with open(name, 'rb') as file:
        begin = file.read(2)
    if begin not in _BEGINNINGS:
        raise ValueError(f'{name!r} is no checkpoint: PyTorch writes zip files, and this is none')
    if begin == b'PK':
        try:
            with zipfile.ZipFile(name) as archive:
                members = archive.namelist()
        except zipfile.BadZipFile:  # their table is at the end
            raise ValueError(f'{name!r} is cut short: copy or download the checkpoint again') from None
        if not any(member.endswith('/data.pkl') for member in members):
            raise ValueError(f'{name!r} is a zip file, but no checkpoint of PyTorch')
    return name


def latest_checkpoint(work_dir: str | os.PathLike) -> Path | None:
    """Return the checkpoint to resume from: the one in ``last_checkpoint``, else the newest, else None.

    MMEngine writes ``last_checkpoint`` after the checkpoint, and not at once: a killed run may leave it empty, or the
    name of a file that is gone.
    """
    work_dir = Path(work_dir)
    named = work_dir / 'last_checkpoint'
    if named.is_file():
        path = Path(named.read_text(encoding='utf-8', errors='replace').strip())
        for candidate in (work_dir / path.name, path):  # a work dir may have been moved, or copied
            if candidate.is_file():
                return candidate
    saved = [path for pattern in PATTERNS for path in work_dir.glob(pattern)]
    return max(saved, key=lambda path: path.stat().st_mtime, default=None)


def remove_unfinished(work_dir: str | os.PathLike) -> None:
    """Remove the unfinished files of a killed run."""
    written = ('policy.json', 'policy.png', 'report.json', 'report.html', 'last_checkpoint')
    remove_leftovers(work_dir, *PATTERNS, *written)
