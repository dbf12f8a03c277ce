"""Walking a config's nodes: data sets within data sets, the classes behind ``type``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import Registry


def type_name(node: dict) -> str:
    """The name in a config's ``type``, which may be a class, or carry a scope or a module."""
    kind = node.get('type')
    return getattr(kind, '__name__', str(kind)).split('.')[-1]


def type_class(registry: Registry, node: dict, scope: str | None) -> type | None:
    """The class that a node names, in the registry of its config's scope; None where there is no class of that name."""
    kind = node.get('type')
    if isinstance(kind, str):
        with registry.switch_scope_and_registry(scope) as scoped:
            kind = scoped.get(kind)
    return kind if isinstance(kind, type) else None  # MMPretrain has functions for those of torchvision


def inner_nodes(dataset: dict) -> list[dict]:
    """The data sets that a wrapper's config wraps; empty for a data set."""
    found = [dataset.get('dataset'), *(dataset.get('datasets') or ())]
    return [node for node in found if isinstance(node, dict)]


def leaves(dataset: dict) -> Iterator[dict]:
    """The data sets themselves, within wrappers."""
    inner = inner_nodes(dataset)
    if not inner:
        yield dataset
    for node in inner:
        yield from leaves(node)


def annotation_files(node: object) -> Iterator[Path]:
    """Those of all data sets within a node of a config, and those that its evaluators name."""
    if isinstance(node, dict):
        if isinstance(node.get('ann_file'), str) and node['ann_file']:
            yield Path(node.get('data_root') or '', node['ann_file'])
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from annotation_files(child)


def augment_configs(node: object) -> Iterator[dict]:
    """The dicts within a config's node that build a DDASAugment."""
    if isinstance(node, dict):
        if type_name(node) == 'DDASAugment':
            yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from augment_configs(child)


def training_dataset(config: Config) -> dict:
    """The node of the training's data set.

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
    """Have whoever builds the config import this package first."""
    given = config.get('custom_imports') or {}
    names = given.get('imports') or []
    names = [names] if isinstance(names, str) else names
    config.custom_imports = dict(given, imports=list(dict.fromkeys([*names, 'mmddas'])))
