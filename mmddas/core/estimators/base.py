"""What every estimator of a policy's step is asked, and may keep."""

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
    """Turns what a search step has found into a step of the policy.

    In every step, once the network has moved and S_val's gradient is there, an estimator is asked twice:
    :meth:`direction`, along what the views' gradients are compared, and :meth:`update`, to step the policy on the
    alignments along it. Between the two the processes of a search agree on the alignments, so that all of them make the
    same step. What an estimator keeps from step to step is in its :meth:`state_dict`.

    Whatever it does with the alignments, they are evidence of what each candidate does, which is kept.

    Args:
        policy: What it steps.
        optimizers: The optimizers of the policy's logits.

    Attributes:
        evidence: Effects of candidates and operations on the alignments, with their standard errors.
    """

    uses_optimizers = True
    """Whether it steps the policy by its optimizers."""

    def __init__(self, policy: AugmentationPolicy, optimizers: Sequence[Optimizer]) -> None:
        self.policy = policy
        self.optimizers = list(optimizers)
        self.evidence = Evidence(policy.space)

    @property
    def settings(self) -> dict[str, object]:
        """What a resumed search must share with the interrupted one, beside the optimizers."""
        return {}

    def direction(self, gradients: ViewGradients) -> Tensor:
        """d ``(P,)`` in a_l = d . (g_0 - g_l).

        Here it is the paper's: g_val, of this step's batch of S_val. An estimator that needs the gradients of earlier
        steps keeps them here, as copies, since their memory is used again; after a diverged step they are not finite.
        """
        return gradients.g_val

    def update(self, indices: Tensor, alignments: Tensor, learning_rate: float = 1.0) -> bool:
        """Take in what a step has found, and step the policy.

        Args:
            indices: Sub-policies phi_l ``(L^, N_o)``; of R processes that have drawn their own, ``(R, L^, N_o)``.
            alignments: a_l ``(L^,)`` or ``(R, L^)``, on the CPU; positive where phi_l hurts the validation loss.
            learning_rate: The network's in this step, the paper's eta.

        Returns:
            False where nothing can be learned from the step (an alignment that is not finite, or all are 0): then
            policy and optimizers are as they were.
        """
        self.evidence.add(indices, alignments)
        return self.step_policy(indices, alignments, learning_rate)

    @abstractmethod
    def step_policy(self, indices: Tensor, alignments: Tensor, learning_rate: float) -> bool:
        """What an estimator does in :meth:`update`, the evidence apart."""

    @torch.no_grad()
    def scalars(self) -> dict[str, Tensor]:
        """What the log tells of the policy: p_tp, and the entropy of p_o in nats."""
        log_probs = self.policy.op_logits.log_softmax(dim=0)
        return dict(total_prob=self.policy.total_prob.detach(), op_entropy=-(log_probs.exp() * log_probs).sum())

    def state_dict(self) -> dict:
        """All that the next step depends on beside the policy, as tensors and plain values."""
        optimizers = [optimizer.state_dict() for optimizer in self.optimizers]
        return dict(optimizers=optimizers, evidence=self.evidence.state_dict())

    def load_state_dict(self, state: dict) -> None:
        """Go on from :meth:`state_dict`, to the bit, whatever device the checkpoint was loaded to."""
        state = _on_cpu(dict(optimizers=state['optimizers'], evidence=state['evidence']))
        for optimizer, saved in zip(self.optimizers, state['optimizers'], strict=True):
            optimizer.load_state_dict(saved)
        self.evidence.load_state_dict(state['evidence'])


def _on_cpu(value: object) -> object:
    """Tensors of plain containers on the CPU, where the policy is: MMEngine loads checkpoints to the network's GPU."""
    if isinstance(value, Tensor):
        return value.cpu()
    if isinstance(value, dict):
        return {name: _on_cpu(part) for name, part in value.items()}
    return type(value)(map(_on_cpu, value)) if isinstance(value, (list, tuple)) else value
