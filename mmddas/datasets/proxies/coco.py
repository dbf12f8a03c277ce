"""The proxy data of a search: two disjoint random subsets, S_train and S_val, of a COCO annotation file.

A search needs few images (the paper: 3,000 and 1,500 of COCO's training images). Both subsets come from the
*training* annotations, so that the evaluation images stay unseen. Images are not copied: the new files name
the old ones.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mmddas.core.files import write_text

REQUIRED_KEYS = {
    'images': ('id', 'file_name'),
    'annotations': ('image_id', 'category_id'),
    'categories': ('id', 'name'),
}
MAX_LISTED_CLASSES = 20
MAX_NAMED = 5


def split_coco(
    annotations: dict, num_train: int = 3000, num_val: int = 1500, seed: int = 0, keep_empty: bool = False
) -> tuple[dict, dict]:
    """Draw disjoint S_train and S_val from COCO annotations.

    The draw depends on the seed and the image ids only, not on the order of the source; ``num_val`` does not
    change S_train. Everything but ``images`` and ``annotations`` is kept whole, ids and order stay as they
    are; ``info`` gains an entry ``search_subset``. The source is not changed; the results share its objects.

    Args:
        annotations: The content of a COCO annotation file.
        num_train: Images in S_train.
        num_val: Images in S_val.
        seed: At least 0.
        keep_empty: Also draw images that have no annotation, or crowd annotations only.

    Returns:
        The annotations of S_train and of S_val.

    Raises:
        ValueError: Not COCO's format, an image id occurs twice, or there are too few images.
    """
    check_format(annotations)
    _check_request(num_train, num_val, seed)
    candidates = _candidate_ids(annotations, keep_empty)
    if len(candidates) < num_train + num_val:
        raise ValueError(_too_few(len(candidates), len(annotations['images']), num_train, num_val, keep_empty))
    order = np.random.default_rng(seed).permutation(len(candidates))
    train_ids = {candidates[i] for i in order[:num_train]}
    val_ids = {candidates[i] for i in order[num_train : num_train + num_val]}
    return (
        _subset(annotations, train_ids, {'role': 'S_train', 'seed': seed}),
        _subset(annotations, val_ids, {'role': 'S_val', 'seed': seed}),
    )


def write_search_split(
    ann_file: str | os.PathLike,
    out_dir: str | os.PathLike | None = None,
    num_train: int = 3000,
    num_val: int = 1500,
    seed: int = 0,
    keep_empty: bool = False,
) -> dict[Path, dict]:
    """Write ``<stem>_search_train.json`` and ``<stem>_search_val.json``; see :func:`split_coco`.

    Args:
        ann_file: A COCO annotation file, of training images.
        out_dir: Where to write, made if missing; by default the folder of ``ann_file``.
        num_train: Images in S_train.
        num_val: Images in S_val.
        seed: At least 0.
        keep_empty: Also draw images that have no annotation, or crowd annotations only.

    Returns:
        The two files and what they hold, S_train first.

    Raises:
        FileNotFoundError: ``ann_file`` does not exist.
        ValueError: It is not JSON, not in COCO's format or has too few images; the message names the file.
    """
    ann_file = Path(ann_file)
    source = read_annotations(ann_file)
    try:
        train, val = split_coco(source, num_train, num_val, seed, keep_empty)
    except ValueError as error:
        raise ValueError(f"'{ann_file}': {error}") from error
    out_dir = ann_file.parent if out_dir is None else Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, subset in {'train': train, 'val': val}.items():
        subset['info']['search_subset']['source'] = ann_file.name
        path = out_dir / f'{ann_file.stem}_search_{name}.json'
        write_text(path, json.dumps(subset))
        written[path] = subset
    return written


def read_annotations(ann_file: str | os.PathLike) -> dict:
    """Parse an annotation file, with errors that name it."""
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


def describe(annotations: dict) -> str:
    """One line: how many images, boxes and crowd regions, and the boxes of each class where these are few."""
    counts = _boxes_per_class(annotations)
    num_boxes = sum(counts.values())
    num_crowds = len(annotations['annotations']) - num_boxes
    line = f'{len(annotations["images"])} images, {num_boxes} boxes, {num_crowds} crowd regions'
    categories = annotations['categories']
    if len(categories) > MAX_LISTED_CLASSES:
        return f'{line}, {sum(counts[c["id"]] > 0 for c in categories)} of {len(categories)} classes'
    listed = ', '.join(f'{category["name"]} {counts[category["id"]]}' for category in categories)
    return f'{line} ({listed})'


def absent_classes(annotations: dict) -> list[str]:
    """Names of the classes that have no box, in the order of the categories."""
    counts = _boxes_per_class(annotations)
    return [category['name'] for category in annotations['categories'] if counts[category['id']] == 0]


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
    """With what pycocotools wants of every annotation: an ``area``, ``iscrowd``, and an ``id`` of its own, above 0.

    Of annotations that share an id it keeps the last one. It marks what a detection has been matched with by its id, so
    that an object whose id is 0 counts as not found.

    Args:
        annotations: That are loadable.

    Returns:
        The annotations, and what was added, a sentence each.
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
    """Raise ValueError, with the place, for what is not in COCO's format, or has two images of one id."""
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


def _check_request(num_train: int, num_val: int, seed: int) -> None:
    for name, value, lowest in (('num_train', num_train, 1), ('num_val', num_val, 1), ('seed', seed, 0)):
        if value < lowest:
            raise ValueError(f'{name} is {value}; it must be at least {lowest}')


def _candidate_ids(annotations: dict, keep_empty: bool) -> list:
    """Ids of the images to draw from, sorted so that the order of the source has no say."""
    ids = [image['id'] for image in annotations['images']]
    if not keep_empty:
        occupied = {a['image_id'] for a in annotations['annotations'] if not a.get('iscrowd', 0)}
        ids = [i for i in ids if i in occupied]
    return sorted(ids, key=lambda i: (isinstance(i, str), i))  # some exporters use names as ids


def _too_few(num_candidates: int, num_images: int, num_train: int, num_val: int, keep_empty: bool) -> str:
    found = f'{num_images} images'
    if not keep_empty:
        found += f', {num_candidates} of them with a non-crowd annotation'
    advice = 'ask for fewer'
    if not keep_empty and num_images >= num_train + num_val:
        advice += ', or keep the empty images too (keep_empty, --keep-empty)'
    return f'{num_train} + {num_val} = {num_train + num_val} images are asked for; there are {found}: {advice}'


def _subset(annotations: dict, image_ids: set, record: dict) -> dict:
    """The annotations of some images, in the order of the source."""
    return {
        **annotations,
        'info': {**annotations.get('info', {}), 'search_subset': record},
        'images': [image for image in annotations['images'] if image['id'] in image_ids],
        'annotations': [a for a in annotations['annotations'] if a['image_id'] in image_ids],
    }


def _boxes_per_class(annotations: dict) -> Counter:
    return Counter(a['category_id'] for a in annotations['annotations'] if not a.get('iscrowd', 0))
