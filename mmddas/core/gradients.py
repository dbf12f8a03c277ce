"""Network gradients in flat buffers: those of the views, their weighted sum, their alignments.

P is the number of the network's trainable parameters, L^ the number of sub-policies of a step.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ViewGradients:
    """g_0 and the L^ differences g_0 - g_l of a search step, in one buffer ``(L^ + 1, P)``.

    With weights that sum to 1 the expected gradient is g_0 - sum_l w_l (g_0 - g_l), so that the differences,
    which the alignments need, serve for the step too: nothing of size P is computed or kept twice.

    Args:
        parameters: The network's trainable parameters, all of one dtype and on one device.
        num_sub_policies: L^.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], num_sub_policies: int) -> None:
        self.parameters = list(parameters)
        if not self.parameters:
            raise ValueError('The network has no trainable parameters')
        kinds = {(parameter.dtype, parameter.device) for parameter in self.parameters}
        if len(kinds) > 1:
            raise ValueError(
                f'All trainable parameters must have one dtype and device, found {sorted(map(str, kinds))}'
            )
        sizes = [parameter.numel() for parameter in self.parameters]
        first = self.parameters[0]
        self._views = first.new_empty(num_sub_policies + 1, sum(sizes))
        self._shared = first.new_empty(sum(sizes))  # the expected gradient, and after the step g_val
        self._scale: Tensor | float = 1.0  # of the views' losses
        self._shared_parts = [
            part.view_as(parameter) for part, parameter in zip(self._shared.split(sizes), self.parameters, strict=True)
        ]

    def _fill(self, out: Tensor, loss: Tensor) -> None:
        gradients = torch.autograd.grad(loss, self.parameters, allow_unused=True)
        torch.cat(
            [
                (torch.zeros_like(parameter) if gradient is None else gradient).reshape(-1)
                for parameter, gradient in zip(self.parameters, gradients, strict=True)
            ],
            out=out,
        )

    def add_view(self, view: int, loss: Tensor, scale: Tensor | float = 1.0) -> None:
        """Take the gradient of view number ``view``: 0, the clean one, first, then 1..L^.

        Args:
            view: The view's number.
            loss: Its loss, a scalar.
            scale: A factor against underflow, the same for all views. The expected gradient keeps it, for a loss
                scaler to take off; alignments are without it.
        """
        row = self._views[view]
        self._fill(row, loss * scale)
        self._scale = scale
        if view > 0:
            torch.sub(self._views[0], row, out=row)

    def expected(self, weights: Tensor) -> Tensor:
        """sum_l w_l g_l ``(P,)`` for ``weights`` ``(L^ + 1,)`` that sum to 1, clean view first (Eq. 5, 6)."""
        torch.addmv(self._views[0], self._views[1:].T, weights[1:].to(self._views), alpha=-1, out=self._shared)
        return self._shared

    def assign(self) -> None:
        """Make the expected gradient the parameters' ``.grad``, for an optimizer to step on; no copy."""
        for parameter, part in zip(self.parameters, self._shared_parts, strict=True):
            parameter.grad = part

    def validation(self, loss: Tensor, scale: Tensor | float = 1.0) -> Tensor:
        """g_val ``(P,)``, once the network has stepped. It takes the place of the expected gradient.

        Args:
            loss: S_val's, a scalar.
            scale: A factor against underflow, which is taken off the gradient again.
        """
        for parameter in self.parameters:
            parameter.grad = None
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
        """a_l = g_val . (g_0 - g_l), ``(L^,)``; positive where a sub-policy hurts the validation loss.

        Args:
            direction: ``(P,)``, what is to take the place of g_val.
        """
        return self._views[1:] @ (self._shared if direction is None else direction) / self._scale

    def descent(self) -> Tensor:
        """The cosine of g_val, taken after the step, and g_0: a scalar, 0 where one of them vanishes.

        Positive while the network could have stepped further. Negative where it has stepped beyond the valley that
        g_0 pointed into: then alignments reward views for pointing there less.
        """
        clean, validation = self._views[0], self._shared
        norms = torch.linalg.vector_norm(clean) * torch.linalg.vector_norm(validation)
        return (clean @ validation) / norms.clamp_min(torch.finfo(norms.dtype).tiny)
