"""Read annotation files in COCO's format, and check them: pycocotools names neither file nor entry in its errors."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

REQUIRED_KEYS = {
    'images': ('id', 'file_name'),
    'annotations': ('image_id', 'category_id'),
    'categories': ('id', 'name'),
}
MAX_NAMED = 5


def read_annotations(ann_file: str | os.PathLike) -> dict:
    """Parse an annotation file; errors name it."""
    path = Path(ann_file)
    split = 'mmddas split makes COCO annotations of a folder of Pascal-VOC XML files'
    if path.is_dir():
        raise ValueError(f"'{path}' is a folder; a COCO annotation file is expected: {split}")
    if not path.is_file():
        raise FileNotFoundError(f"there is no annotation file '{path}'")
    content = path.read_bytes()
    if content.lstrip(b'\xef\xbb\xbf \t\r\n').startswith(b'<'):
        raise ValueError(f"'{path}' is XML; a COCO annotation file, which is JSON, is expected: {split}")
    try:
        return json.loads(content)
    except ValueError as error:  # wrong syntax or wrong encoding
        raise ValueError(f"'{path}' is not JSON: {error}") from error


def name_some(names: Iterable) -> str:
    """Join names for a message, the first few of many only."""
    names = [str(name) for name in names]
    more = f' and {len(names) - MAX_NAMED} more' if len(names) > MAX_NAMED else ''
    return ', '.join(names[:MAX_NAMED]) + more


def check_loadable(annotations: dict) -> None:
    """Raise ValueError where MMDetection's ``CocoDataset`` could not read an entry; it is named."""
    for key, fields in {'images': ('height', 'width'), 'annotations': ('bbox',)}.items():
        _check_entries(key, annotations[key], fields)
    for index, item in enumerate(annotations['annotations']):
        box = item['bbox']
        if not (isinstance(box, list) and len(box) == 4 and all(isinstance(number, (int, float)) for number in box)):
            raise ValueError(
                f"not COCO's format: bbox is {box!r:.80} in annotations[{index}], not the numbers [x, y, width, height]"
            )


def completed(annotations: dict) -> tuple[dict, list[str]]:
    """Add what pycocotools needs of every annotation: ``area``, ``iscrowd``, and an ``id`` above 0 that no other has.

    Of annotations that share an id it keeps the last one, and an object with the id 0 counts as not found, since
    matches are marked by ids.

    Args:
        annotations: As :func:`check_loadable` passes them.

    Returns:
        The annotations, and a sentence on each thing that was added.
    """
    items, notes = annotations['annotations'], []
    ids = [item.get('id') for item in items]
    numbered = all(type(id_) is int and id_ for id_ in ids) and len(set(ids)) == len(ids)
    if not numbered:
        notes.append('ids of its annotations are missing, 0, no whole numbers or shared: they are numbered anew')
    without_area = sum('area' not in item for item in items)
    if without_area:
        notes.append(f'{without_area} annotations have no area, and get that of their boxes')
    whole = []
    for number, item in enumerate(items, 1):
        _, _, width, height = item['bbox']
        whole.append(dict(area=width * height, iscrowd=0) | item | dict(id=item['id'] if numbered else number))
    return dict(annotations, annotations=whole), notes


def check_format(annotations: dict) -> None:
    """Raise ValueError, with the place, for another format than COCO's, or two images of one id."""
    if not isinstance(annotations, dict):
        raise ValueError(f"not COCO's format: an object is expected at the top, not {type(annotations).__name__}")
    for key, fields in REQUIRED_KEYS.items():
        if key not in annotations:
            raise ValueError(f"not COCO's format: the key '{key}' is missing; there are {name_some(annotations)}")
        _check_entries(key, annotations[key], fields)
    if not isinstance(annotations.get('info', {}), dict):
        raise ValueError(f"not COCO's format: 'info' is {type(annotations['info']).__name__}, not an object")
    repeated = [i for i, count in Counter(image['id'] for image in annotations['images']).items() if count > 1]
    if repeated:
        raise ValueError(f"image ids must be unique; these occur more than once in 'images': {name_some(repeated)}")


def _check_entries(key: str, entries: list, fields: tuple[str, ...]) -> None:
    if not isinstance(entries, list):
        raise ValueError(f"not COCO's format: '{key}' is {type(entries).__name__}, not a list")
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise ValueError(f"not COCO's format: {key}[{index}] is {type(entry).__name__}, not an object")
        for field in fields:
            if field not in entry:
                raise ValueError(f"not COCO's format: the key '{field}' is missing in {key}[{index}]")
