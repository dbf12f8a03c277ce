"""The samples and batches of a search: L^ + 1 views of every training sample, made in the data workers.

A sample is loaded once, by the transforms before :class:`DDASAugment`. Each view is then a copy, changed by its
sub-policy (the clean view by none) and finished by the transforms after it, with random numbers of its own.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import FUNCTIONS
from torch.utils.data import Dataset

from mmddas.core import Candidate, SearchSpace, sample_sub_policies
from mmddas.datasets.augment import global_generator

from .keys import KeyedDataset, SampleKey
from .pipelines import SplitPoint, split_pipelines
from .seeding import SUB_POLICIES

_PLAIN = {bool, int, float, str, type(None), tuple, list, dict}


class SampleViews(NamedTuple):
    """The L^ + 1 packed views of one sample, the clean one first, and the sub-policies ``(L^, N_o)`` of its batch."""

    views: list
    sub_policies: torch.Tensor


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
        augments = split_pipelines(dataset)
        self.operation_options = augments[0].options
        if any(augment.options != self.operation_options for augment in augments):
            raise ValueError('The DDASAugments of the concatenated datasets differ in their options; make them equal')

    def __setattr__(self, name: str, value: object) -> None:
        if name == 'pipeline':
            self.update_skip_type_keys()
        super().__setattr__(name, value)

    def update_skip_type_keys(self, *args: object) -> None:
        """Raise RuntimeError: hooks call this to switch the transforms of a training."""
        raise RuntimeError(
            'A hook tries to switch the training pipeline, but a search keeps the one that it began with: remove the '
            'hook from custom_hooks'
        )

    def sub_policies(self, epoch: int, batch: int) -> tuple[torch.Tensor, list[list[Candidate]]]:
        """Draw the sub-policies of a batch, the same for all its samples: indices ``(L^, N_o)``, and the candidates."""
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
        continuation = sample.pop(SplitPoint.KEY)
        continuation.augment.check(sample)
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
        # A view that the pipeline rejects (all its boxes have left the image, ...) counts as a clean one, of its own: a
        # network's preprocessor may scale boxes in place.
        return [clean, *(copy.deepcopy(clean) if view is None else view for view in augmented)]


def copier(sample: dict) -> Callable[[], dict]:
    """Return a function that copies a sample, deep but for the image, which operations never change in place."""
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
