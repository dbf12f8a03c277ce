"""The paper's estimator: Eq. 15 to 17 on the alignments of one step, then the policy's optimizers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.optim import Optimizer

from ..policy import AugmentationPolicy, update_policy
from .base import PolicyEstimator


class PaperEstimator(PolicyEstimator):
    """Steps the policy's optimizers on the gradients of Eq. 16 and 17.

    Args:
        policy: The policy to step.
        optimizers: The optimizers of the policy's logits.
        normalize: Divide the gradients by Z_g (Eq. 15).
        scale_by_lr: Multiply them by the network's learning rate: Eq. 16 and 17 do, the authors' code does not.

    Source: Liu et al., Direct Differentiable Augmentation Search, Eq. 15 to 17.
    """

    def __init__(
        self,
        policy: AugmentationPolicy,
        optimizers: Sequence[Optimizer],
        normalize: bool = True,
        scale_by_lr: bool = False,
    ) -> None:
        super().__init__(policy, optimizers)
        for name, switch in dict(normalize=normalize, scale_by_lr=scale_by_lr).items():
            if not isinstance(switch, bool):
                raise ValueError(f'{name} must be True or False, got {switch!r}')
        self.normalize = normalize
        self.scale_by_lr = scale_by_lr

    @property
    def settings(self) -> dict[str, object]:
        return dict(normalize=self.normalize, scale_by_lr=self.scale_by_lr)

    def step_policy(self, indices: Tensor, alignments: Tensor, learning_rate: float) -> bool:
        scale = learning_rate if self.scale_by_lr else 1.0
        return update_policy(self.policy, self.optimizers, indices, alignments, self.normalize, scale)
