"""Write files that appear whole or not at all.

Own code, since ``atomicwrites`` is archived, and gives an open file where Matplotlib and OpenCV need a path and suffix.
"""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import count
from pathlib import Path


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path``, renamed to it when the block ends without an error.

    The temporary file keeps the suffix (libraries choose formats by it) and is removed after an error.

    Raises:
        OSError: The file cannot be written (disk full, no permission, ...). An older file is as it was.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.stem}.', suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        _flush(temporary)
        umask = os.umask(0)
        os.umask(umask)
        with contextlib.suppress(PermissionError):  # some mounts know no modes
            temporary.chmod(0o666 & ~umask)  # mkstemp's mode keeps everybody else out
        temporary.replace(path)
        with contextlib.suppress(OSError):  # some file systems flush no folders; the file is there
            _flush(path.parent)  # the new name
    except OSError as error:
        if temporary is not None and error.filename is not None and Path(error.filename) not in (path, temporary):
            raise  # it names another file
        raise OSError(error.errno, f'{error.strerror or error}, while writing', str(path)) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Write what the system holds in memory to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_leftovers(folder: str | os.PathLike, *patterns: str) -> None:
    """Remove the temporary files of killed writers of such files (``'policy.json'``, ``'epoch_*.pth'``)."""
    for pattern in map(Path, patterns):
        for left in Path(folder).glob(f'.{pattern.stem}.*{pattern.suffix}'):
            left.unlink(missing_ok=True)


def check_folder(folder: str | os.PathLike, what: str, free_bytes: int = 0) -> None:
    """Raise OSError where ``folder`` cannot be made or written to, or has fewer than ``free_bytes`` left.

    Args:
        what: The folder's purpose, and how to name another one, for the message.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:  # with another name in every process
            probe.write(b' ')
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise OSError(error.errno, f'{what} cannot be written to ({os.strerror(error.errno)})', str(folder)) from error
    free = shutil.disk_usage(folder).free
    if free < free_bytes:
        raise OSError(
            errno.ENOSPC, f'{what} has {free >> 20} MiB left, and {-(-free_bytes >> 20)} MiB are needed', str(folder)
        )


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding='utf-8')


def same_content(paths: Iterable[str | os.PathLike]) -> list[list[str]]:
    """Return groups of files that are copies of each other; only files of equal size are read."""
    groups = _groups(map(str, paths), os.path.getsize)
    return [
        copies for group in groups for copies in _groups(group, lambda path: sha256(Path(path).read_bytes()).digest())
    ]


def _groups(paths: Iterable[str], key: Callable[[str], object]) -> list[list[str]]:
    """Return the paths with equal keys, in groups of at least two."""
    found: dict[object, list[str]] = {}
    for path in paths:
        found.setdefault(key(path), []).append(path)
    return [group for group in found.values() if len(group) > 1]


def keep_other(path: str | os.PathLike, text: str | None = None) -> Path | None:
    """Rename a file that is in the way of one with ``text``, and return its new name, with a number behind the old one.

    A file with the same text is not renamed, unless ``text`` is not known yet (None).
    """
    path = Path(path)
    if not path.is_file() or path.read_text(encoding='utf-8', errors='replace') == text:
        return None
    names = (path.with_name(f'{path.stem}_{number}{path.suffix}') for number in count(1))
    kept = next(name for name in names if not name.exists())
    path.rename(kept)
    return kept
