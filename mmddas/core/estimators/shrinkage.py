"""The recommended estimator: effects shrunk by their errors, with levels of an operation sharing strength."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from ..gradients import ViewGradients
from ..policy import AugmentationPolicy
from ..validation import is_number
from .base import PolicyEstimator
from .past_gradient import PastGradient


class ShrinkageEstimator(PolicyEstimator):
    """Sets alpha_o to the shrunk effects of the candidates, in units of their spread.

    The effect of candidate k of operation o is taken as e_o + d_k, with e_o ~ N(0, tau_op^2), d_k ~ N(0, tau_level^2),
    and e_o and e_o + d_k observed as x_o and x_k with the standard errors s of the evidence; both tau come from the
    evidence (empirical Bayes: :meth:`~mmddas.core.Evidence.shrunk`). With r = tau^2 / (tau^2 + s^2) and m_o = r_o x_o,

        alpha_o[k] = -strength * (m_o + r_k (x_k - m_o)) / sqrt(tau_op^2 + s_op^2)

    with the harmonic mean s_op^2 of the operations' squared errors. Only that part of the observed spread counts which
    is two standard deviations above what errors alone would give
    (:func:`~mmddas.stats.effects.shrinkage_factors`): up to there tau is 0 and the policy uniform. Where errors are
    small compared with effects, an operation two spreads better than the mean has exp(2 strength) times its
    probability, however long the search: knowledge bounds a policy, not a rate times the number of steps.
    If KL(p_o || uniform) exceeds ``max_divergence``, alphas are scaled down to it, so that a policy does not become a
    single operation.

    p_tp stays as it is: alignments describe the next step, not how much augmentation a whole training wants.

    Alignments use the damped mean of S_val's gradients before the step (:class:`PastGradient`), at the cost of two
    buffers of the network's size, and one more while a step compares its views.

    Args:
        policy: The policy to set.
        optimizers: Not used.
        decay: Factor of a gradient's weight in that mean with every step.
        damping: Of the mean, as a share of its mean square; None for the plain mean, and one buffer less.
        strength: How far the policy follows the effects; 0 keeps it uniform.
        max_divergence: In nats: at 1, p_o is at least as wide as a uniform one over a share 1/e of the candidates.

    Raises:
        ValueError: ``decay`` is not from 0 to below 1, ``damping`` not above 0, or one of the others is negative or
            not a number.
    """

    uses_optimizers = False

    def __init__(
        self,
        policy: AugmentationPolicy,
        optimizers: Sequence[Optimizer] = (),
        decay: float = 0.98,
        damping: float | None = 1.0,
        strength: float = 1.0,
        max_divergence: float = 1.0,
    ) -> None:
        super().__init__(policy, optimizers)
        for name, value in dict(strength=strength, max_divergence=max_divergence).items():
            if not (is_number(value) and value >= 0):
                raise ValueError(f'{name} must be a number of at least 0, got {value!r}')
        self.past = PastGradient(decay, damping)
        self.strength = strength
        self.max_divergence = max_divergence

    @property
    def settings(self) -> dict[str, object]:
        past = dict(decay=self.past.decay, damping=self.past.damping)
        return past | dict(strength=self.strength, max_divergence=self.max_divergence)

    def direction(self, gradients: ViewGradients) -> Tensor:
        return self.past(gradients)

    @torch.no_grad()
    def step_policy(self, indices: Tensor, alignments: Tensor, learning_rate: float) -> bool:
        if not (torch.isfinite(alignments).all() and alignments.any()):
            return False
        means, spread = self.evidence.shrunk()
        logits = -self.strength * means / spread if spread else np.zeros(len(means))
        self.policy.op_logits.copy_(torch.from_numpy(within_divergence(self.max_divergence, logits)))
        return True

    def state_dict(self) -> dict:
        return super().state_dict() | dict(past=self.past.state_dict())

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict(state)
        self.past.load_state_dict(state['past'])


def within_divergence(max_divergence: float, logits: np.ndarray) -> np.ndarray:
    """Scale logits down until KL(softmax || uniform) is at most ``max_divergence`` (nats)."""

    def divergence(scale: float) -> float:
        weights = np.exp(scale * (logits - logits.max()))
        probs = weights / weights.sum()
        return float((probs * np.log(np.maximum(probs * len(probs), 1e-300))).sum())

    if divergence(1.0) <= max_divergence:
        return logits
    low, high = 0.0, 1.0  # it grows with the scale
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if divergence(middle) <= max_divergence else (low, middle)
    return low * logits
