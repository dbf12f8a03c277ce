"""Read Pascal-VOC annotations, an XML file an image, as COCO's.

Own code: MMDetection's ``XMLDataset`` reads one fixed layout for training, and cannot give COCO's annotations.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import cv2

from .class_folders import is_image, visible_files
from .coco import name_some

_CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')


class VOCFolder(NamedTuple):
    """The content of a folder of XML files.

    Args:
        annotations: COCO's; ``file_name`` is the image's path from the folder.
        unlabelled: Images that have no XML file, and are left out.
        without_area: Boxes that have no area, and are left out, as ``file: class``.
    """

    annotations: dict
    unlabelled: list[str]
    without_area: list[str]


def read_voc_folder(folder: str | os.PathLike) -> VOCFolder:
    """Read the XML files in a folder and below, each with its image, as COCO's annotations.

    The image of an XML file has its name, or is the one that its ``filename`` names; it may lie in any folder below.
    Where several do, it is

    1. the one that has both names;
    2. else one with the XML file's name and the suffix of ``filename``, which may be older than the files' names;
    3. else one that ``filename`` names;

    and of equals the nearest. Boxes are those that MMDetection's ``XMLDataset`` makes of them: corners less 1, as VOC
    counts pixels from 1.
    Objects that are ``difficult`` become crowd regions, which neither training nor evaluation counts. Categories are
    the names that occur, sorted; ids and order come from the paths.

    Raises:
        FileNotFoundError: There is no such folder, no XML file in it, or no image for one of them.
        ValueError: A file is not VOC's; what is wrong, and where, is named.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder '{folder}'")
    found = visible_files(folder)
    files, images = [path for path in found if path.suffix.lower() == '.xml'], [*filter(is_image, found)]
    if not files:
        raise FileNotFoundError(f"there is no XML file in '{folder}' or below")
    by_name, by_stem = {}, {}
    for image in images:
        by_name.setdefault(image.name, []).append(image)
        by_stem.setdefault(image.stem, []).append(image)
    entries, objects, missing, used = [], [], [], set()
    for file in files:
        name, size, boxes = _read(file)
        candidates = [*by_stem.get(file.stem, ()), *by_name.get(name, ())]
        if not candidates:
            missing.append(f'{file.name} ({name})' if name else file.name)
            continue
        # A mask may share the stem, and has another suffix. Of several the nearest: that beside the XML file, or in the
        # sibling folder.
        alike = [path for path in candidates if path.stem == file.stem and path.name == name]
        renamed = [path for path in candidates if path.stem == file.stem and path.suffix == Path(name).suffix]
        image = min(alike or renamed or by_name.get(name) or candidates, key=lambda path: (_distance(path, file), path))
        width, height = size or _size_of(image)
        used.add(image)
        entries.append(dict(file_name=image.relative_to(folder).as_posix(), width=width, height=height))
        objects.append([(file.name, *item) for item in boxes])
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of the {len(files)} XML files in '{folder}' have no image of their name in it or below: "
            f'{name_some(missing)}. Put the images beside them, or remove these'
        )
    if len(used) < len(entries):
        names = [entry['file_name'] for entry in entries]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"several XML files in '{folder}' are of one image: {name_some(twice)}. Keep one of each")
    annotations, without_area = _as_coco(entries, objects)
    unlabelled = [image.relative_to(folder).as_posix() for image in images if image not in used]
    return VOCFolder(annotations, unlabelled, without_area)


def _read(file: Path) -> tuple[str, tuple[int, int] | None, list[tuple[str, list[float], bool]]]:
    """Return the image's name, its width and height if given, and each object's class, corners and difficulty."""
    try:
        root = ElementTree.parse(file).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"'{file}' is not XML: {error}") from error
    if root.tag != 'annotation':
        raise ValueError(f"'{file}' is not an annotation of Pascal VOC: <annotation> is expected, not <{root.tag}>")
    size = [_whole(root.findtext(f'size/{side}')) for side in ('width', 'height')]
    objects = []
    for item in root.iter('object'):
        name = (item.findtext('name') or '').strip()
        if not name:
            raise ValueError(f"'{file}' has an object without a name")
        try:
            corners = [float(item.findtext(f'bndbox/{corner}')) for corner in _CORNERS]
        except (TypeError, ValueError) as error:
            found = {corner: item.findtext(f'bndbox/{corner}') for corner in _CORNERS}
            raise ValueError(f"'{file}': the box of '{name}' needs four numbers {_CORNERS}, got {found}") from error
        if not all(map(math.isfinite, corners)):
            raise ValueError(f"'{file}': the box of '{name}' is not finite: {corners}")
        objects.append((name, corners, (item.findtext('difficult') or '0').strip() == '1'))
    return (root.findtext('filename') or '').strip(), tuple(size) if min(size) > 0 else None, objects


def _whole(text: str | None) -> int:
    """Return a number of pixels; 0 for other text."""
    try:
        return int(float(text))
    except (TypeError, ValueError, OverflowError):
        return 0


def _distance(image: Path, file: Path) -> int:
    """Count the folders between an image and an XML file."""
    shared = len(os.path.commonprefix([image.parent.parts, file.parent.parts]))
    return len(image.parent.parts) + len(file.parent.parts) - 2 * shared


def _size_of(image: Path) -> tuple[int, int]:
    pixels = cv2.imread(str(image))
    if pixels is None:
        raise ValueError(f"'{image}' cannot be read as an image, and its XML file does not say its size")
    height, width = pixels.shape[:2]
    return width, height


def _as_coco(entries: Iterable[dict], objects: list[list[tuple]]) -> tuple[dict, list[str]]:
    names = sorted({name for found in objects for _, name, *_ in found})
    categories = {name: number for number, name in enumerate(names, start=1)}
    images, annotations, without_area = [], [], []
    for number, (entry, found) in enumerate(zip(entries, objects, strict=True), start=1):
        images.append(dict(id=number, **entry))
        for file, name, (left, top, right, bottom), difficult in found:
            width, height = right - left, bottom - top
            if width <= 0 or height <= 0:
                without_area.append(f'{file}: {name}')
                continue
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=number,
                    category_id=categories[name],
                    bbox=[left - 1, top - 1, width, height],
                    area=width * height,
                    iscrowd=int(difficult),
                )
            )
    listed = [dict(id=number, name=name) for name, number in categories.items()]
    return dict(images=images, annotations=annotations, categories=listed), without_area
