"""The data loaders of a search, made from ordinary ones: of views of S_train, and of S_val without end."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch.utils.data import DataLoader, Dataset

from mmddas.core import SearchSpace
from mmddas.datasets.walk import find_augments

from .keys import KeyedBatchSampler, KeyedDataset, UsableSample
from .packing import PackingCollate, UnpackingLoader
from .pipelines import check_memoryless
from .views import SearchDataset, ddas_collate


def _collate_usable(samples: list[UsableSample], collate: Callable) -> dict:
    """A batch as ``collate`` makes it, under ``data``, and what is broken among the data, under ``broken``."""
    broken = [found for usable in samples for found in usable.broken]
    return dict(data=collate([usable.sample for usable in samples]), broken=broken)


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


@contextmanager
def lasting_workers(loader: DataLoader | None) -> Iterator[None]:
    """Within the ``with`` block a loader's workers outlive a signal to all processes, as S_train's do; it ends them."""
    if loader is None:
        yield
        return
    loader.worker_init_fn = _WorkerInit(loader.worker_init_fn)
    try:
        yield
    finally:
        workers, loader._iterator = loader._iterator, None
        if workers is not None:
            workers._shutdown_workers()


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
    check_memoryless(loader.dataset)
    return _rebuilt(
        loader, KeyedDataset(loader.dataset, seed), KeyedBatchSampler(loader.batch_sampler, start), loader.collate_fn
    )
