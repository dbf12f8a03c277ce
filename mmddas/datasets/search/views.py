"""The samples and batches of a search: L^ + 1 views of every training sample, made in the data workers.

A sample is loaded once, by the transforms before :class:`DDASAugment`. Each view is then a copy, changed by its
sub-policy (the clean view by none) and finished by the transforms after it, each view with randomness of its own.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import FUNCTIONS
from torch.utils.data import Dataset

from mmddas.core import Candidate, SearchSpace, sample_sub_policies
from mmddas.datasets.augment import DDASAugment, global_generator
from mmddas.datasets.samples import check_sample
from mmddas.datasets.walk import augments_within, inner_datasets, transforms_of

from .keys import KeyedDataset, SampleKey
from .seeding import SUB_POLICIES

_PLAIN = {bool, int, float, str, type(None), tuple, list, dict}


class SampleViews(NamedTuple):
    """The L^ + 1 packed views of one sample, the clean one first, and the sub-policies ``(L^, N_o)`` of its batch."""

    views: list
    sub_policies: torch.Tensor


class _SplitPoint:
    """Ends a pipeline where DDASAugment stood, and notes in the sample how it goes on."""

    KEY = '_ddas_continuation'

    def __init__(self, augment: DDASAugment, suffix: list) -> None:
        self.augment = augment
        self.suffix = Compose([])
        self.suffix.transforms = suffix

    def __call__(self, results: dict) -> dict:
        results[self.KEY] = self
        return results

    def __deepcopy__(self, memo: dict) -> _SplitPoint:
        return self  # datasets that copy samples need not copy transforms


def _split_pipelines(dataset: Dataset, applied_later: list) -> list[DDASAugment]:
    """Cut every pipeline at its DDASAugment; returns those. ``applied_later``: transforms of outer datasets."""
    transforms = transforms_of(dataset)
    found = list(augments_within(transforms))
    if not found:
        children = inner_datasets(dataset)
        if not children:
            raise ValueError(
                f"The training pipeline of {type(dataset).__name__} has no DDASAugment: put dict(type='DDASAugment') "
                'where the operations are to be applied, after LoadAnnotations'
            )
        return [augment for child in children for augment in _split_pipelines(child, transforms + applied_later)]
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
    transforms[place:] = [_SplitPoint(found[0], suffix)]
    if hasattr(dataset, 'pipeline_types'):  # MultiImageMixDataset walks both lists at once
        del dataset.pipeline_types[place + 1 :]
    return found


class SearchDataset(KeyedDataset):
    """The training set of a search: every sample is a :class:`SampleViews`.

    Args:
        dataset: A dataset whose pipeline holds one DDASAugment. Its pipelines are cut there.
        space: The candidates.
        num_sub_policies: L^.
        seed: The search's seed.
        stream: Sub-policies are drawn from a stream of this number; None: from that which all processes share.

    Raises:
        ValueError: No DDASAugment, or one that is not at the end of all that happens before it.
    """

    def __init__(
        self, dataset: Dataset, space: SearchSpace, num_sub_policies: int, seed: int, stream: int | None = None
    ) -> None:
        super().__init__(dataset, seed)
        self.stream = stream
        self.space = space
        self.num_sub_policies = num_sub_policies
        self._drawn: tuple = (None, None)  # the last batch, and its sub-policies
        augments = _split_pipelines(dataset, [])
        self.operation_options = augments[0].options
        if any(augment.options != self.operation_options for augment in augments):
            raise ValueError('The DDASAugments of the concatenated datasets differ in their options; make them equal')

    def sub_policies(self, epoch: int, batch: int) -> tuple[torch.Tensor, list[list[Candidate]]]:
        """The sub-policies of a batch, the same for all its samples: indices ``(L^, N_o)``, and what they stand for."""
        if self._drawn[0] != (epoch, batch):
            stream = () if self.stream is None else (self.stream + 1,)
            key = (self.seed, epoch, batch, SUB_POLICIES, *stream)
            (seed,) = np.random.SeedSequence(key).generate_state(1, np.uint64)
            generator = torch.Generator().manual_seed(int(seed >> np.uint64(1)))
            indices = sample_sub_policies(self.space, self.num_sub_policies, generator)
            candidates = [[self.space.candidates[k] for k in row] for row in indices.tolist()]
            self._drawn = (epoch, batch), (indices, candidates)
        return self._drawn[1]

    def load(self, key: SampleKey) -> SampleViews | None:
        indices, sub_policies = self.sub_policies(key.epoch, key.batch)
        views = self._views(key, sub_policies)
        return None if views is None else SampleViews(views, indices)

    def _views(self, key: SampleKey, sub_policies: list[list[Candidate]]) -> list | None:
        sample = super().load(key)
        continuation = sample.pop(_SplitPoint.KEY)
        check_sample(sample)
        rng, copied = global_generator(), copier(sample)
        augmented = []
        for sub_policy in sub_policies:
            view = continuation.augment.augment(copied(), sub_policy, rng)
            if view['img'] is sample['img']:
                view['img'] = sample['img'].copy()  # a transform may write into it
            augmented.append(continuation.suffix(view))
        clean = continuation.suffix(sample)  # last, so that it needs no copy
        if clean is None:
            return None
        # A view that the pipeline rejects (all its boxes have left the image, ...) counts as a clean one.
        return [clean, *(clean if view is None else view for view in augmented)]


def copier(sample: dict) -> Callable[[], dict]:
    """Makes copies of a sample, deep but for the image, which the operations never change in place."""
    plain = {key: value for key, value in sample.items() if type(value) in _PLAIN}
    try:
        # Annotations as files hold them are many small values, which pickle copies in a fifth of deepcopy's time.
        pickled = pickle.dumps(plain)
    except Exception:  # they hold a lambda, for example
        plain, pickled = {}, pickle.dumps({})
    image = sample['img']
    others = {key: value for key, value in sample.items() if key != 'img' and key not in plain}
    return lambda: pickle.loads(pickled) | copy.deepcopy(others) | dict(img=image)


@FUNCTIONS.register_module()
def ddas_collate(samples: list[SampleViews], collate: Callable = pseudo_collate) -> dict:
    """Turn samples of views into views of samples.

    Returns:
        ``views``: L^ + 1 batches as ``collate`` makes them, the clean one first; ``sub_policies``: ``(L^, N_o)``.
    """
    views = [collate(list(view)) for view in zip(*(sample.views for sample in samples), strict=True)]
    return dict(views=views, sub_policies=samples[0].sub_policies)
