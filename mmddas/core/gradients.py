"""Gradients of the network in flat buffers: of the views, their weighted sum, their alignments.

P is the number of the network's trainable parameters, L^ the number of sub-policies of a step.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, groupby
from operator import is_

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


def step_slope(optimizer: Optimizer, group: dict, parameter: nn.Parameter) -> float:
    """Return -dtheta_{t+1} / dg: how far the next step moves a parameter per unit of its gradient.

    Exact for SGD, with momentum of any kind and weight decay. For other optimizers, whose steps are not linear in the
    gradient, it is the learning rate.
    """
    if not isinstance(optimizer, torch.optim.SGD):
        return group['lr']
    momentum, slope = group['momentum'], group['lr']
    if momentum and group['nesterov']:
        slope *= 1 + momentum
    elif momentum and optimizer.state.get(parameter, {}).get('momentum_buffer') is not None:
        slope *= 1 - group['dampening']
    return -slope if group['maximize'] else slope


def reference_rate(optimizer: Optimizer) -> float:
    """Return the first learning rate above 0 among the optimizer's groups: the eta of Eq. 16 and 17."""
    return next((group['lr'] for group in optimizer.param_groups if group['lr']), 0.0)


def memory_order(tensor: Tensor) -> tuple[int, ...]:
    """Return a dense tensor's dimensions, outermost in memory first; empty for PyTorch's order, and if not dense."""
    order = tuple(sorted(range(tensor.dim()), key=tensor.stride, reverse=True))
    return order if not tensor.is_contiguous() and tensor.permute(order).is_contiguous() else ()


def flat(tensor: Tensor, order: tuple[int, ...]) -> Tensor:
    """Flatten a tensor to ``(n,)`` in an order of its dimensions, see :func:`memory_order`."""
    return (tensor.permute(order) if order else tensor).reshape(-1)


def unflat(numbers: Tensor, shape: torch.Size, order: tuple[int, ...]) -> Tensor:
    """Undo :func:`flat`, without a copy."""
    if not order:
        return numbers.view(shape)
    return numbers.view([shape[dim] for dim in order]).permute(sorted(order, key=order.__getitem__))


