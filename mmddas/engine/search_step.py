"""The step of DDAS: lines 5 to 13 of Algorithm 1 in Liu et al., Direct Differentiable Augmentation Search.

L^ sub-policies phi_l of N_o out of K candidates; P, the number of the network's trainable parameters.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mmddas.core import AugmentationPolicy, PolicyEstimator, ViewGradients, expected_loss_weights, reference_rate

from .distributed import average
from .network.memory import NetworkMemory
from .network.preprocessing import StepPreprocessing
from .network.running_statistics import FrozenRunningStatistics

Batch = dict | list | tuple
"""A batch as data loaders give it to a network of MMEngine's."""


def compile_parts(network: nn.Module, options: dict) -> None:
    """Compile backbone, neck and heads, which take tensors to tensors.

    Losses stay as they are: of samples, which are Python objects, and of targets of another shape in every batch,
    ``torch.compile`` makes a new program every time.

    Args:
        network: Changed in place; its ``state_dict`` stays as it is.
        options: Arguments of ``torch.compile``.
    """
    for name, part in network.named_children():
        if name != 'data_preprocessor':
            part.compile(**options)


class SearchStep:
    """The step of a search: the network on S_train, then the policy on S_val.

    Args:
        network: Any model with MMEngine's ``loss`` mode, and no distributed wrapper, whose reducer gradients that are
            taken one by one would upset.
        optim_wrapper: Steps the network; its precision, loss scale and gradient clipping hold.
        policy: What is searched, on the CPU: its few numbers take less time there than to launch kernels for them.
        estimator: Steps the policy.
        num_sub_policies: L^.
        share: Given this process's sub-policies ``(L^, N_o)`` and alignments ``(L^,)``, what all processes have found,
            on the CPU. None: there are no others.
        compile_options: Arguments of ``torch.compile`` for the network's parts; None leaves them as they are.
    """

    def __init__(
        self,
        network: nn.Module,
        optim_wrapper: OptimWrapper,
        policy: AugmentationPolicy,
        estimator: PolicyEstimator,
        num_sub_policies: int,
        share: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None,
        compile_options: dict | None = None,
    ) -> None:
        self.network = network
        self.optim_wrapper = optim_wrapper
        self.policy = policy
        self.estimator = estimator
        self.num_sub_policies = num_sub_policies
        self.share = share or (lambda indices, alignments: (indices, alignments.cpu()))
        self.gradients = ViewGradients(optim_wrapper.optimizer, num_sub_policies)
        self.preprocess = StepPreprocessing(network.data_preprocessor)
        if compile_options is not None:
            compile_parts(network, compile_options)
        self.memory = NetworkMemory(network)
        self._frozen_statistics = FrozenRunningStatistics(network)

    def __call__(self, views: list[Batch], sub_policies: Tensor, policy_batch: Batch) -> dict[str, Tensor | bool]:
        """Take one step.

        Args:
            views: D_0, a mini-batch of S_train, and phi_1(D_0), ..., phi_L^(D_0).
            sub_policies: phi_1, ..., phi_L^, drawn uniformly: ``(L^, N_o)``.
            policy_batch: V, a mini-batch of S_val.

        Returns:
            ``updated``, whether the policy could learn; losses on the CPU: ``loss_views`` ``(L^ + 1,)`` and, scalar,
            ``loss`` (the expected one) and ``loss_val``; ``grad_cosine``, see :meth:`ViewGradients.grad_cosine`.
        """
        gradients, optim_wrapper = self.gradients, self.optim_wrapper
        with torch.no_grad():
            weights = expected_loss_weights(
                self.policy, sub_policies
            )  # (L^ + 1,)  w_0, w_l = p_tp P(phi_l) / Z, Eq. 12

        # The gradients of the clean and the augmented views at theta_t, g_0 and g_0 - g_l: (L^ + 1, P).
        losses = []
        self.preprocess.begin()
        self.memory.begin()
        scale = self._loss_scale()
        for view, batch in enumerate(views):
            with self.memory.one_pass(counts=view == 0):
                loss = self.loss(batch)
                gradients.add_view(view, loss, scale)
            losses.append(loss.detach())

        # theta_{t+1} = theta_t - eta sum_l w_l g_l, Eq. 5 and 6.
        expected = average(gradients.expected(weights))  # (P + n,), see there
        learning_rate = reference_rate(optim_wrapper.optimizer)
        self._step_network(expected)

        # The gradient of S_val at theta_{t+1}, g_val: (P,).
        with self._frozen_statistics, self.memory.one_pass(counts=False), self.preprocess.unmixed():
            loss = self.loss(policy_batch)
            average(gradients.validation(loss, self._loss_scale()))
        losses.append(loss.detach())
        self.memory.end()

        # a_l = g_val . (g_0 - g_l): (L^,), and the policy's step on them, Eq. 15 to 17.
        alignments = gradients.alignments(self.estimator.direction(gradients))
        grad_cosine = gradients.grad_cosine()
        optim_wrapper.zero_grad()
        updated = self.estimator.update(*self.share(sub_policies, alignments), learning_rate)

        *losses, grad_cosine = torch.stack([*losses, grad_cosine]).cpu()  # what is logged, in one read of the device
        loss_views, loss_val = torch.stack(losses[:-1]), losses[-1]
        if loss_val.isfinite() and not grad_cosine.isfinite():
            self._lower_loss_scale(gradients.g_val)
        expected_loss = (weights * loss_views).sum()
        return dict(
            updated=updated, loss_views=loss_views, loss=expected_loss, loss_val=loss_val, grad_cosine=grad_cosine
        )

    def _step_network(self, expected: Tensor) -> None:
        """Step on the expected gradient, unless it is not finite."""
        optimizer = self.optim_wrapper.optimizer
        # Optimizers with this flag, by which loss scalers know them, are told on the device: no need to wait for it.
        # Not at first, where fused SGD would leave its momentum as the memory happened to be.
        fused = getattr(optimizer, '_step_supports_amp_scaling', False)
        waits = not fused or (not optimizer.state and any(group.get('momentum') for group in optimizer.param_groups))
        # AMP's loss scaler finds such gradients by itself, and has to see them; off, as on a CPU, it lets them pass.
        if self._loss_scaler is None or (fused and waits):
            finite = torch.isfinite(expected).all()
            if not waits:
                optimizer.found_inf = (~finite).float()
            elif not finite:
                self._lower_loss_scale(expected)
                return
        self.gradients.assign()
        self.optim_wrapper.step()

    def loss(self, batch: Batch) -> Tensor:
        """Return the summed training loss of a batch, under the optimizer wrapper's precision."""
        with self.optim_wrapper.optim_context(self.network):
            losses = self.forward(self.preprocess(batch))
        return self.network.parse_losses(losses)[0]

    def forward(self, data: Batch) -> dict[str, Tensor]:
        """Return the losses of a preprocessed batch, by name."""
        return self.network(**data, mode='loss') if isinstance(data, dict) else self.network(*data, mode='loss')

    @property
    def _loss_scaler(self) -> torch.amp.GradScaler | None:
        """Return AMP's loss scaler, where it is in use."""
        scaler = getattr(self.optim_wrapper, 'loss_scaler', None)
        return scaler if scaler is not None and scaler.is_enabled() else None

    def _loss_scale(self) -> Tensor | float:
        """Return the factor that AMP puts on losses, and that ``optim_wrapper.step`` takes off again."""
        scaler = self._loss_scaler
        if scaler is None:
            return 1.0
        # Asked through ``scale``: a GradScaler sets itself up at its first call, and cannot step before.
        return scaler.scale(torch.ones((), device=self.gradients.g_0.device))

    def _lower_loss_scale(self, gradient: Tensor) -> None:
        """Lower AMP's loss scale where a gradient that its scaler does not see has overflowed.

        The scaler sees only those that the network steps on. S_val's, under the same scale, may be far larger, so that
        the policy would never learn. A scale that the config fixes stays.
        """
        scaler = self._loss_scaler
        fixed = getattr(self.optim_wrapper, '_scale_update_param', None) is not None  # told nowhere else
        if scaler is not None and not fixed and not torch.isfinite(gradient).all():
            scaler.update(scaler.get_scale() * scaler.get_backoff_factor())
