"""Walk the nodes of a config: data sets within wrappers, the classes behind ``type``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import Registry


def type_name(node: dict) -> str:
    """Return the name in a node's ``type``, which may be a class, or carry a scope or a module."""
    kind = node.get('type')
    return getattr(kind, '__name__', str(kind)).split('.')[-1]


def type_class(registry: Registry, node: dict, scope: str | None) -> type | None:
    """Return the class that a node names in the registry of its config's scope; None where it names no class."""
    kind = node.get('type')
    if isinstance(kind, str):
        with registry.switch_scope_and_registry(scope) as scoped:
            kind = scoped.get(kind)
    return kind if isinstance(kind, type) else None  # MMPretrain registers functions for some of torchvision's


def as_list(value: object) -> list:
    """Return a list of what may be one item, several or (None, empty) none."""
    if not value:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def nodes(node: object) -> Iterator[dict]:
    """Yield every dict within a node of a config, outer ones first."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from nodes(child)


def inner_nodes(dataset: dict) -> list[dict]:
    """Return the data sets that a wrapper's config wraps; none for a data set."""
    found = [dataset.get('dataset'), *(dataset.get('datasets') or ())]
    return [node for node in found if isinstance(node, dict)]


def with_inner_nodes(dataset: dict, change: Callable[[dict], dict]) -> dict:
    """Return a copy of a wrapper's config in which each data set that it wraps is ``change`` of what it was."""
    copied = copy.copy(dataset)
    if isinstance(dataset.get('dataset'), dict):
        copied['dataset'] = change(dataset['dataset'])
    if dataset.get('datasets'):
        copied['datasets'] = [change(child) for child in dataset['datasets']]
    return copied


def leaves(dataset: dict) -> Iterator[dict]:
    """Yield the data sets within all wrappers."""
    inner = inner_nodes(dataset)
    if not inner:
        yield dataset
    for node in inner:
        yield from leaves(node)


def annotation_files(node: object) -> Iterator[Path]:
    """Yield the annotation files that data sets and evaluators within a node name."""
    for inner in nodes(node):
        if isinstance(inner.get('ann_file'), str) and inner['ann_file']:
            yield Path(inner.get('data_root') or '', inner['ann_file'])


def augment_configs(node: object) -> list[dict]:
    """Return the dicts within a node that build a DDASAugment."""
    return [inner for inner in nodes(node) if type_name(inner) == 'DDASAugment']


def training_dataset(config: Config) -> dict:
    """Return the node of the training's data set.

    Raises:
        ValueError: The config does not train.
    """
    dataset = (config.get('train_dataloader') or {}).get('dataset')
    if not isinstance(dataset, dict):
        raise ValueError(
            'The config has no train_dataloader with a dataset: give a config that trains. A training with '
            'several loaders has no single one, and cannot be searched for'
        )
    return dataset


def import_mmddas(config: Config) -> None:
    """Add this package to the ``custom_imports`` of a config."""
    given = config.get('custom_imports') or {}
    config.custom_imports = dict(given, imports=list(dict.fromkeys([*as_list(given.get('imports')), 'mmddas'])))
