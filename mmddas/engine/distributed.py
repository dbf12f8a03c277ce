"""Messages between the processes of a search: two gradients and one short message a step."""

from __future__ import annotations

import torch
from mmengine.dist import all_gather, all_reduce, get_world_size
from torch import Tensor


def average(tensor: Tensor) -> Tensor:
    """Average a tensor over all processes, in place."""
    if get_world_size() > 1:
        all_reduce(tensor, op='mean')
    return tensor


def share_findings(indices: Tensor, alignments: Tensor, own: bool, stop: bool) -> tuple[Tensor, Tensor, bool]:
    """Gather the findings of all processes, and whether any of them has to stop; collective, one message.

    Sub-policies that the processes share have one alignment each, the mean over the shards of a batch, since an
    alignment is linear in the training gradients.

    Args:
        indices: This process's sub-policies ``(L^, N_o)``, on the CPU.
        alignments: Their alignments ``(L^,)``.
        own: Every process draws sub-policies of its own.
        stop: This process has to stop.

    Returns:
        Indices ``(L^, N_o)`` and alignments ``(L^,)``; with ``own`` and R > 1 processes ``(R, L^, N_o)`` and
        ``(R, L^)``.
    """
    if get_world_size() == 1:
        return indices, alignments.cpu(), stop
    flag = alignments.new_tensor([float(stop)])
    if not own:
        *_, stopping = numbers = average(torch.cat([alignments, flag])).cpu()
        return indices, numbers[:-1], bool(stopping)
    message = torch.cat([indices.flatten().to(alignments), alignments, flag])  # whole numbers this small stay exact
    drawn, found, flags = torch.stack(all_gather(message)).cpu().split([indices.numel(), len(alignments), 1], dim=1)
    return drawn.long().view(-1, *indices.shape), found, bool(flags.any())
