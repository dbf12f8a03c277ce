"""Data sets indexed by a sample's place in the search, which alone determines its random numbers.

The key travels with the sample's index, so that neither the number of workers nor their lives can change a search.
"""

from __future__ import annotations

import functools
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
from torch.utils.data import BatchSampler, Dataset, get_worker_info

from mmddas.datasets.samples import check_boxes
from mmddas.datasets.walk import datasets_within, transforms_of, transforms_within

from .broken import BrokenDataError, BrokenSample, broken_sample, is_of_the_data, listed, prepare_named
from .seeding import REPLACEMENTS, SAMPLE, preserved_generators, seed_generators

# How often a sample that is broken, or that the pipeline rejects, is replaced by another, before this is an error.
MAX_REPLACEMENTS = 100


class SampleKey(NamedTuple):
    """A sample's index, its pass over the data, its batch, and how often the batch has had it before."""

    index: int
    epoch: int
    batch: int
    occurrence: int = 0

    def seed(self, *use: int) -> tuple[int, ...]:
        """Return the seed of the sample's random numbers for ``use``."""
        return self.epoch, self.batch, self.index, *use, *((self.occurrence,) if self.occurrence else ())


class UsableSample(NamedTuple):
    """A sample, and those that were broken and that it stands in for."""

    sample: object
    broken: tuple[BrokenSample, ...]


class KeyedBatchSampler:
    """A batch sampler that yields :class:`SampleKey` in place of indices.

    Args:
        batch_sampler: The data loader's own; its sampler's ``set_epoch``, if it has one, is called.
        start: Batches before the first one, counted through the passes over the data. None: a single pass at a
            time, that of :meth:`set_epoch`. A number: passes without end.
    """

    def __init__(self, batch_sampler: BatchSampler, start: int | None = None) -> None:
        self.batch_sampler = batch_sampler
        self.sampler = batch_sampler.sampler
        self.batch_size = getattr(batch_sampler, 'batch_size', None)
        self.start = start
        self.set_epoch(0)

    def set_epoch(self, epoch: int, first_batch: int = 0) -> None:
        """Set the next pass over the data, and the batch of it to begin with."""
        self.epoch = epoch
        self.first_batch = first_batch
        for sampler in (self.sampler, self.batch_sampler):
            if hasattr(sampler, 'set_epoch'):
                sampler.set_epoch(epoch)

    def __len__(self) -> int:
        """Count the batches of one pass."""
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[list[SampleKey]]:
        if self.start is None:
            yield from self._one_pass()
            return
        # Counted, not computed: a pass may have fewer batches than it says, or no end.
        epoch, count = 0, 0
        while True:
            self.set_epoch(epoch)
            before = count
            for keys in self._one_pass():
                if count >= self.start:
                    yield keys
                count += 1
            if count == before:
                raise ValueError('S_val gives no batches: it holds less than one; lower its batch_size or drop_last')
            epoch += 1

    def _one_pass(self) -> Iterator[list[SampleKey]]:
        for batch, indices in enumerate(self.batch_sampler):
            if batch >= self.first_batch:
                before = Counter()
                keys = []
                for index in indices:  # some samplers repeat an image, to have it augmented in several ways
                    keys.append(SampleKey(index, self.epoch, batch, before[index]))
                    before[index] += 1
                yield keys


def _own_generators(dataset: Dataset) -> Iterator[object]:
    """Yield transforms with generators of their own: Albumentations', from its version 2 on."""
    for part in datasets_within(dataset):
        for transform in transforms_within(transforms_of(part)):
            composed = getattr(transform, 'aug', None)  # in Albu and Albumentations
            if hasattr(composed, 'set_random_seed'):
                yield composed


class KeyedDataset(Dataset):
    """A data set indexed by :class:`SampleKey`, which alone determines the random numbers of its pipeline.

    Another sample, chosen by the key too, replaces one that is broken or that the pipeline rejects.
    """

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self.dataset = dataset
        self.seed = seed
        self._own_generators = [*_own_generators(dataset)]
        for part in datasets_within(dataset):
            if hasattr(part, 'prepare_data'):
                part.prepare_data = functools.partial(prepare_named, part)

    @property
    def metainfo(self) -> dict:
        return getattr(self.dataset, 'metainfo', {})

    def get_gt_labels(self) -> np.ndarray:
        """Return the labels of a classifier's images, ``(N,)``: hooks set margins by the counts of the classes."""
        return self.dataset.get_gt_labels()

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: SampleKey) -> UsableSample:
        # A data worker's generators serve nobody else; saving them takes longer than an operation on a small image.
        with nullcontext() if get_worker_info() else preserved_generators():
            return self._usable(key)

    def _usable(self, key: SampleKey) -> UsableSample:
        index, broken, cause = key.index, [], None
        for attempt in range(MAX_REPLACEMENTS):
            try:
                sample = self.load(key._replace(index=index))
            except Exception as error:
                if not is_of_the_data(error):
                    raise
                broken.append(broken_sample(self.dataset, index, error))
                cause = error
            else:
                if sample is not None:
                    return UsableSample(sample, tuple(broken))
            rng = np.random.default_rng((self.seed, *key.seed(REPLACEMENTS, attempt)))
            index = int(rng.integers(len(self)))
        if broken:
            found = listed(dict.fromkeys(broken))
            raise BrokenDataError(f'{MAX_REPLACEMENTS} samples in a row are broken or rejected:\n{found}') from cause
        raise RuntimeError(
            f'The pipeline rejected {MAX_REPLACEMENTS} samples in a row; check its filters (FilterAnnotations, ...) '
            'and the annotations'
        )

    def load(self, key: SampleKey) -> object:
        """Load the packed sample of the key's index; None where the pipeline rejects it.

        The global generators stay as loading leaves them, for random numbers after it.

        Raises:
            Exception: The sample is broken.
        """
        seed_generators(self.seed, *key.seed(SAMPLE))
        for holder in self._own_generators:
            holder.set_random_seed(random.getrandbits(32))
        sample = self.dataset[key.index]
        instances = getattr(sample.get('data_samples'), 'gt_instances', ()) if isinstance(sample, dict) else ()
        if 'bboxes' in instances:
            check_boxes(instances.bboxes)
        return sample
