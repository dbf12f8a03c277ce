"""Check S_train and S_val: their objects, their classes, and the images that they share."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.logging import print_log
from mmengine.registry import DATASETS
from torch.utils.data import Dataset

from mmddas.datasets.class_counts import ClassCounts, class_rows
from mmddas.datasets.walk import datasets_within, inner_datasets, transforms_of
from mmddas.files import same_content
from mmddas.viz.tables import text_table

_SHOWN = 8
# Transforms of MMCV and MMDetection, and base classes of such, that move what is on the image.
_MOVING = {
    *('Resize', 'RandomResize', 'RandomChoiceResize', 'RandomFlip', 'RandomCrop', 'CenterCrop', 'RandomAffine'),
    *('RandomShift', 'RandomRotate', 'GeomTransform', 'Expand', 'MinIoURandomCrop', 'RandomCenterCropPad'),
}


class DataSummary(NamedTuple):
    """The content of a data set.

    Args:
        counts: Images and objects of each class.
        images: A key of each image: its file, or a hash of its pixels.
        files: The annotation files.
    """

    counts: ClassCounts
    images: set[str]
    files: list[str]


def summary(dataset: Dataset) -> DataSummary:
    """Summarize all annotations of a data set and of those that it wraps."""
    classes = getattr(dataset, 'metainfo', {}).get('classes')
    images, objects, files, images_of, without = set(), None, [], Counter(), 0
    for part in datasets_within(dataset):
        if inner_datasets(part) or not hasattr(part, 'get_data_info'):
            continue
        files += [str(part.ann_file)] if getattr(part, 'ann_file', None) else []
        for index in range(len(part)):
            info = part.get_data_info(index)
            images.add(_image(info, unknown=f'sample {index} of {id(part)}'))
            if 'instances' in info:
                objects = Counter() if objects is None else objects
                labels = [instance.get('bbox_label') for instance in info['instances']]
                objects.update(labels)
                images_of.update(set(labels))
                without += not labels
            elif 'gt_label' in info:
                images_of.update(np.unique(info['gt_label']).tolist())
    classes = None if classes is None else tuple(classes)
    return DataSummary(ClassCounts(classes, len(images), objects, images_of, without), images, files)


def _image(info: dict, unknown: str) -> str:
    if isinstance(info.get('img_path'), str):
        return os.path.abspath(info['img_path'])
    image = info.get('img')
    if isinstance(image, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()
    return unknown  # unlike all others


def check_order(name: str, dataset: Dataset) -> None:
    """Raise ValueError where images are moved before their boxes are loaded, as a detector's ``test_pipeline`` does.

    Evaluation takes boxes from elsewhere; a loss gets those that stand on the image as it was.
    """
    for part in datasets_within(dataset):
        moved = None
        for transform in transforms_of(part):
            kinds = {kind.__name__ for kind in type(transform).__mro__}
            if moved and 'LoadAnnotations' in kinds and getattr(transform, 'with_bbox', False):
                raise ValueError(
                    f'The pipeline of {name} has {moved} before LoadAnnotations, so that boxes stay where they are and '
                    f'the image does not, as in pipelines for testing: put LoadAnnotations before {moved}'
                )
            moved = moved or (type(transform).__name__ if kinds & _MOVING else None)


def check_data(train: Dataset, val: Dataset) -> dict[str, ClassCounts]:
    """Check S_train and S_val together, before a search begins.

    Returns:
        The counts of each class in both.

    Raises:
        ValueError: One of them has images and no object, their classes differ, or S_val lies wholly in S_train.
    """
    summaries = dict(S_train=summary(train), S_val=summary(val))
    for name, found in summaries.items():
        counts = found.counts
        if counts.objects is not None and not counts.objects:
            explained = _explained(counts.classes, found.files)
            raise ValueError(f'{name} has {counts.images} images and no object{explained}')
    parts = {name: found.counts for name, found in summaries.items()}
    here, there = (counts.classes for counts in parts.values())
    if None not in (here, there) and here != there:
        raise ValueError(
            f'The classes of S_train are {_listed(here)}, those of S_val {_listed(there)}: give both data sets, '
            'policy_dataloader.dataset too, the same metainfo=dict(classes=(...))'
        )
    print_log(f'S_train and S_val:\n{text_table(class_rows(parts), indent=2)}', logger='current')
    for name, counts in parts.items():
        absent = [kind for label, kind in enumerate(counts.classes or ()) if not counts.images_of[label]]
        if absent and counts.images_of:
            what = 'image' if counts.objects is None else 'object'
            _warn(f'{name} has no {what} of {_listed(tuple(absent))}')
    copies = copies_under_other_names(summaries['S_train'].images, summaries['S_val'].images)
    if copies:
        _warn(
            f'S_train and S_val share {len(copies)} images under other names, such as {copies[0][0]} and '
            f'{copies[0][1]}: the policy is judged on what the network learns by heart. Keep the copies of an image in '
            'one of the two'
        )
    shared = len(summaries['S_train'].images & summaries['S_val'].images)
    total = len(summaries['S_val'].images)
    if shared and shared == total:
        raise ValueError(
            f'All {total} images of S_val are in S_train too, so that the policy would be judged on what the network '
            'has learned by heart: split the training images, as tools/dataset_tools/make_coco_proxy.py does'
        )
    if shared:
        _warn(
            f'S_train and S_val share {shared} of the {total} images of S_val: the policy is judged on what the '
            'network learns by heart. Split the training images, as tools/dataset_tools/make_coco_proxy.py does'
        )
    return parts


def copies_under_other_names(train: set[str], val: set[str]) -> list[tuple[str, str]]:
    """Return files of S_val, each with one of S_train that has the same content."""
    files = [path for path in sorted(train ^ val) if os.path.isfile(path)]
    found = []
    for group in same_content(files):
        here = next((path for path in group if path in train), None)
        found += [(path, here) for path in group if here is not None and path in val]
    return found


@contextmanager
def empty_data_explained(name: str, config: object) -> Iterator[None]:
    """Explain an empty data set, for which MMEngine raises NumPy's error of concatenating nothing."""
    try:
        yield
    except ValueError as error:
        if 'at least one array' not in str(error):
            raise
        classes, files = _of_config(config.get('dataset') if isinstance(config, dict) else None)
        raise ValueError(f'{name} has no image that its filter leaves{_explained(classes, files)}') from error


