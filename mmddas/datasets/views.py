"""The batches of a search: L^ + 1 views of every training sample, made in the data workers.

A sample is loaded once, by the transforms before :class:`DDASAugment`. Each view is then a copy, changed by its
sub-policy (the clean view by none) and finished by the transforms after it, each view with randomness of its own.

All randomness is a function of (seed, epoch, batch, sample). The key travels with the sample's index, so that neither
the number of workers nor their lives can change a search.
"""

import copy
import functools
import pickle
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import FUNCTIONS
from torch.utils.data import DataLoader, Dataset, get_worker_info

from mmddas.core import Candidate, SearchSpace, sample_sub_policies

from .augment import DDASAugment, global_generator
from .broken import (
    BrokenDataError,
    BrokenSample,
    NamedFailures,
    broken_sample,
    check_boxes,
    check_sample,
    is_of_the_data,
    listed,
)
from .packing import PackingCollate, UnpackingLoader
from .walk import augments_within, datasets_within, find_augments, inner_datasets, transforms_of

# How often a sample that is broken, or that the pipeline rejects, is replaced by another, before this is an error.
MAX_REPLACEMENTS = 100
_PLAIN = {bool, int, float, str, type(None), tuple, list, dict}
# What a key's last number stands for.
_SUB_POLICIES, _SAMPLE, _REPLACEMENTS = 0, 1, 2


class SampleKey(NamedTuple):
    """Which sample, in which batch of which pass over the data."""

    index: int
    epoch: int
    batch: int


class SampleViews(NamedTuple):
    """The L^ + 1 packed views of one sample, the clean one first, and the sub-policies ``(L^, N_o)`` of its batch."""

    views: list
    sub_policies: torch.Tensor


class UsableSample(NamedTuple):
    """A sample, and those that were broken and that it stands in for."""

    sample: object
    broken: tuple[BrokenSample, ...]


def seed_generators(*key: int) -> None:
    """Make Python's, NumPy's and PyTorch's global generators (CPU) functions of ``key``."""
    first, second, third = np.random.SeedSequence(key).generate_state(3).tolist()
    random.seed(first)
    np.random.seed(second)
    torch.default_generator.manual_seed(third)


