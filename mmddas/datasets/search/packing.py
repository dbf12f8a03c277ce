"""Batches on their way from a data worker to the training process, as one block of memory each.

PyTorch opens a shared file and a socket for every tensor of a batch. A search's batch for a detector has a hundred
of them, most with a few numbers (boxes, labels), and taking it in costs the training process some 0.2 ms a tensor. Here
the contents of all tensors and arrays lie one after the other in one shared tensor, which the unpacked ones refer to.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, get_worker_info

_PLAIN = {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64} | {
    *(torch.float16, torch.float32, torch.float64, torch.complex64, torch.complex128)
}
# Contents begin at multiples of this number of bytes, a line of a processor's cache.
_ALIGNMENT = 64


class PackedBatch(NamedTuple):
    """A batch: what it is made of, and the contents of its tensors and arrays in one block ``(bytes,)`` of uint8."""

    structure: bytes
    sizes: list[int]
    block: Tensor


class _Pickler(pickle.Pickler):
    """Has plain tensors pickled as the arrays that share their memory, whose contents go out of band."""

    def reducer_override(self, obj: object) -> object:
        plain = type(obj) is Tensor and obj.device.type == 'cpu' and obj.layout is torch.strided
        if not plain or obj.dtype not in _PLAIN or obj.requires_grad or obj.is_conj() or obj.is_neg():
            return NotImplemented
        return torch.from_numpy, (obj.contiguous().numpy(),)


def pack(batch: object) -> PackedBatch:
    """Put a batch into a block of shared memory; its contents are copied once."""
    structure, buffers = io.BytesIO(), []
    _Pickler(structure, protocol=5, buffer_callback=buffers.append).dump(batch)
    contents = [buffer.raw() for buffer in buffers]
    sizes = [content.nbytes for content in contents]
    *starts, total = _starts(sizes)
    block = _shared_bytes(total)
    memory = memoryview(block.numpy())
    for start, size, content in zip(starts, sizes, contents, strict=True):
        memory[start : start + size] = content
    return PackedBatch(structure.getvalue(), sizes, block)


def _shared_bytes(count: int) -> Tensor:
    """Shared memory, made as PyTorch's own collate functions do: ``share_memory_()`` would copy it once more."""
    block = torch.empty(0, dtype=torch.uint8)
    return block.set_(torch.UntypedStorage._new_shared(count)) if count else block


def unpack(packed: PackedBatch) -> object:
    """The batch; its tensors and arrays lie in the block, which lives as long as one of them.

    PyTorch does not know them as parts of the block: who copies from them with ``non_blocking=True`` has to keep them
    until the copies are done, as the search loop does.
    """
    *starts, _ = _starts(packed.sizes)
    memory = memoryview(packed.block.numpy())
    buffers = [memory[start : start + size] for start, size in zip(starts, packed.sizes, strict=True)]
    return pickle.loads(packed.structure, buffers=buffers)


def _starts(sizes: list[int]) -> Iterator[int]:
    """Where each content begins in the block; and, last, where the block ends."""
    return accumulate((-(-size // _ALIGNMENT) * _ALIGNMENT for size in sizes), initial=0)


class PackingCollate:
    """A collate function whose batches are packed where it runs in a data worker."""

    def __init__(self, collate: Callable[[list], object]) -> None:
        self.collate = collate

    def __call__(self, samples: list) -> object:
        batch = self.collate(samples)
        return batch if get_worker_info() is None else pack(batch)


class UnpackingLoader(DataLoader):
    """A data loader whose batches may come packed."""

    def __iter__(self) -> UnpackingIterator:
        return UnpackingIterator(super().__iter__())


class UnpackingIterator:
    """The batches of a data loader's iterator, unpacked."""

    def __init__(self, iterator: Iterator) -> None:
        self.iterator = iterator

    def __iter__(self) -> UnpackingIterator:
        return self

    def __next__(self) -> object:
        batch = next(self.iterator)
        return unpack(batch) if isinstance(batch, PackedBatch) else batch

    def shut_down(self) -> None:
        """End the workers now, not when Python gets to it: they take their time with signals."""
        if hasattr(self.iterator, '_shutdown_workers'):
            self.iterator._shutdown_workers()
