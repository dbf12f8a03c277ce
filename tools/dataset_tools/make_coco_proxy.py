"""Draw the search's S_train and S_val from a COCO annotation file, as two new annotation files.

    python tools/dataset_tools/make_coco_proxy.py data/coco/annotations/instances_train2017.json

A search needs few images (the paper: 3,000 and 1,500 of COCO's training images). Both subsets come from the *training*
annotations, so that the evaluation images stay unseen. Images are not copied: the new files name the old ones.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from mmddas.cli import wrong_input_ends
from mmddas.datasets.splits.coco import check_format, name_some, read_annotations
from mmddas.files import write_text

MAX_LISTED_CLASSES = 20


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


def describe(annotations: dict) -> str:
    """Count images, boxes and crowd regions in a line, and the boxes of each class where there are few classes."""
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
    """List the classes without a box, in the order of the categories."""
    counts = _boxes_per_class(annotations)
    return [category['name'] for category in annotations['categories'] if counts[category['id']] == 0]


def _check_request(num_train: int, num_val: int, seed: int) -> None:
    for name, value, lowest in (('num_train', num_train, 1), ('num_val', num_val, 1), ('seed', seed, 0)):
        if value < lowest:
            raise ValueError(f'{name} is {value}; it must be at least {lowest}')


def _candidate_ids(annotations: dict, keep_empty: bool) -> list:
    """Return the ids of the images to draw from, sorted, so that the order of the source does not matter."""
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
    """Return the annotations of some images, in the order of the source."""
    return {
        **annotations,
        'info': {**annotations.get('info', {}), 'search_subset': record},
        'images': [image for image in annotations['images'] if image['id'] in image_ids],
        'annotations': [a for a in annotations['annotations'] if a['image_id'] in image_ids],
    }


def _boxes_per_class(annotations: dict) -> Counter:
    return Counter(a['category_id'] for a in annotations['annotations'] if not a.get('iscrowd', 0))


def parse_args() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(
        description='Draw disjoint S_train and S_val for a policy search from a COCO annotation file. Writes '
        '<stem>_search_train.json and <stem>_search_val.json; images are not copied.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('ann_file', help='COCO annotation file of the training images')
    parser.add_argument('--out-dir', help='folder of the new files; by default that of the annotation file')
    parser.add_argument('--num-train', type=int, default=3000, help='images in S_train')
    parser.add_argument('--num-val', type=int, default=1500, help='images in S_val')
    parser.add_argument('--seed', type=int, default=0, help='same seed, same images')
    parser.add_argument('--keep-empty', action='store_true', help='also draw images without any non-crowd annotation')
    return parser, parser.parse_args()


def main() -> None:
    parser, args = parse_args()
    with wrong_input_ends(parser):
        written = write_search_split(**vars(args))
    for path, subset in written.items():
        print(f'{subset["info"]["search_subset"]["role"]}: {describe(subset)} -> {path}')
    absent = absent_classes(next(iter(written.values())))
    if absent:
        print(
            f'Warning: S_train has no box of {len(absent)} class(es): {name_some(absent)}. '
            'Ask for more images or try another seed.',
            file=sys.stderr,
        )


if __name__ == '__main__':
    main()
