"""Read images from a tree of class folders, ``<root>/<class>/<image>``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from .coco import name_some

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.pgm', '.tif', '.tiff', '.webp')


def visible_files(folder: Path, onerror: Callable[[OSError], None] | None = None) -> list[Path]:
    """List the files in a folder and below, sorted, without hidden ones; ``onerror`` is that of :func:`os.walk`."""
    found = []
    for where, folders, names in os.walk(folder, followlinks=True, onerror=onerror):
        folders[:] = [name for name in folders if not name.startswith('.')]
        found += [Path(where, name) for name in names if not name.startswith('.')]
    return sorted(found)


def is_image(path: Path) -> bool:
    return path.name.lower().endswith(IMAGE_SUFFIXES)


def read_class_folders(root: str | os.PathLike) -> dict[str, list[str]]:
    """List the images of each class in a tree ``<root>/<class>/.../<image>``, as paths from ``root`` with ``/``.

    As for MMPretrain, every folder is a class and every file with an image's suffix is an image; hidden files and
    folders are left out.

    Raises:
        FileNotFoundError: ``root`` does not exist.
        ValueError: There is no class folder or no image, or a name cannot stand in an annotation list.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"there is no image folder '{root}'")
    names = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith('.'))
    if not names:
        raise ValueError(f"'{root}' has no class folders; '<class>/<image>' is expected in it")
    images = {name: _images_below(root, name) for name in names}
    if not any(images.values()):
        raise ValueError(
            f"'{root}' has {len(names)} folders ({name_some(names)}) but no image in them; "
            f'the suffixes of images are {", ".join(IMAGE_SUFFIXES)}'
        )
    return images


def _images_below(root: Path, name: str) -> list[str]:
    def fail(error: OSError) -> None:
        raise error  # os.walk alone would leave out what it may not read

    paths = [path.relative_to(root).as_posix() for path in visible_files(root / name, fail) if is_image(path)]
    for path in paths:
        _check_listable(path)
    return paths


def _check_listable(path: str) -> None:
    """Raise ValueError for a path that no list can name: lists are UTF-8, a line an image, and readers strip lines."""
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f'the name of image {path!r} is not UTF-8: rename it') from error
    if path != path.lstrip() or '\n' in path or '\r' in path:
        raise ValueError(
            f'image {path!r} cannot be named in an annotation list: rename what begins with a space or breaks the line'
        )
