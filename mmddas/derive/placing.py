"""Where DDASAugment belongs in a pipeline that does not have it yet."""

from __future__ import annotations

from typing import NamedTuple

from mmengine.config import Config, ConfigDict
from mmengine.registry import TRANSFORMS

from mmddas.config_nodes import inner_nodes, training_dataset, type_class, type_name

# In classification the paper's operations work on the crop that the network sees: less work, and lengths that fit.
_CROPS = ('RandomResizedCrop', 'EfficientNetRandomCrop', 'Resize', 'ResizeEdge', 'EfficientNetCenterCrop')


class Place(NamedTuple):
    """A place in a pipeline of a config.

    Args:
        pipeline: The list itself.
        index: What would be inserted there comes behind ``index`` transforms.
    """

    pipeline: list
    index: int

    def __str__(self) -> str:
        names = [type_name(step) for step in self.pipeline if type_name(step) != 'DDASAugment']
        around = [f'after {names[self.index - 1]}'] if self.index else []
        around += [f'before {names[self.index]}'] if self.index < len(names) else []
        return ', '.join(around)


def find_places(config: Config) -> list[Place]:
    """Where DDASAugment belongs in a training: one place for each data set, and for what a hook switches to.

    Behind the last transform that loads, and behind the last one that mixes images of a MultiImageMixDataset, so that
    one image is acted on; before all that resizes or pads a detector's images, and behind the crop of a classifier's.
    Transforms that mix by a cache of their own (CachedMosaic) come after it, since they are given single images.

    Raises:
        ValueError: The config has no data set to train on, or one without a pipeline, or with one that loads images
            within another transform.
    """
    scope = config.get('default_scope')
    later = [Place(steps, _index(steps, scope)) for steps in later_pipelines(config)]
    return _places(training_dataset(config), scope) + later


def later_pipelines(config: Config) -> list[list]:
    """What hooks put in the place of a data set's pipeline: MMDetection's PipelineSwitchHook, MMPretrain's
    SwitchRecipeHook."""
    found = []
    for hook in config.get('custom_hooks') or ():
        found.append(hook.get('switch_pipeline'))
        if type_name(hook) == 'SwitchRecipeHook':
            found += [recipe.get('train_pipeline') for recipe in hook.get('schedule') or ()]
    return [steps for steps in found if steps]


def _places(dataset: dict, scope: str | None) -> list[Place]:
    inner = inner_nodes(dataset)
    pipeline = dataset.get('pipeline')
    if pipeline:
        return [Place(pipeline, _index(pipeline, scope))]
    if not inner:
        raise ValueError(
            f'The {type_name(dataset)} of the training has no pipeline, in which DDASAugment could have a place'
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
                    f"The pipeline loads images within {type_name(step)}: put dict(type='DDASAugment') where the "
                    'operations are to be applied there, behind what loads'
                )
    if scope == 'mmpretrain':
        while index < len(pipeline) and type_name(pipeline[index]) in _CROPS:
            index += 1
    return index


def _loads(kind: type) -> bool:
    return any(base.__name__.startswith('Load') for base in kind.__mro__)


def _loads_within(node: object, scope: str | None) -> bool:
    if isinstance(node, dict):
        kind = type_class(TRANSFORMS, node, scope) if 'type' in node else None
        return (kind is not None and _loads(kind)) or _loads_within(list(node.values()), scope)
    return isinstance(node, (list, tuple)) and any(_loads_within(child, scope) for child in node)


def mixes(kind: type) -> bool:
    """Whether a MultiImageMixDataset gives it several images."""
    # Looked up, and not asked for: MMCV's decorated methods cannot be had from a class.
    return any('get_indexes' in vars(base) for base in kind.__mro__) and not kind.__name__.startswith('Cached')


def place_augments(config: Config, settings: dict | None = None) -> list[Place]:
    """Put a DDASAugment where it belongs into every pipeline of a training that has none.

    Args:
        config: Changed in place.
        settings: Of the transforms that are put in.

    Returns:
        The places where one was put.
    """
    found = find_places(config)
    for place in found:
        place.pipeline.insert(place.index, ConfigDict(type='DDASAugment', **(settings or {})))
    return found