class ViewGradients:
    """g_0 and the L^ differences g_0 - g_l of a search step, in one buffer ``(L^ + 1, P)``.

    With weights that sum to 1 the expected gradient is g_0 - sum_l w_l (g_0 - g_l): the differences serve both the step
    and the alignments, and nothing of size P is computed or kept twice.

    Gradients come from ``backward``, as in training. They cover the parameters that require a gradient when a step
    begins: layers may be frozen and thawed between steps, and P changes with them. Each parameter keeps its memory
    order, since fused optimizers on a GPU refuse gradients of another order.

    Args:
        parameters: The optimizer of the network (its groups may have different rates), or the parameters themselves, if
            all have one rate. All trained parameters must have one dtype and device.
        num_sub_policies: L^.

    Attributes:
        parameters: The trained parameters, in the order of the buffers.
        members: Their positions among all parameters, by which a resumed search recognises them.
        orders: Their memory orders (:func:`memory_order`).

    Raises:
        ValueError: There is nothing to train, or trained parameters differ in dtype or device.
    """

    def __init__(self, parameters: Optimizer | Iterable[nn.Parameter], num_sub_policies: int) -> None:
        self.optimizer = parameters if isinstance(parameters, Optimizer) else None
        if self.optimizer is not None:
            # Sort by rate: alignments need one product per stretch of equal rates. By the initial rates, so that a
            # resumed search has the same order.
            groups = sorted(self.optimizer.param_groups, key=lambda group: group.get('initial_lr', group['lr']))
            parameters = (parameter for group in groups for parameter in group['params'])
        self._all = list(parameters)
        self.num_sub_policies = num_sub_policies
        self.parameters: list[nn.Parameter] = []
        self._strides: list[tuple[int, ...]] = []
        self._follow_trainable()

    def _follow_trainable(self) -> None:
        """Make buffers for the parameters that require a gradient now, if these have changed."""
        trainable = [parameter for parameter in self._all if parameter.requires_grad]
        if not trainable:
            raise ValueError('The network has no trainable parameters')
        strides = [parameter.stride() for parameter in trainable]
        if strides == self._strides and all(map(is_, trainable, self.parameters)):
            return
        kinds = {(parameter.dtype, parameter.device) for parameter in trainable}
        if len(kinds) > 1:
            raise ValueError(
                f'All trainable parameters must have one dtype and device, found {sorted(map(str, kinds))}'
            )
        self.parameters, self._strides = trainable, strides
        self.orders = tuple(map(memory_order, trainable))
        wanted = set(map(id, trainable))
        self.members = tuple(place for place, parameter in enumerate(self._all) if id(parameter) in wanted)
        sizes = [parameter.numel() for parameter in trainable]
        self._ends = list(accumulate(sizes))
        size, first = self._ends[-1], trainable[0]
        self._views = first.new_empty(self.num_sub_policies + 1, size)
        # The expected gradient, then one number per parameter: 0 if no view has a gradient of it.
        self._expected = first.new_empty(size + len(trainable))
        self._shared = self._expected[:size]  # after the step: g_val
        self._in_use = [False] * len(trainable)  # in this step, and by this process
        self._scale: Tensor | float = 1.0  # of the views' losses
        self._stretches = [(0, size, 1.0)]
        self._shared_parts = [
            # With exactly the parameter's strides, also for dimensions of 1, where any stride would do.
            part.as_strided(parameter.shape, parameter.stride())
            if order or parameter.is_contiguous()
            else part.view_as(parameter)
            for part, parameter, order in zip(self._shared.split(sizes), trainable, self.orders, strict=True)
        ]

    def _fill(self, out: Tensor, loss: Tensor) -> list[bool]:
        """Write the gradient of ``loss`` to ``out`` ``(P,)``, zeros if none; return which parameters have one."""
        for parameter in self.parameters:
            parameter.grad = None
        # Not ``torch.autograd.grad``, which cannot pass through reentrant activation checkpointing.
        loss.backward()
        gradients = [parameter.grad for parameter in self.parameters]
        torch.cat(
            [
                flat(torch.zeros_like(parameter) if gradient is None else gradient, order)
                for parameter, gradient, order in zip(self.parameters, gradients, self.orders, strict=True)
            ],
            out=out,
        )
        for parameter in self.parameters:
            parameter.grad = None
        return [gradient is not None for gradient in gradients]

    def add_view(self, view: int, loss: Tensor, scale: Tensor | float = 1.0) -> None:
        """Compute the gradient of a view.

        Args:
            view: Its number: 0, the clean one, first; then 1..L^.
            loss: Its loss, a scalar.
            scale: A factor against underflow, the same for all views. The expected gradient keeps it for a loss scaler
                to remove; alignments are without it.
        """
        if view == 0:
            self._follow_trainable()
            self._in_use = [False] * len(self.parameters)
        row = self._views[view]
        in_use = self._fill(row, loss * scale)
        self._in_use = [before or now for before, now in zip(self._in_use, in_use, strict=True)]
        self._scale = scale
        if view > 0:
            torch.sub(self._views[0], row, out=row)

    def expected(self, weights: Tensor) -> Tensor:
        """Compute sum_l w_l g_l for ``weights`` ``(L^ + 1,)`` that sum to 1, clean view first (Eq. 5, 6).

        Returns:
            ``(P + n,)``: the gradient, then one number for each of the n parameters, 0 if no view has a gradient of it.
            Processes average all of it.
        """
        torch.addmv(self._views[0], self._views[1:].T, weights[1:].to(self._views), alpha=-1, out=self._shared)
        flags = self._expected[len(self._shared) :]
        flags.fill_(1.0) if all(self._in_use) else flags.copy_(torch.tensor(self._in_use, dtype=flags.dtype))
        return self._expected

    def assign(self) -> None:
        """Set the parameters' ``.grad`` to the expected gradient, without a copy.

        Parameters without a gradient in any view of any process get None, so that they do not decay either.
        """
        # Another process may use parameters that this one does not.
        in_use = self._in_use if all(self._in_use) else self._expected[len(self._shared) :].tolist()
        for parameter, part, used in zip(self.parameters, self._shared_parts, in_use, strict=True):
            parameter.grad = part if used else None
        if self.optimizer is not None:
            self._stretches = self._stretches_of_one_rate()

    def _stretches_of_one_rate(self) -> list[tuple[int, int, float]]:
        """Return (begin, end, rate) of the buffers' stretches, rates relative to the first; without those of rate 0."""
        slopes = {}
        for group in self.optimizer.param_groups:
            slopes |= {id(parameter): step_slope(self.optimizer, group, parameter) for parameter in group['params']}
        reference = next(filter(None, slopes.values()), None)
        stretches, begin = [], 0
        ends = zip(self.parameters, self._ends, strict=True)
        for slope, members in groupby(ends, key=lambda member: slopes[id(member[0])]):
            *_, (_, end) = members
            if slope:
                stretches.append((begin, end, slope / reference))
            begin = end
        return stretches or [(0, len(self._shared), 1.0)]  # nothing moves in this step

    def validation(self, loss: Tensor, scale: Tensor | float = 1.0) -> Tensor:
        """Compute g_val ``(P,)``, after the network's step. It overwrites the expected gradient.

        Args:
            loss: S_val's loss, a scalar.
            scale: A factor against underflow, removed from the result.
        """
        self._fill(self._shared, loss * scale)
        return self._shared.div_(scale) if isinstance(scale, Tensor) else self._shared

    @property
    def g_0(self) -> Tensor:
        """The clean view's gradient ``(P,)``, times the views' scale, until the next step."""
        return self._views[0]

    @property
    def g_val(self) -> Tensor:
        """S_val's gradient ``(P,)``, from :meth:`validation` until the next step's expected gradient."""
        return self._shared

    def alignments(self, direction: Tensor | None = None) -> Tensor:
        """Compute a_l = g_val . (g_0 - g_l), ``(L^,)``; positive if a sub-policy hurts the validation loss.

        If the optimizer's groups g have different rates eta_g, each parameter counts by its rate relative to the first
        group that moves: dL_val / dw_l is -sum_g eta_g g_val . g_l.

        Args:
            direction: ``(P,)``, to use instead of g_val.
        """
        return self._product(self._views[1:], self._shared if direction is None else direction) / self._scale

    def _product(self, rows: Tensor, vector: Tensor) -> Tensor:
        """Multiply ``rows`` ``(..., P)`` with ``vector`` ``(P,)``, each parameter weighted by its rate."""
        if self._stretches == [(0, len(vector), 1.0)]:
            return rows @ vector
        parts = [rate * (rows[..., begin:end] @ vector[begin:end]) for begin, end, rate in self._stretches]
        return torch.stack(parts).sum(dim=0)

    def grad_cosine(self) -> Tensor:
        """Compute the cosine of g_val, taken after the step, and g_0: a scalar, 0 if one of them vanishes.

        It is negative if the step overshot the valley that g_0 points into; alignments then reward views that point
        there less. Parameters count by their rates, as in :meth:`alignments`.
        """
        clean, validation = self._views[0], self._shared
        if len(self._stretches) == 1:
            (begin, end, _), *_ = self._stretches
            clean, validation = clean[begin:end], validation[begin:end]
            norms = torch.linalg.vector_norm(clean) * torch.linalg.vector_norm(validation)
            return (clean @ validation) / norms.clamp_min(torch.finfo(norms.dtype).tiny)
        squares = self._product(clean, clean) * self._product(validation, validation)
        norms = squares.clamp_min(torch.finfo(squares.dtype).tiny).sqrt()
        return self._product(clean, validation) / norms
