"""An estimator: the paper's step of the policy, along the mean of S_val's gradients of earlier steps.

Compared with the other estimators in ``research/searches.md``; nothing but the question needs it. A search has it with
``research`` on the Python path and ``custom_imports=dict(imports=['mmddas', 'mean_gradient'])``,
``estimator=dict(type='MeanGradientEstimator')`` in its config.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.optim import Optimizer

from mmddas.core import ESTIMATORS, AugmentationPolicy, PaperEstimator, PastGradient, ViewGradients


class MeanGradientEstimator(PaperEstimator):
    """:class:`PaperEstimator` with a_l = m . (g_0 - g_l), m the mean of S_val's gradients before this step.

    Costs one more buffer of the network's size, and another one while a step compares its views.

    Args:
        policy: What it steps.
        optimizers: The optimizers of the policy's logits.
        normalize, scale_by_lr: As :class:`PaperEstimator`.
        decay: What a gradient's weight in the mean is multiplied by with every step.
    """

    def __init__(
        self,
        policy: AugmentationPolicy,
        optimizers: Sequence[Optimizer],
        normalize: bool = True,
        scale_by_lr: bool = False,
        decay: float = 0.98,
    ) -> None:
        super().__init__(policy, optimizers, normalize, scale_by_lr)
        self.past = PastGradient(decay)

    @property
    def settings(self) -> dict[str, object]:
        return super().settings | dict(decay=self.past.decay)

    def direction(self, gradients: ViewGradients) -> Tensor:
        return self.past(gradients)

    def state_dict(self) -> dict:
        return super().state_dict() | dict(past=self.past.state_dict())

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict(state)
        self.past.load_state_dict(state['past'])


ESTIMATORS['MeanGradientEstimator'] = MeanGradientEstimator
