"""S_val's gradient, averaged over the past of a search."""

from __future__ import annotations

import torch
from torch import Tensor

from ..gradients import ViewGradients


class PastGradient:
    """The mean of S_val's gradients of earlier steps, weighted by ``decay`` to the power of their age.

    A batch of S_val tells little of what S_val wants, and after the step at hand it tells most of all whether that step
    went too far. The mean is not about this step, and has less noise: of n gradients of equal weight a share 1/n, as
    long as the network does not move far within them.

    It is one more buffer of the network's size, and another one while a step compares its views. Where layers are
    frozen or thawed, it follows: what is new begins with the gradient at hand.

    Args:
        decay: From 0, the last step's gradient alone, to below 1; 0.98 looks back some 50 steps.

    Raises:
        ValueError: ``decay`` is outside of that.
    """

    def __init__(self, decay: float) -> None:
        if not (isinstance(decay, (int, float)) and not isinstance(decay, bool) and 0 <= decay < 1):
            raise ValueError(f'decay must be a number from 0 to below 1, got {decay!r}')
        self.decay = decay
        self.weight = 0.0  # the sum of the weights so far: 1 in the limit
        self.sum: Tensor | None = None  # (P,)
        self._members: tuple[int, ...] = ()
        self._sizes: tuple[int, ...] = ()

    @torch.no_grad()
    def __call__(self, gradients: ViewGradients) -> Tensor:
        """The mean over the steps before this one ``(P,)``; in the first one, its own gradient. Takes this one's in."""
        g_val = gradients.g_val
        if self.sum is None:
            self.sum = torch.zeros_like(g_val)
            self._follow(gradients)
        elif self._members != gradients.members:
            self._move(gradients)
        found = self.sum / self.weight if self.weight else g_val.clone()
        if torch.isfinite(g_val).all():
            self.sum.mul_(self.decay).add_(g_val, alpha=1 - self.decay)
            self.weight = self.decay * self.weight + 1 - self.decay
        return found

    def _follow(self, gradients: ViewGradients) -> None:
        self._members = gradients.members
        self._sizes = tuple(parameter.numel() for parameter in gradients.parameters)

    def _move(self, gradients: ViewGradients) -> None:
        """The parameters that are trained have changed."""
        before = dict(zip(self._members, self.sum.split(self._sizes), strict=True))
        self._follow(gradients)
        now = dict(zip(self._members, gradients.g_val.split(self._sizes), strict=True))
        self.sum = torch.cat([before.get(member, part * self.weight) for member, part in now.items()])

    def state_dict(self) -> dict:
        """As tensors and plain values."""
        return dict(weight=self.weight, sum=self.sum, members=self._members, sizes=self._sizes)

    def load_state_dict(self, state: dict) -> None:
        """Go on from :meth:`state_dict`, to the bit."""
        self.weight = state['weight']
        self.sum = None if state['sum'] is None else state['sum'].clone()
        self._members, self._sizes = tuple(state['members']), tuple(state['sizes'])
