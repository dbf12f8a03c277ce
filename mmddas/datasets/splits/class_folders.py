"""Read images from a tree of class folders, ``<root>/<class>/<image>``."""

from __future__ import annotations

import os
from pathlib import Path

from .coco import name_some

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.pgm', '.tif', '.tiff', '.webp')


def read_class_folders(root: str | os.PathLike) -> dict[str, list[str]]:
    """The images of each class in a tree ``<root>/<class>/.../<image>``, as paths from ``root`` with ``/``.

    As for MMPretrain, every folder is a class and what has an image's suffix is an image; hidden files and
    folders are left out.

    Raises:
        FileNotFoundError: ``root`` does not exist.
        ValueError: There is no class folder or no image, or a name cannot stand in an annotation list.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"there is no image folder '{root}'")
    with os.scandir(root) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith('.'))
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

    paths = []
    for folder, subfolders, files in os.walk(root / name, followlinks=True, onerror=fail):
        subfolders[:] = [subfolder for subfolder in subfolders if not subfolder.startswith('.')]
        prefix = Path(folder).relative_to(root).as_posix()
        paths += [
            f'{prefix}/{file}' for file in files if file.lower().endswith(IMAGE_SUFFIXES) and not file.startswith('.')
        ]
    for path in paths:
        _check_listable(path)
    return paths


def _check_listable(path: str) -> None:
    """A list has one image a line, in UTF-8, and its readers strip the lines."""
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f'the name of image {path!r} is not UTF-8: rename it') from error
    if path != path.lstrip() or '\n' in path or '\r' in path:
        raise ValueError(
            f'image {path!r} cannot be named in an annotation list: rename what begins with a space or breaks the line'
        )
