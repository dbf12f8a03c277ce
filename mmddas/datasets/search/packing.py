"""One block of shared memory for each batch that a data worker hands over.

PyTorch opens a file and a socket for every tensor that it shares, and a detector's search batch has a hundred small
ones. To receive the two batches of a step of ``configs/ddas/retinanet_thin_shapes.py`` (385 ms on one CPU core)
takes the training process 4 to 7 ms in this way, 37 to 54 ms with the sharing strategy ``file_descriptor``, 14 to 44 ms
with ``file_system``.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator
from itertools import accumulate

import torch
from torch import Tensor

_PLAIN = {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64} | {
    *(torch.float16, torch.float32, torch.float64, torch.complex64, torch.complex128)
}
# Contents begin at multiples of this number of bytes, a line of a processor's cache.
_ALIGNMENT = 64


class _Pickler(pickle.Pickler):
    """A pickler of plain tensors as arrays that share their memory, whose contents go out of band."""

    def reducer_override(self, obj: object) -> object:
        plain = type(obj) is Tensor and obj.device.type == 'cpu' and obj.layout is torch.strided
        if not plain or obj.dtype not in _PLAIN or obj.requires_grad or obj.is_conj() or obj.is_neg():
            return NotImplemented
        return torch.from_numpy, (obj.contiguous().numpy(),)


class PackedBatch:
    """A batch on its way to another process, which receives the batch itself.

    The contents of all tensors and arrays are copied once, into one shared tensor, which the received ones refer to.
    """

    def __init__(self, batch: object) -> None:
        structure, buffers = io.BytesIO(), []
        _Pickler(structure, protocol=5, buffer_callback=buffers.append).dump(batch)
        contents = [buffer.raw() for buffer in buffers]
        sizes = [content.nbytes for content in contents]
        *starts, total = _starts(sizes)
        self.block = torch.empty(0, dtype=torch.uint8)
        if total:  # made as PyTorch's collate functions do: `share_memory_()` would copy it once more
            self.block.set_(torch.UntypedStorage._new_shared(total))
        memory = memoryview(self.block.numpy())
        for start, size, content in zip(starts, sizes, contents, strict=True):
            memory[start : start + size] = content
        self.structure, self.sizes = structure.getvalue(), sizes

    def __reduce__(self) -> tuple[Callable, tuple]:
        return unpack, (self.structure, self.sizes, self.block)


def unpack(structure: bytes, sizes: list[int], block: Tensor) -> object:
    """Return the batch; its tensors and arrays lie in the block, which lives as long as one of them.

    PyTorch does not know them as parts of the block: who copies from them with ``non_blocking=True`` has to keep them
    until the copies are done, as the search loop does.
    """
    *starts, _ = _starts(sizes)
    memory = memoryview(block.numpy())
    buffers = [memory[start : start + size] for start, size in zip(starts, sizes, strict=True)]
    return pickle.loads(structure, buffers=buffers)


def _starts(sizes: list[int]) -> Iterator[int]:
    """Yield where each content begins in the block and, last, where the block ends."""
    return accumulate((-(-size // _ALIGNMENT) * _ALIGNMENT for size in sizes), initial=0)
