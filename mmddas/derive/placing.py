"""Find where DDASAugment belongs in a pipeline that has none."""

from __future__ import annotations

from typing import NamedTuple

from mmengine.config import Config, ConfigDict
from mmengine.registry import TRANSFORMS

from mmddas.config_nodes import inner_nodes, nodes, training_dataset, type_class, type_name

# A classifier's operations work on the crop that the network sees, as in the paper: less work, and lengths that fit.
_CROPS = ('RandomResizedCrop', 'EfficientNetRandomCrop', 'Resize', 'ResizeEdge', 'EfficientNetCenterCrop')


class Place(NamedTuple):
    """A place in a pipeline of a config.

    Args:
        pipeline: The list itself.
        index: The number of transforms before the place.
    """

    pipeline: list
    index: int

    def __str__(self) -> str:
        names = [type_name(step) for step in self.pipeline if type_name(step) != 'DDASAugment']
        around = [f'after {names[self.index - 1]}'] if self.index else []
        around += [f'before {names[self.index]}'] if self.index < len(names) else []
        return ', '.join(around)


def find_places(config: Config) -> list[Place]:
    """Return where DDASAugment belongs in a training: a place in each data set, and in each pipeline of a hook.

    That is behind the last transform that loads or that mixes images of a MultiImageMixDataset, so that it gets one
    image; before what resizes or pads a detector's images, and behind the crop of a classifier's. Transforms that mix
    by a cache of their own (CachedMosaic) come after it, since they are given single images.

    Raises:
        ValueError: The config has no data set to train on, or one without a pipeline, or its pipeline loads images
            within another transform.
    """
    scope = config.get('default_scope')
    later = [Place(steps, _index(steps, scope)) for steps in later_pipelines(config)]
    return _places(training_dataset(config), scope) + later


def later_pipelines(config: Config) -> list[list]:
    """Return the pipelines that hooks switch to: MMDetection's PipelineSwitchHook, MMPretrain's SwitchRecipeHook."""
    found = []
    for hook in config.get('custom_hooks') or ():
        found.append(hook.get('switch_pipeline'))
        if type_name(hook) == 'SwitchRecipeHook':
            found += [recipe.get('train_pipeline') for recipe in hook.get('schedule') or ()]
    return [steps for steps in found if steps]


def _places(dataset: dict, scope: str | None) -> list[Place]:
    pipeline, inner = dataset.get('pipeline'), inner_nodes(dataset)
    if pipeline:
        return [Place(pipeline, _index(pipeline, scope))]
    if not inner:
        raise ValueError(
            f'The {type_name(dataset)} of the training has no pipeline, and DDASAugment needs a place in one'
        )
    return [place for node in inner for place in _places(node, scope)]


def _index(pipeline: list, scope: str | None) -> int:
    index = 0
    for position, step in enumerate(pipeline):
        kind = type_class(TRANSFORMS, step, scope)
        if kind is not None and (_loads(kind) or mixes(kind)):
            index = position + 1
    if not index:
        for step in pipeline:
            if _loads_within(step, scope):
                raise ValueError(
                    f"The pipeline loads images within {type_name(step)}: put dict(type='DDASAugment') into that, "
                    'behind the transforms that load'
                )
    if scope == 'mmpretrain':
        while index < len(pipeline) and type_name(pipeline[index]) in _CROPS:
            index += 1
    return index


def _loads(kind: type) -> bool:
    return any(base.__name__.startswith('Load') for base in kind.__mro__)


def _loads_within(step: dict, scope: str | None) -> bool:
    kinds = [type_class(TRANSFORMS, node, scope) for node in nodes(step) if 'type' in node]
    return any(_loads(kind) for kind in kinds if kind is not None)


def mixes(kind: type) -> bool:
    """Return whether a MultiImageMixDataset gives a transform several images."""
    # By vars: MMCV's decorated methods raise where a class is asked for them.
    return any('get_indexes' in vars(base) for base in kind.__mro__) and not kind.__name__.startswith('Cached')


def place_augments(config: Config, settings: dict | None = None) -> list[Place]:
    """Put a DDASAugment with these settings into every pipeline of a training, in place, and return where."""
    found = find_places(config)
    for place in found:
        place.pipeline.insert(place.index, ConfigDict(type='DDASAugment', **(settings or {})))
    return found