@contextmanager
def preserved_generators() -> Iterator[None]:
    """The global generators are afterwards as they were before."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


@contextmanager
def seeded(*key: int) -> Iterator[None]:
    """Both of the above."""
    with preserved_generators():
        seed_generators(*key)
        yield


class KeyedBatchSampler:
    """A batch sampler that yields :class:`SampleKey` in place of indices.

    Args:
        batch_sampler: The data loader's own; its sampler's ``set_epoch``, if it has one, is called.
        start: Batches before the first one, counted through the passes over the data. None: a single pass at a
            time, that of :meth:`set_epoch`. A number: passes without end.
    """

    def __init__(self, batch_sampler, start: int | None = None) -> None:
        self.batch_sampler = batch_sampler
        self.sampler = batch_sampler.sampler
        self.batch_size = getattr(batch_sampler, 'batch_size', None)
        self.start = start
        self.set_epoch(0)

    def set_epoch(self, epoch: int, first_batch: int = 0) -> None:
        """The pass over the data to make next, and the batch of it to begin with."""
        self.epoch = epoch
        self.first_batch = first_batch
        for sampler in (self.sampler, self.batch_sampler):
            if hasattr(sampler, 'set_epoch'):
                sampler.set_epoch(epoch)

    def __len__(self) -> int:
        """Batches of one pass."""
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
                yield [SampleKey(index, self.epoch, batch) for index in indices]


class KeyedDataset(Dataset):
    """A dataset indexed by :class:`SampleKey`: what is random in its pipeline depends on the key alone.

    Another sample, chosen by the key too, stands in for one that is broken or that the pipeline rejects.
    """

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self.dataset = dataset
        self.seed = seed
        for part in datasets_within(dataset):
            if hasattr(part, 'prepare_data') and not isinstance(part.prepare_data, NamedFailures):
                part.prepare_data = NamedFailures(part)

    @property
    def metainfo(self) -> dict:
        return getattr(self.dataset, 'metainfo', {})

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
            rng = np.random.default_rng((self.seed, key.epoch, key.batch, key.index, _REPLACEMENTS, attempt))
            index = int(rng.integers(len(self)))
        if broken:
            found = listed(dict.fromkeys(broken))
            raise BrokenDataError(f'{MAX_REPLACEMENTS} samples in a row are broken or rejected:\n{found}') from cause
        raise RuntimeError(
            f'The pipeline rejected {MAX_REPLACEMENTS} samples in a row; check its filters (FilterAnnotations, ...) '
            'and the annotations'
        )

    def load(self, key: SampleKey) -> object:
        """The packed sample of the key's index, or None where the pipeline rejects it; raises where it is broken.

        The global generators are left as they come, for what is random after loading.
        """
        seed_generators(self.seed, key.epoch, key.batch, key.index, _SAMPLE)
        sample = self.dataset[key.index]
        instances = getattr(sample.get('data_samples'), 'gt_instances', ()) if isinstance(sample, dict) else ()
        if 'bboxes' in instances:
            check_boxes(instances.bboxes)
        return sample


class _SplitPoint:
    """Ends a pipeline where DDASAugment stood, and notes in the sample how it goes on."""

    KEY = '_ddas_continuation'

    def __init__(self, augment, suffix: list) -> None:
        self.augment = augment
        self.suffix = Compose([])
        self.suffix.transforms = suffix

    def __call__(self, results: dict) -> dict:
        results[self.KEY] = self
        return results

    def __deepcopy__(self, memo: dict) -> '_SplitPoint':
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
            key = (self.seed, epoch, batch, _SUB_POLICIES, *stream)
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


def _collate_usable(samples: list[UsableSample], collate: Callable) -> dict:
    """A batch as ``collate`` makes it, under ``data``, and what is broken among the data, under ``broken``."""
    broken = [found for usable in samples for found in usable.broken]
    return dict(data=collate([usable.sample for usable in samples]), broken=broken)


@FUNCTIONS.register_module()
def ddas_collate(samples: list[SampleViews], collate: Callable = pseudo_collate) -> dict:
    """Turn samples of views into views of samples.

    Returns:
        ``views``: L^ + 1 batches as ``collate`` makes them, the clean one first; ``sub_policies``: ``(L^, N_o)``.
    """
    views = [collate(list(view)) for view in zip(*(sample.views for sample in samples), strict=True)]
    return dict(views=views, sub_policies=samples[0].sub_policies)


class _WorkerInit:
    """What a data worker does first: ``init_fn``, and it leaves it to its loader (``shut_down``) to end it.

    Ctrl-C, and SIGTERM where a cluster sends it to all processes of a job, would end the workers of a search that is
    about to save its state. After SIGTERM a worker has a minute left.
    """

    GRACE_SECONDS = 60

    def __init__(self, init_fn: Callable | None) -> None:
        self.init_fn = init_fn

    def __call__(self, worker: int) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda number, frame: signal.alarm(self.GRACE_SECONDS))
        if self.init_fn is not None:
            self.init_fn(worker)


def _rebuilt(loader: DataLoader, dataset: Dataset, batch_sampler: KeyedBatchSampler, collate: Callable) -> DataLoader:
    """The same data loader over another dataset, batch sampler and collate function."""
    return UnpackingLoader(
        dataset,
        batch_sampler=batch_sampler,
        collate_fn=PackingCollate(functools.partial(_collate_usable, collate=collate)),
        num_workers=loader.num_workers,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=_WorkerInit(loader.worker_init_fn),
        multiprocessing_context=loader.multiprocessing_context,
        prefetch_factor=loader.prefetch_factor,
        persistent_workers=loader.persistent_workers,
    )


def search_loader(
    loader: DataLoader, space: SearchSpace, num_sub_policies: int, seed: int, stream: int | None = None
) -> DataLoader:
    """A loader of search batches from an ordinary training loader.

    Each is ``dict(data=..., broken=[...])``: what :func:`ddas_collate` makes, and the samples that had to be replaced.
    """
    dataset = SearchDataset(loader.dataset, space, num_sub_policies, seed, stream)
    collate = functools.partial(ddas_collate, collate=loader.collate_fn)
    return _rebuilt(loader, dataset, KeyedBatchSampler(loader.batch_sampler), collate)


def policy_loader(loader: DataLoader, seed: int, start: int) -> DataLoader:
    """A loader of S_val batches without end, ``dict(data=..., broken=[...])``, from batch number ``start`` on.

    S_val is never augmented.
    """
    if find_augments(loader.dataset):
        raise ValueError('The pipeline of policy_dataloader holds DDASAugment, but S_val is never augmented: remove it')
    return _rebuilt(
        loader, KeyedDataset(loader.dataset, seed), KeyedBatchSampler(loader.batch_sampler, start), loader.collate_fn
    )