def _of_config(dataset: object) -> tuple[tuple[str, ...] | None, list[str]]:
    """Return classes and annotation files of a data set's config, within wrappers."""
    if not isinstance(dataset, dict):
        return None, []
    if not dataset.get('ann_file'):
        return _of_config(dataset.get('dataset') or next(iter(dataset.get('datasets') or ()), None))
    kind = dataset.get('type')
    kind = DATASETS.get(kind) if isinstance(kind, str) else kind
    classes = (dataset.get('metainfo') or {}).get('classes') or getattr(kind, 'METAINFO', {}).get('classes')
    return None if classes is None else tuple(classes), [
        os.path.join(dataset.get('data_root') or '', dataset['ann_file'])
    ]


def _explained(classes: tuple[str, ...] | None, files: list[str]) -> str:
    """Return the end of a message: the classes asked for and those of the annotation file, if it can be read."""
    for file in files:
        try:
            content = json.loads(Path(file).read_text(encoding='utf-8'))
            there = tuple(category['name'] for category in content['categories'])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if classes is not None and not set(classes) & set(there):
            return (
                f': its classes {_listed(classes)} do not occur in {file}, which has {_listed(there)}. Set '
                'metainfo=dict(classes=(...)) of the data set to those of the file'
            )
        return f': look at its annotations, {file}, and at its filter_cfg'
    return ': look at its annotation file, its classes (metainfo) and its filter_cfg'


def _listed(names: tuple[str, ...]) -> str:
    more = f', ... ({len(names)} in all)' if len(names) > _SHOWN else ''
    return ', '.join(map(repr, names[:_SHOWN])) + more


def _warn(text: str) -> None:
    print_log(text, logger='current', level=logging.WARNING)
