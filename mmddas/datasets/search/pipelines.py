"""Cut pipelines where a search makes its views, and refuse transforms that have no place in them."""

from __future__ import annotations

from mmengine.dataset import Compose
from torch.utils.data import Dataset

from mmddas.datasets.augment import DDASAugment
from mmddas.datasets.walk import augments_within, datasets_within, inner_datasets, transforms_of, transforms_within


class SplitPoint:
    """The end of a pipeline where DDASAugment stood; it notes in the sample how the pipeline goes on."""

    KEY = '_ddas_continuation'

    def __init__(self, augment: DDASAugment, suffix: list) -> None:
        self.augment = augment
        self.suffix = Compose([])
        self.suffix.transforms = suffix

    def __call__(self, results: dict) -> dict:
        results[self.KEY] = self
        return results

    def __deepcopy__(self, memo: dict) -> SplitPoint:
        return self  # datasets that copy samples need not copy transforms


def split_pipelines(dataset: Dataset) -> list[DDASAugment]:
    """Cut every pipeline of a data set, and of those that it wraps, at its DDASAugment; return the DDASAugments.

    Raises:
        ValueError: One has no DDASAugment, or transforms that cannot be where they are in a search.
    """
    check_memoryless(dataset)
    return _split(dataset, [])


def check_memoryless(dataset: object) -> None:
    """Raise ValueError where a transform keeps images of earlier samples.

    It would mix the views of a search, and make them depend on what else its data worker has seen.
    """
    for part in datasets_within(dataset):
        for transform in transforms_within(transforms_of(part)):
            if hasattr(transform, 'results_cache'):
                name = type(transform).__name__
                raise ValueError(
                    f'{name} keeps images of earlier samples, so that the views of a search would get into each other, '
                    f'and its result would depend on the data workers: leave {name} out, or take '
                    f'{name.removeprefix("Cached")} of a MultiImageMixDataset, before DDASAugment'
                )


def _split(dataset: Dataset, applied_later: list) -> list[DDASAugment]:
    """``applied_later``: transforms of outer datasets."""
    transforms = transforms_of(dataset)
    found = list(augments_within(transforms))
    if not found:
        children = inner_datasets(dataset)
        if not children:
            raise ValueError(
                f"The training pipeline of {type(dataset).__name__} has no DDASAugment: put dict(type='DDASAugment') "
                'where the operations are to be applied, after LoadAnnotations'
            )
        return [augment for child in children for augment in _split(child, transforms + applied_later)]
    if applied_later:
        raise ValueError(
            f'{type(applied_later[0]).__name__} of an outer dataset comes after DDASAugment; in a search, put '
            'DDASAugment into the pipeline of the outermost dataset'
        )
    if len(found) > 1 or found[0] not in transforms:
        raise ValueError(
            'In a search the pipeline must hold DDASAugment once, as a step of its own, not within another '
            f'transform; found it {len(found)} time(s)'
        )
    place = transforms.index(found[0])
    suffix = transforms[place + 1 :]
    if hasattr(dataset, 'pipeline_types'):  # MultiImageMixDataset walks both lists at once, and skips by type
        skipped = getattr(dataset, '_skip_type_keys', None) or ()
        suffix = [
            step for step, kind in zip(suffix, dataset.pipeline_types[place + 1 :], strict=True) if kind not in skipped
        ]
        del dataset.pipeline_types[place + 1 :]
    for transform in transforms_within(suffix):
        if hasattr(transform, 'get_indexes'):
            raise ValueError(
                f'{type(transform).__name__} mixes images, and comes after DDASAugment: in a search, put DDASAugment '
                'after it, where there is one image to make views of'
            )
    transforms[place:] = [SplitPoint(found[0], suffix)]
    return found
