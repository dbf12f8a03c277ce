"""The interface of all estimators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from mmddas.stats.evidence import Evidence

from ..gradients import ViewGradients
from ..policy import AugmentationPolicy


class PolicyEstimator(ABC):
    """Turns the alignments of a search step into a step of the policy.

    A step calls an estimator twice, after the network has moved and S_val's gradient is known: :meth:`direction` gives
    the vector that views are compared along, :meth:`update` steps the policy on the alignments. In between, the
    processes of a search average the alignments, so that all of them make the same step. State that lasts over steps is
    in :meth:`state_dict`. Every estimator also collects the alignments as evidence.

    Args:
        policy: The policy to step.
        optimizers: The optimizers of the policy's logits.

    Attributes:
        evidence: The effects of candidates and operations on the alignments, with standard errors.
    """

    uses_optimizers = True
    """Whether it steps the policy with optimizers."""

    def __init__(self, policy: AugmentationPolicy, optimizers: Sequence[Optimizer]) -> None:
        self.policy = policy
        self.optimizers = list(optimizers)
        self.evidence = Evidence(policy.space)

    @property
    def settings(self) -> dict[str, object]:
        """Return the settings that a resumed search must share with the interrupted one."""
        return {}

    def direction(self, gradients: ViewGradients) -> Tensor:
        """Return d ``(P,)`` of a_l = d . (g_0 - g_l): by default the paper's, g_val of this step's batch of S_val.

        An estimator that keeps gradients copies them: their memory is used again. After a diverged step they are not
        finite.
        """
        return gradients.g_val

    def update(self, indices: Tensor, alignments: Tensor, learning_rate: float = 1.0) -> bool:
        """Add the alignments of a step to the evidence, and step the policy.

        Args:
            indices: Sub-policies phi_l ``(L^, N_o)``, or ``(R, L^, N_o)`` where R processes draw their own.
            alignments: a_l ``(L^,)`` or ``(R, L^)``, on the CPU; positive where phi_l hurts the validation loss.
            learning_rate: The network's in this step, the paper's eta.

        Returns:
            False if the step teaches nothing (alignments not finite, or all 0); policy and optimizers stay as they are.
        """
        self.evidence.add(indices, alignments)
        return self.step_policy(indices, alignments, learning_rate)

    @abstractmethod
    def step_policy(self, indices: Tensor, alignments: Tensor, learning_rate: float) -> bool:
        """Step the policy; arguments and result as of :meth:`update`."""

    @torch.no_grad()
    def scalars(self) -> dict[str, Tensor]:
        """Return the policy's scalars for the log: p_tp, and the entropy of p_o in nats."""
        log_probs = self.policy.op_logits.log_softmax(dim=0)
        return dict(total_prob=self.policy.total_prob.detach(), op_entropy=-(log_probs.exp() * log_probs).sum())

    def state_dict(self) -> dict:
        """Return all state besides the policy, as tensors and plain values."""
        optimizers = [optimizer.state_dict() for optimizer in self.optimizers]
        return dict(optimizers=optimizers, evidence=self.evidence.state_dict())

    def load_state_dict(self, state: dict) -> None:
        """Restore :meth:`state_dict` exactly, from any device."""
        state = _on_cpu(dict(optimizers=state['optimizers'], evidence=state['evidence']))
        for optimizer, saved in zip(self.optimizers, state['optimizers'], strict=True):
            optimizer.load_state_dict(saved)
        self.evidence.load_state_dict(state['evidence'])


def _on_cpu(value: object) -> object:
    """Move the tensors of plain containers to the CPU: MMEngine loads checkpoints to the network's GPU."""
    if isinstance(value, Tensor):
        return value.cpu()
    if isinstance(value, dict):
        return {name: _on_cpu(part) for name, part in value.items()}
    return type(value)(map(_on_cpu, value)) if isinstance(value, (list, tuple)) else value
