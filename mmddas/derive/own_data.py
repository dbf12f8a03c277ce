"""Change a training's config to one on other data, a user's own."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

from mmddas.config_nodes import as_list, leaves, nodes, training_dataset, type_name

from .text import difference, expression, formatted

# Settings of a data set's config that are not about its data, and stay.
_KEPT = ('pipeline', 'filter_cfg', 'backend_args', 'return_classes')


class OwnData(NamedTuple):
    """The data of a user, split into parts.

    Args:
        kind: ``'detection'``, by COCO's annotations, or ``'classification'``, by annotation lists.
        classes: Their names, by label.
        images: The folder that the images' paths start from.
        files: Annotations of ``'train'``, and of ``'val'`` and ``'test'`` where there are such parts.
        has_masks: Whether the objects have segmentations.
    """

    kind: str
    classes: Sequence[str]
    images: str | os.PathLike
    files: dict[str, str | os.PathLike]
    has_masks: bool = False


def set_data(config: Config, data: OwnData) -> None:
    """Set a training's data in place: data sets, number of classes and evaluation; pipelines stay as they are.

    Where the config names the batch size that its learning rate is for, the rate follows the batch size from now on.
    Without val nothing is evaluated during the training; without test, val is tested on.

    Raises:
        ValueError: The config trains for another task, needs masks that the data lack, or loads no image files.
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
            'The config trains panoptic segmentation (its model has num_stuff_classes), which needs segmentations of '
            'whole images: give a config for detection or instance segmentation'
        )
    if any(value is True for _, value in _named(leaf['pipeline'], 'with_seg')):
        raise ValueError(
            'The config trains on segmentations of whole images (with_seg=True), and the data have none: give a config '
            'whose pipeline loads boxes, or boxes and masks'
        )
    heads = any(_named(config.get('model'), 'mask_head'))
    loads = any(value is True for _, value in _named(leaf['pipeline'], 'with_mask'))
    if (heads or loads) and not data.has_masks:
        because = 'its model has a mask_head' if heads else 'its pipeline loads them'
        raise ValueError(
            f'The config trains masks ({because}), and the annotations have no segmentations: give a config for '
            'detection, or annotations with segmentations'
        )
    config.train_dataloader.dataset = _with_data(dataset, _dataset(leaf, data, 'train'))
    for part in ('val', 'test'):
        _set_evaluation(config, part, data)
    for node in (config.get('model'), config.get('data_preprocessor')):
        _set_classes(node, len(data.classes))
        _limit_topk(node, data)
    if 'base_batch_size' in (config.get('auto_scale_lr') or {}):
        config.auto_scale_lr.enable = True


def training_text(original: Config, base: str, data: OwnData, out: str | os.PathLike) -> str:
    """Return the text of a config for a training on these data that has another config as its base.

    Args:
        original: The content of ``base``.
        base: A config file, or a packaged one, ``mmdet::...``. One with imports (``read_base``, classes) is written
            out, since only a config with imports can have it as its base.
        out: The path of the new file, from which the base is named.

    Raises:
        ValueError: As :func:`set_data`.
    """
    changed = copy.deepcopy(original)
    set_data(changed, data)
    named = base if '::' in base else Path(os.path.relpath(base, Path(out).parent)).as_posix()
    statements, changes = [f'_base_ = {named!r}\n'], difference(original.to_dict(), changed.to_dict())
    # Private, and what Config.fromfile decides by; a Config does not say how it was read.
    if '::' not in base and Config._is_lazy_import(base):
        statements, changes = [], changed.to_dict()
    for name, node in sorted(changes.items(), key=lambda item: item[0] != 'model'):
        statements.append(f'{name} = {expression(node)}\n')
    head = f'"""{Path(base.split("::")[-1]).stem} on {data.images}: {len(data.classes)} classes."""\n\n'
    return formatted(head + '\n'.join(statements))


def _set_classes(node: object, number: int) -> None:
    """Set the number of classes in a model's node, and in those within."""
    # MaskFormer and its kin have weights for the classes, and for the background behind them.
    for parent, before in _named(node, 'num_things_classes'):
        for loss, weights in _named(parent, 'class_weight'):
            if isinstance(weights, (list, tuple)) and len(weights) == before + 1:
                loss['class_weight'] = [weights[0]] * number + [weights[-1]]
        parent['num_things_classes'] = number
    for parent, _ in _named(node, 'num_classes'):
        parent['num_classes'] = number


def _dataset(leaf: dict, data: OwnData, part: str) -> dict:
    """Return the config of a part's data set, with the pipeline of ``leaf``."""
    kept = {key: leaf[key] for key in _KEPT if key in leaf}
    file, images = Path(data.files[part]).as_posix(), Path(data.images).as_posix()
    if data.kind == 'classification':
        kind, prefix, own = 'CustomDataset', images, dict(classes=[*data.classes], with_label=True)
    else:
        kind, prefix, own = 'CocoDataset', dict(img=f'{images}/'), dict(metainfo=dict(classes=(*data.classes,)))
    return dict(type=kind, data_root='', data_prefix=prefix, ann_file=file, **own, **kept)


def _with_data(node: dict, leaf: dict) -> dict:
    """Return a data set's config with ``leaf`` as the only one within its wrappers, instead of several joined ones."""
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
    evaluator = config[f'{part}_evaluator']
    if data.kind == 'classification':
        _limit_topk(evaluator, data)
    else:
        coco = next((item for item in as_list(evaluator) if type_name(item) == 'CocoMetric'), dict(metric='bbox'))
        config[f'{part}_evaluator'] = dict(coco, type='CocoMetric', ann_file=Path(data.files[source]).as_posix())


def _limit_topk(node: object, data: OwnData) -> None:
    """Drop each k of a top-k accuracy that is not below the number of classes."""
    for parent, given in _named(node, 'topk'):
        if isinstance(given, (list, tuple)):
            parent['topk'] = tuple(k for k in given if k < len(data.classes)) or (1,)


def _named(node: object, key: str) -> list[tuple[dict, object]]:
    """Return the dicts within a node that have the key, with its value."""
    return [(inner, inner[key]) for inner in nodes(node) if inner.get(key) is not None]
