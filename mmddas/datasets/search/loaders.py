"""The data loaders of a search, made from ordinary ones: of views of S_train, and of S_val without end."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch.utils.data import DataLoader, Dataset, get_worker_info

from mmddas.core import SearchSpace
from mmddas.datasets.walk import find_augments

from .keys import KeyedBatchSampler, KeyedDataset, UsableSample
from .packing import PackedBatch
from .pipelines import check_memoryless
from .views import SearchDataset, ddas_collate


def _collate_usable(samples: list[UsableSample], collate: Callable) -> dict | PackedBatch:
    """Collate a batch, under ``data``, and list the broken samples met, under ``broken``; pack it in a data worker."""
    broken = [found for usable in samples for found in usable.broken]
    batch = dict(data=collate([usable.sample for usable in samples]), broken=broken)
    return batch if get_worker_info() is None else PackedBatch(batch)


# How long a worker lives on after SIGTERM.
GRACE_SECONDS = 60


def _start_worker(init_fn: Callable | None, worker: int) -> None:
    """Start a data worker that outlives signals, until :func:`end_workers`.

    Ctrl-C, and SIGTERM where a cluster sends it to all processes of a job, would end the workers of a search that is
    about to save its state.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: signal.alarm(GRACE_SECONDS))
    if init_fn is not None:
        init_fn(worker)


def end_workers(batches: Iterator | None) -> None:
    """End the data workers of a loader's iterator now; Python does it later, and they take their time with signals."""
    if hasattr(batches, '_shutdown_workers'):
        batches._shutdown_workers()


@contextmanager
def lasting_workers(loader: DataLoader | None) -> Iterator[None]:
    """Let a loader's workers outlive a signal to all processes, as S_train's do; end them after the ``with`` block."""
    if loader is None:
        yield
        return
    loader.worker_init_fn = functools.partial(_start_worker, loader.worker_init_fn)
    try:
        yield
    finally:
        end_workers(loader._iterator)
        loader._iterator = None


def _rebuilt(loader: DataLoader, dataset: Dataset, batch_sampler: KeyedBatchSampler, collate: Callable) -> DataLoader:
    """Make the same data loader with another data set, batch sampler and collate function."""
    return DataLoader(
        dataset,
        batch_sampler=batch_sampler,
        collate_fn=functools.partial(_collate_usable, collate=collate),
        num_workers=loader.num_workers,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=functools.partial(_start_worker, loader.worker_init_fn),
        multiprocessing_context=loader.multiprocessing_context,
        prefetch_factor=loader.prefetch_factor,
        persistent_workers=loader.persistent_workers,
    )


def search_loader(
    loader: DataLoader, space: SearchSpace, num_sub_policies: int, seed: int, stream: int | None = None
) -> DataLoader:
    """Make a loader of search batches from an ordinary training loader.

    Each is ``dict(data=..., broken=[...])``: the result of :func:`ddas_collate`, and the samples that were replaced.
    """
    dataset = SearchDataset(loader.dataset, space, num_sub_policies, seed, stream)
    collate = functools.partial(ddas_collate, collate=loader.collate_fn)
    return _rebuilt(loader, dataset, KeyedBatchSampler(loader.batch_sampler), collate)


def policy_loader(loader: DataLoader, seed: int, start: int) -> DataLoader:
    """Make a loader of S_val batches without end, ``dict(data=..., broken=[...])``, from batch number ``start`` on.

    S_val is never augmented.
    """
    if find_augments(loader.dataset):
        raise ValueError('The pipeline of policy_dataloader holds DDASAugment, but S_val is never augmented: remove it')
    check_memoryless(loader.dataset)
    return _rebuilt(
        loader, KeyedDataset(loader.dataset, seed), KeyedBatchSampler(loader.batch_sampler, start), loader.collate_fn
    )
