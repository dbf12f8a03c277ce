"""A training on data of one's own, from the config of a training on other data."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

from mmddas.config_nodes import inner_nodes, leaves, training_dataset, type_name

from .text import difference, expression, formatted

# Of a data set on which it is built, and not of the data: these stay.
_KEPT = ('pipeline', 'filter_cfg', 'backend_args', 'return_classes')


class OwnData(NamedTuple):
    """What a training is to be on.

    Args:
        kind: ``'detection'``, by COCO's annotations, or ``'classification'``, by annotation lists.
        classes: Their names, by label.
        images: The folder from which the images' paths start.
        files: Annotations of ``'train'``, and, where they are there, ``'val'`` and ``'test'``.
        has_masks: Whether the objects have segmentations.
    """

    kind: str
    classes: Sequence[str]
    images: str | os.PathLike
    files: dict[str, str | os.PathLike]
    has_masks: bool = False


def set_data(config: Config, data: OwnData) -> None:
    """Have a training work on these data: data sets, number of classes, evaluation; pipelines stay as they are.

    Where the config says for which batch size its learning rate is, the rate follows the batch size from now on.
    Without val nothing is evaluated while it trains; without test, val's images are tested on.

    Args:
        config: Changed in place.

    Raises:
        ValueError: The config trains for another task, needs masks that are not there, or loads no image files.
    """
    scope = config.get('default_scope')
    task = {'mmdet': 'detection', 'mmpretrain': 'classification'}.get(scope)
    if task != data.kind:
        raise ValueError(f'The data are for {data.kind}, and the config trains for {task or scope}')
    dataset = training_dataset(config)
    leaf = next(leaves(dataset))
    if not any(type_name(step).startswith('Load') for step in leaf.get('pipeline') or ()):
        raise ValueError(
            f'The {type_name(leaf)} of the config brings its images in memory, and its pipeline loads no files: give a '
            'config whose pipeline begins with LoadImageFromFile, such as those on ImageNet'
        )
    if any(number for _, number in _named(config.get('model'), 'num_stuff_classes')):
        raise ValueError(
            'The config trains panoptic segmentation (its model has num_stuff_classes), for which a segmentation of '
            'whole images is needed: give one of detection or of instance segmentation'
        )
    if any(value is True for _, value in _named(leaf['pipeline'], 'with_seg')):
        raise ValueError(
            'The config trains on segmentations of whole images, too (with_seg=True), and the data have none'
        )
    heads = any(_named(config.get('model'), 'mask_head'))
    loads = any(value is True for _, value in _named(leaf['pipeline'], 'with_mask'))
    if (heads or loads) and not data.has_masks:
        because = 'its model has a mask_head' if heads else 'its pipeline loads them'
        raise ValueError(f'The config trains masks ({because}), and the annotations have no segmentations')
    config.train_dataloader.dataset = _with_data(dataset, _dataset(leaf, data, 'train'))
    for part in ('val', 'test'):
        _set_evaluation(config, part, data)
    for node in (config.get('model'), config.get('data_preprocessor')):
        _set_classes(node, len(data.classes))
        for parent, value in _named(node, 'topk'):
            if isinstance(value, (list, tuple)):
                parent['topk'] = _topk(value, data)
    if 'base_batch_size' in (config.get('auto_scale_lr') or {}):
        config.auto_scale_lr.enable = True


def training_text(original: Config, base: str, data: OwnData, out: str | os.PathLike) -> str:
    """A config file that is another's training on these data.

    Args:
        original: What is in ``base``.
        base: A config file, or a packaged one, ``mmdet::...``.
        out: Where it is going to be; its base is named from there. What a base that imports (``read_base``, classes)
            says is written out.

    Raises:
        ValueError: As of :func:`set_data`.
    """
    changed = copy.deepcopy(original)
    set_data(changed, data)
    named = base if '::' in base else Path(os.path.relpath(base, Path(out).parent)).as_posix()
    statements, changes = [f'_base_ = {named!r}\n'], difference(original.to_dict(), changed.to_dict())
    if '::' not in base and Config._is_lazy_import(base):  # one of Python's imports can be the base of its like alone
        statements, changes = [], changed.to_dict()
    for name, node in sorted(changes.items(), key=lambda item: item[0] != 'model'):
        statements.append(f'{name} = {expression(node)}\n')
    head = f'"""{Path(base.split("::")[-1]).stem} on {data.images}: {len(data.classes)} classes."""\n\n'
    return formatted(head + '\n'.join(statements))


def _set_classes(node: object, number: int) -> None:
    """Tell a model's node, and those within, how many classes there are."""
    # MaskFormer and its kin have weights for each class, and for the background behind them.
    for parent, before in _named(node, 'num_things_classes'):
        for loss, weights in _named(parent, 'class_weight'):
            if isinstance(weights, (list, tuple)) and len(weights) == before + 1:
                loss['class_weight'] = [weights[0]] * number + [weights[-1]]
        parent['num_things_classes'] = number
    for parent, _ in _named(node, 'num_classes'):
        parent['num_classes'] = number


def _dataset(leaf: dict, data: OwnData, part: str) -> dict:
    """A data set of one of the parts, with the pipeline of ``leaf``."""
    kept = {key: leaf[key] for key in _KEPT if key in leaf}
    file, images = Path(data.files[part]).as_posix(), Path(data.images).as_posix()
    if data.kind == 'classification':
        return dict(
            type='CustomDataset',
            data_root='',
            data_prefix=images,
            ann_file=file,
            classes=[*data.classes],
            with_label=True,
            **kept,
        )
    metainfo, prefix = dict(classes=(*data.classes,)), dict(img=f'{images}/')
    return dict(type='CocoDataset', data_root='', data_prefix=prefix, ann_file=file, metainfo=metainfo, **kept)


def _with_data(node: dict, leaf: dict) -> dict:
    """A data set's config with ``leaf`` as the only one within its wrappers; several that are joined become it."""
    if not inner_nodes(node):
        return leaf
    if isinstance(node.get('dataset'), dict):
        return dict(node, dataset=_with_data(node['dataset'], leaf))
    return leaf


def _set_evaluation(config: Config, part: str, data: OwnData) -> None:
    loader = config.get(f'{part}_dataloader')
    source = part if part in data.files else 'val'
    if loader is None or source not in data.files:
        for name in ('dataloader', 'cfg', 'evaluator'):
            config[f'{part}_{name}'] = None
        return
    loader.dataset = _dataset(next(leaves(loader.dataset)), data, source) | dict(test_mode=True)
    given = config[f'{part}_evaluator']
    evaluators = given if isinstance(given, (list, tuple)) else [given]
    if data.kind == 'classification':
        for evaluator in evaluators:
            if isinstance(evaluator.get('topk'), (list, tuple)):
                evaluator.topk = _topk(evaluator.topk, data)
    else:
        coco = next((item for item in evaluators if type_name(item) == 'CocoMetric'), dict(metric='bbox'))
        config[f'{part}_evaluator'] = dict(coco, type='CocoMetric', ann_file=Path(data.files[source]).as_posix())


def _topk(given: Sequence[int], data: OwnData) -> tuple[int, ...]:
    """Accuracy among the first k means something where there are more classes than k."""
    return tuple(k for k in given if k < len(data.classes)) or (1,)


def _named(node: object, key: str) -> Iterator[tuple[dict, object]]:
    """Where a key stands within a node, with its value."""
    if isinstance(node, dict):
        if node.get(key) is not None:
            yield node, node[key]
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from _named(child, key)
