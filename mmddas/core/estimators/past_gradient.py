"""S_val's gradient, averaged over the past of a search."""

from __future__ import annotations

import torch
from torch import Tensor

from ..gradients import ViewGradients, flat, unflat
from ..validation import is_number


class PastGradient:
    """The mean of S_val's gradients of earlier steps, weighted by ``decay`` to the power of their age.

    A batch of S_val tells little of what S_val wants, and after the step at hand it tells most of all whether that step
    went too far. The mean m is not about this step, and has less noise: of n gradients of equal weight a share 1/n, as
    long as the network does not move far within them.

    With a ``damping`` d it is m / (v + d mean(v)) instead, v the weighted mean of the squares of these gradients. A
    view that a training has for good moves the network by some H^-1 (g_0 - g_l), until its pull is balanced, and
    S_val's loss by its influence, g_val . H^-1 (g_0 - g_l) (Koh and Liang, 2017). v stands for the diagonal of H, as in
    the empirical Fisher matrix. Along sharp directions, where the network swings from step to step, little comes of a
    pull; along flat ones much, and those count.

    Memory is one more buffer of the network's size, with damping two, and another one while a step compares its views.
    Where layers are frozen or thawed, it follows: what is new begins with the gradient at hand.

    Args:
        decay: From 0, the last step's gradient alone, to below 1; 0.98 looks back some 50 steps.
        damping: Above 0, or None for the mean itself. A parameter whose gradients are smaller than this share of the
            mean square counts hardly more, the smaller they are.

    Raises:
        ValueError: ``decay`` or ``damping`` is outside of that.
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
        """The direction of the steps before this one ``(P,)``; in the first one, its own. Takes this step's in."""
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
        """Of sums, whose weight cancels where one is divided by the other."""
        if squares is None:
            return gradients / (self.weight or 1.0)
        divisor = squares + (self.damping * squares.mean()).clamp_min(torch.finfo(squares.dtype).tiny)
        return torch.div(gradients, divisor, out=divisor)

    def _follow(self, gradients: ViewGradients) -> None:
        self._members, self._orders = gradients.members, gradients.orders
        self._sizes = tuple(parameter.numel() for parameter in gradients.parameters)

    def _move(self, gradients: ViewGradients) -> None:
        """The parameters that are trained have changed, or the order of their numbers."""
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
        """As tensors and plain values."""
        return dict(weight=self.weight, sums=self.sums, members=self._members, sizes=self._sizes, orders=self._orders)

    def load_state_dict(self, state: dict) -> None:
        """Go on from :meth:`state_dict`, to the bit."""
        self.weight = state['weight']
        self.sums = [sums.clone() for sums in state['sums']]
        self._members, self._sizes = tuple(state['members']), tuple(state['sizes'])
        # Checkpoints of earlier versions have PyTorch's own order throughout.
        self._orders = tuple(map(tuple, state.get('orders', [()] * len(self._members))))
