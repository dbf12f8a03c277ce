"""Direct Differentiable Augmentation Search: the policy, and its gradient.

Liu et al., Direct Differentiable Augmentation Search. Read from top to bottom this follows the paper:
the policy's two probabilities, the uniform draw of sub-policies, the expected loss (Eq. 12) and the
policy's gradients from the alignments of network gradients (Eq. 15 to 17).

Notation: K candidates, N_o operations in a sub-policy, L^ sub-policies drawn in a step.
"""

import math

import torch
from torch import Tensor, nn

from .search_space import SearchSpace
from .validation import is_number


class AugmentationPolicy(nn.Module):
    """The policy p = (p_tp, p_o) behind unconstrained logits.

    Args:
        space: The candidates.
        init_total_prob: p_tp at the start, in (0, 1). p_o starts uniform.

    Attributes:
        total_logit: alpha_tp, scalar parameter.
        op_logits: alpha_o, parameter ``(K,)``.
    """

    def __init__(self, space: SearchSpace, init_total_prob: float = 0.35) -> None:
        super().__init__()
        if not (is_number(init_total_prob) and 0 < init_total_prob < 1):
            raise ValueError(f'init_total_prob must lie between 0 and 1, both excluded, got {init_total_prob!r}')
        self.space = space
        self.total_logit = nn.Parameter(torch.tensor(math.log(init_total_prob / (1 - init_total_prob))))
        self.op_logits = nn.Parameter(torch.zeros(len(space)))

    @property
    def total_prob(self) -> Tensor:
        """p_tp = sigmoid(alpha_tp), the probability that a sample is augmented: a scalar."""
        return self.total_logit.sigmoid()

    @property
    def op_probs(self) -> Tensor:
        """p_o = softmax(alpha_o), ``(K,)``."""
        return self.op_logits.softmax(dim=0)

    def log_sub_policy_probs(self, indices: Tensor) -> Tensor:
        """Return log P(phi) ``(L^,)`` of sub-policies ``(L^, N_o)``."""
        return self.op_logits.log_softmax(dim=0)[indices].sum(dim=1)

    def sub_policy_probs(self, indices: Tensor) -> Tensor:
        """Return P(phi) = prod_i p_o[phi_i] ``(L^,)`` of sub-policies ``(L^, N_o)``."""
        return self.log_sub_policy_probs(indices).exp()


def sample_sub_policies(space: SearchSpace, count: int, generator: torch.Generator | None = None) -> Tensor:
    """Draw ``count`` sub-policies uniformly, with replacement: indices ``(count, N_o)``, int64.

    Uniformly and not from p: a candidate drawn more often would also be updated more often.
    """
    if count < 1:
        raise ValueError(f'The number of sub-policies must be at least 1, got {count!r}')
    return torch.randint(len(space), (count, space.num_ops), generator=generator)


def expected_loss_weights(policy: AugmentationPolicy, indices: Tensor) -> Tensor:
    """Return the weights of the views in the expected training loss (Eq. 12): ``(L^ + 1,)``, the clean view first.

    They sum to 1. P(phi_l) / Z is a softmax of log-probabilities, which stays exact if the probabilities underflow.
    """
    augmented = policy.total_prob * policy.log_sub_policy_probs(indices).softmax(dim=0)  # (L^,)
    return torch.cat([(1 - policy.total_prob).reshape(1), augmented])


@torch.no_grad()
def policy_gradients(
    policy: AugmentationPolicy, indices: Tensor, alignments: Tensor, normalize: bool = True, scale: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Compute the gradients of the validation loss with respect to the policy's logits (Eq. 16, 17).

    Carried through softmax and sigmoid, with Z held constant:

        dP(phi_l) / dalpha_o[k] = P(phi_l) * (count of k in phi_l - N_o * p_o[k])

    If each of R processes draws its own sub-policies, the expected loss is the mean of theirs, and so are its gradients
    and Z_g.

    Args:
        policy: The policy at which the sub-policies' weights were computed.
        indices: Sub-policies ``(L^, N_o)``, or ``(R, L^, N_o)``.
        alignments: a_l = g_val . (g_0 - g_l), ``(L^,)`` or ``(R, L^)``; positive if phi_l hurts the validation loss.
        normalize: Divide by Z_g = sum_l abs(a_l) (Eq. 15).
        scale: Another factor: the paper's equations have the network's learning rate, the authors' code does not.

    Returns:
        Gradients of ``op_logits`` ``(K,)`` and of ``total_logit`` (scalar); NaN with ``normalize`` if all alignments
        are 0: such a step teaches nothing.
    """
    if indices.dim() == 3:
        parts = [policy_gradients(policy, *own, False, scale) for own in zip(indices, alignments, strict=True)]
        norm = alignments.abs().sum(dim=1).mean() if normalize else 1.0
        grad_op_logits, grad_total_logit = (torch.stack(part).mean(dim=0) / norm for part in zip(*parts, strict=True))
        return grad_op_logits, grad_total_logit

    probs = policy.log_sub_policy_probs(indices).softmax(dim=0)  # (L^,)  P(phi_l) / Z
    pull = scale * alignments.to(probs) * probs  # (L^,)
    if normalize:
        pull = pull / alignments.abs().sum().to(probs)
    counts = torch.zeros(len(indices), len(policy.op_logits), dtype=probs.dtype, device=probs.device)
    counts.scatter_add_(1, indices, torch.ones_like(indices, dtype=probs.dtype))  # (L^, K)
    grad_op_logits = policy.total_prob * (pull @ (counts - indices.shape[1] * policy.op_probs))
    grad_total_logit = policy.total_prob * (1 - policy.total_prob) * pull.sum()
    return grad_op_logits, grad_total_logit


@torch.no_grad()
def step_policy(
    policy: AugmentationPolicy,
    optimizers: list[torch.optim.Optimizer],
    grad_op_logits: Tensor,
    grad_total_logit: Tensor,
) -> bool:
    """Step the policy's optimizers on gradients of its logits.

    Returns:
        False if the gradients are not finite; policy and optimizers stay as they are.
    """
    if not torch.isfinite(torch.cat([grad_op_logits, grad_total_logit.reshape(1)])).all():
        return False
    policy.op_logits.grad, policy.total_logit.grad = grad_op_logits, grad_total_logit
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()
    return True


def update_policy(
    policy: AugmentationPolicy,
    optimizers: list[torch.optim.Optimizer],
    indices: Tensor,
    alignments: Tensor,
    normalize: bool = True,
    scale: float = 1.0,
) -> bool:
    """Step the policy's optimizers on :func:`policy_gradients`.

    Returns:
        False if the step teaches nothing (alignments all 0 or not finite); policy and optimizers stay as they are.
    """
    gradients = policy_gradients(policy, indices, alignments, normalize, scale)
    return bool(alignments.any()) and step_policy(policy, optimizers, *gradients)
