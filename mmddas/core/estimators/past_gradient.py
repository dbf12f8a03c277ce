"""The mean of S_val's gradients over earlier steps."""

from __future__ import annotations

import torch
from torch import Tensor

from ..gradients import ViewGradients, flat, unflat
from ..validation import is_number


class PastGradient:
    """The mean of S_val's gradients of earlier steps, weighted by ``decay`` to the power of their age.

    One batch of S_val says little about S_val, and right after a step it mostly says whether that step went too far.
    The mean m does not depend on the step at hand, and has less noise: that of n gradients is a share 1/n, as long as
    the network does not move far within them.

    With a ``damping`` d the result is m / (v + d mean(v)), v the weighted mean of the squares of these gradients. A
    view that stays in a training moves the network by some H^-1 (g_0 - g_l), and S_val's loss by its influence,
    g_val . H^-1 (g_0 - g_l) (Koh and Liang, 2017). v approximates the diagonal of H, as in the empirical Fisher matrix.
    It weakens sharp directions, along which the network swings from step to step.

    Memory: one buffer of the network's size, two with damping, and one more while a step compares its views. If layers
    are frozen or thawed, new parameters begin with the current gradient.

    Args:
        decay: From 0 (the last step's gradient alone) to below 1; 0.98 looks back some 50 steps.
        damping: Above 0, or None for the mean itself. It limits the weight of parameters with small gradients.

    Raises:
        ValueError: ``decay`` or ``damping`` is out of its range.
    """

    def __init__(self, decay: float, damping: float | None = None) -> None:
        if not (is_number(decay) and 0 <= decay < 1):
            raise ValueError(f'decay must be a number from 0 to below 1, got {decay!r}')
        if not (damping is None or (is_number(damping) and damping > 0)):
            raise ValueError(f'damping must be a number above 0, or None, got {damping!r}')
        self.decay = decay
        self.damping = damping
        self.weight = 0.0  # the sum of the weights so far: 1 in the limit
        self.sums: list[Tensor] = []  # of the gradients and, with damping, of their squares: (P,) each
        self._members: tuple[int, ...] = ()
        self._sizes: tuple[int, ...] = ()
        self._orders: tuple[tuple[int, ...], ...] = ()

    @torch.no_grad()
    def __call__(self, gradients: ViewGradients) -> Tensor:
        """Return the direction ``(P,)`` from earlier steps (in the first step, from it), then add this step's."""
        g_val = gradients.g_val
        self.sums = [sums.to(g_val.device) for sums in self.sums]  # a checkpoint may have been loaded elsewhere
        if not self.sums:
            self.sums = [torch.zeros_like(g_val) for _ in self._powers]
            self._follow(gradients)
        elif (self._members, self._orders) != (gradients.members, gradients.orders):
            self._move(gradients)
        found = self._direction(*self.sums) if self.weight else self._direction(*(g_val**k for k in self._powers))
        if torch.isfinite(g_val @ g_val):  # of all of it, and of the squares
            self.sums[0].mul_(self.decay).add_(g_val, alpha=1 - self.decay)
            for squares in self.sums[1:]:
                squares.mul_(self.decay).addcmul_(g_val, g_val, value=1 - self.decay)
            self.weight = self.decay * self.weight + 1 - self.decay
        return found

    @property
    def _powers(self) -> tuple[int, ...]:
        return (1,) if self.damping is None else (1, 2)

    def _direction(self, gradients: Tensor, squares: Tensor | None = None) -> Tensor:
        """Compute the direction from weighted sums; the weight cancels in the quotient."""
        if squares is None:
            return gradients / (self.weight or 1.0)
        divisor = squares + (self.damping * squares.mean()).clamp_min(torch.finfo(squares.dtype).tiny)
        return torch.div(gradients, divisor, out=divisor)

    def _follow(self, gradients: ViewGradients) -> None:
        self._members, self._orders = gradients.members, gradients.orders
        self._sizes = tuple(parameter.numel() for parameter in gradients.parameters)

    def _move(self, gradients: ViewGradients) -> None:
        """Rearrange the sums after a change of the trained parameters, or of their memory order."""
        orders = dict(zip(self._members, self._orders, strict=True))
        before = [dict(zip(self._members, sums.split(self._sizes), strict=True)) for sums in self.sums]
        self._follow(gradients)
        now = dict(zip(self._members, gradients.g_val.split(self._sizes), strict=True))
        for member, parameter, order in zip(self._members, gradients.parameters, self._orders, strict=True):
            if member in orders and orders[member] != order:
                for sums in before:
                    sums[member] = flat(unflat(sums[member], parameter.shape, orders[member]), order)
        self.sums = [
            torch.cat([sums.get(member, part**power * self.weight) for member, part in now.items()])
            for power, sums in zip(self._powers, before, strict=True)
        ]

    def state_dict(self) -> dict:
        """Return the state as tensors and plain values."""
        return dict(weight=self.weight, sums=self.sums, members=self._members, sizes=self._sizes, orders=self._orders)

    def load_state_dict(self, state: dict) -> None:
        """Restore :meth:`state_dict` exactly."""
        self.weight = state['weight']
        self.sums = [sums.clone() for sums in state['sums']]
        self._members, self._sizes = tuple(state['members']), tuple(state['sizes'])
        # Checkpoints of earlier versions have PyTorch's own order throughout.
        self._orders = tuple(map(tuple, state.get('orders', [()] * len(self._members))))
