"""A step of Algorithm 1 on a small network, without a runner, a loop or a data loader."""

import copy

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from torch.nn.functional import cross_entropy

from mmddas.core import (
    AugmentationPolicy,
    PaperEstimator,
    SearchSpace,
    ShrinkageEstimator,
    expected_loss_weights,
    policy_gradients,
    sample_sub_policies,
)
from mmddas.engine import SearchStep

NUM_SUB_POLICIES, LEARNING_RATE = 3, 0.05


class SmallNet(BaseModel):
    """Classifies images ``(N, 3, 8, 8)``; its loss is a mean over them, but for what BatchNorm couples."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3),
            torch.nn.BatchNorm2d(4),
            torch.nn.Softplus(),
            torch.nn.Flatten(),
            torch.nn.Linear(4 * 36, 5),
        )

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return dict(loss_cls=cross_entropy(self.layers(inputs), data_samples))


def batch(seed: int, size: int = 6) -> dict:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(size, 3, 8, 8, generator=generator)
    return dict(inputs=inputs, data_samples=torch.randint(5, (size,), generator=generator))


class Search:
    """A network, a policy and a step; ``run()`` makes the step."""

    def __init__(self, wrapper=OptimWrapper, normalize: bool = True, compile_options=None, options=None, **sgd) -> None:
        torch.manual_seed(0)
        self.network = SmallNet().train()
        optimizer = torch.optim.SGD(self.network.parameters(), **(dict(lr=LEARNING_RATE) | sgd))
        self.policy = AugmentationPolicy(SearchSpace([f'Op{k}' for k in range(7)]), 0.4)
        self.optimizers = [
            torch.optim.Adam([self.policy.op_logits], 0.1),
            torch.optim.Adam([self.policy.total_logit], 0.1),
        ]
        self.step = SearchStep(
            self.network,
            wrapper(optimizer, **(options or {})),
            self.policy,
            PaperEstimator(self.policy, self.optimizers, normalize),
            NUM_SUB_POLICIES,
            compile_options=compile_options,
        )
        self.sub_policies = sample_sub_policies(self.policy.space, NUM_SUB_POLICIES, torch.Generator().manual_seed(1))
        self.views = [batch(seed) for seed in range(NUM_SUB_POLICIES + 1)]
        self.policy_batch = batch(100)

    def run(self) -> dict:
        return self.step(self.views, self.sub_policies, self.policy_batch)

    def multiply_losses(self, factor_of) -> None:
        """Multiply the losses of every step by what ``factor_of`` says of the number of the view (-1: S_val)."""
        loss, calls = self.step.loss, iter(range(1000))

        def multiplied(batch):
            number = next(calls) % (NUM_SUB_POLICIES + 2)
            return loss(batch) * factor_of(-1 if number == NUM_SUB_POLICIES + 1 else number)

        self.step.loss = multiplied


def snapshot(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().reshape(-1).clone() for parameter in module.parameters()])


def test_the_network_steps_on_the_weighted_sum_of_the_views_gradients():
    """Against plain autograd of the expected loss (Eq. 12) and SGD (Eq. 6)."""
    search = Search()
    reference = copy.deepcopy(search.network)
    weights = expected_loss_weights(search.policy, search.sub_policies).detach()
    loss = sum(
        weight * reference(**view, mode='loss')['loss_cls'] for weight, view in zip(weights, search.views, strict=True)
    )
    loss.backward()
    found = search.run()
    assert float(found['loss']) == pytest.approx(float(loss.detach()), rel=1e-5)
    for stepped, parameter in zip(search.network.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(stepped, parameter - LEARNING_RATE * parameter.grad, rtol=1e-4, atol=1e-6)


def test_the_policy_steps_on_the_gradient_of_s_vals_loss_after_the_step():
    """Eq. 16 and 17 with g_val and the views' gradients from plain autograd, through Adam as PyTorch has it."""
    search = Search()
    reference = copy.deepcopy(search.network)
    gradients = []
    for view in search.views:
        reference.zero_grad()
        reference(**view, mode='loss')['loss_cls'].backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in reference.parameters()]))
    search.run()
    reference.load_state_dict(search.network.state_dict())
    reference.zero_grad()
    reference(**search.policy_batch, mode='loss')['loss_cls'].backward()
    g_val = torch.cat([parameter.grad.flatten() for parameter in reference.parameters()])
    alignments = torch.stack([g_val @ (gradients[0] - gradient) for gradient in gradients[1:]])

    policy = AugmentationPolicy(search.policy.space, 0.4)
    for parameter, gradient in zip(
        (policy.op_logits, policy.total_logit), policy_gradients(policy, search.sub_policies, alignments), strict=True
    ):
        parameter.grad = gradient
        torch.optim.Adam([parameter], 0.1).step()
    torch.testing.assert_close(search.policy.op_logits, policy.op_logits, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(search.policy.total_logit, policy.total_logit)


def test_running_statistics_see_the_training_views_and_never_s_val():
    search = Search()
    norm = search.network.layers[1]
    reference = copy.deepcopy(norm)
    for view in search.views:
        reference(search.network.layers[0](view['inputs']))
    search.run()
    assert int(norm.num_batches_tracked) == len(search.views)
    torch.testing.assert_close(norm.running_mean, reference.running_mean)
    assert norm.track_running_stats


def test_clipping_limits_the_step():
    moved = []
    for clip in (None, dict(max_norm=1e-3)):
        search = Search(options=dict(clip_grad=clip))
        before = snapshot(search.network)
        search.run()
        moved.append(float((snapshot(search.network) - before).norm()))
    assert moved[0] > 1e-2 and moved[1] == pytest.approx(1e-3 * LEARNING_RATE, rel=1e-2)


class ScaledOptimWrapper(OptimWrapper):
    """AmpOptimWrapper's way with its loss scaler, without the GPU that AmpOptimWrapper asks for."""

    def __init__(self, optimizer, enabled: bool = True) -> None:
        super().__init__(optimizer)
        self.loss_scaler = torch.amp.GradScaler('cpu', init_scale=1024.0, enabled=enabled)

    def step(self) -> None:
        self.loss_scaler.step(self.optimizer)
        self.loss_scaler.update()


def test_the_loss_scale_of_amp_changes_neither_network_nor_policy():
    plain, scaled = Search(normalize=False), Search(ScaledOptimWrapper, normalize=False)  # or the scale would cancel
    directions = []
    for search in (plain, scaled):
        direction = search.step.estimator.direction
        search.step.estimator.direction = lambda gradients, direction=direction: (
            directions.append(direction(gradients).clone()) or direction(gradients)
        )
        search.run()
    torch.testing.assert_close(snapshot(plain.network), snapshot(scaled.network), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(*directions, rtol=1e-4, atol=1e-6)
    momenta = [search.optimizers[0].state[search.policy.op_logits]['exp_avg'] for search in (plain, scaled)]
    torch.testing.assert_close(*momenta, rtol=1e-3, atol=1e-8)


def test_a_step_without_gradient_information_leaves_the_policy_alone():
    """S_val whose loss does not depend on the network: nothing can be learned from it."""
    search = Search()
    search.multiply_losses(lambda view: 0.0 if view == -1 else 1.0)
    before = snapshot(search.policy)
    assert not search.run()['updated']
    assert torch.equal(before, snapshot(search.policy))


@pytest.mark.parametrize(('broken', 'network_steps'), [(0, False), (2, False), (-1, True)])
@pytest.mark.parametrize(('value', 'fused'), [(float('nan'), False), (float('inf'), False), (float('nan'), True)])
def test_a_loss_that_is_not_finite_changes_only_what_it_does_not_reach(broken, network_steps, value, fused):
    check_not_reached(Search(fused=fused), broken, network_steps, value)


@pytest.mark.parametrize(('broken', 'network_steps'), [(0, False), (-1, True)])
@pytest.mark.parametrize('enabled', [True, False])
def test_a_loss_that_is_not_finite_is_met_with_a_loss_scaler_too(broken, network_steps, enabled):
    """On a CPU AMP's is off, and looks at nothing."""
    search = Search(ScaledOptimWrapper, options=dict(enabled=enabled))
    check_not_reached(search, broken, network_steps, float('inf'))


def check_not_reached(search: Search, broken: int, network_steps: bool, value: float) -> None:
    search.multiply_losses(lambda view: value if view == broken else 1.0)
    policy, network = snapshot(search.policy), snapshot(search.network)
    assert not search.run()['updated']
    assert torch.equal(policy, snapshot(search.policy))
    assert torch.equal(network, snapshot(search.network)) != network_steps
    assert torch.isfinite(snapshot(search.network)).all()


@pytest.mark.parametrize('fused', [True, False])
def test_a_loss_that_is_not_finite_changes_nothing_later_either(fused):
    """Told on the device, too, once a fused optimizer has its momentum."""
    search = Search(fused=fused, momentum=0.9)
    search.run()
    check_not_reached(search, broken=2, network_steps=False, value=float('inf'))


@pytest.mark.parametrize('wrapper', [OptimWrapper, ScaledOptimWrapper])
def test_a_first_step_that_is_not_finite_leaves_a_fused_optimizer_as_it_was(wrapper):
    """Momentum that fused SGD had made, and not filled, would be added to the weights in the second step."""
    ends = []
    for fused in (True, False):
        search = Search(wrapper, fused=fused, momentum=0.9)
        factors = iter([float('inf')] * (NUM_SUB_POLICIES + 2) + [1.0] * (NUM_SUB_POLICIES + 2))
        search.multiply_losses(lambda view, factors=factors: next(factors))
        before = snapshot(search.network)
        search.run()
        assert torch.equal(snapshot(search.network), before)
        # What such memory would be made of.
        rubbish = [torch.full_like(parameter, 1e6) for parameter in search.network.parameters() for _ in range(50)]
        del rubbish
        search.run()
        ends.append(snapshot(search.network))
    torch.testing.assert_close(*ends)


@pytest.mark.parametrize('estimator', [PaperEstimator, ShrinkageEstimator])
def test_amps_loss_scale_falls_as_far_as_s_vals_gradient_needs_it(estimator):
    """Float16 holds numbers up to 65,504. The network's own gradients may be small enough at any scale."""
    search = Search(ScaledOptimWrapper)
    search.step.estimator = estimator(search.policy, search.optimizers if estimator.uses_optimizers else ())
    search.multiply_losses(lambda view: InFloat16() if view == -1 else 1.0)
    scales = []
    for _ in range(4):
        scales.append((bool(search.run()['grad_cosine'].isfinite()), search.step.optim_wrapper.loss_scaler.get_scale()))
    assert scales == [(False, 512.0), (False, 256.0), (True, 256.0), (True, 256.0)]


class InFloat16:
    """Multiplies a loss by 1, and its gradient by 200, in float16."""

    def __rmul__(self, loss):
        loss.register_hook(lambda gradient: (200 * gradient).half().float())
        return loss

    __mul__ = __rmul__


def test_amps_loss_scale_has_nothing_to_do_with_a_loss_that_is_not_finite():
    search = Search(ScaledOptimWrapper)
    search.multiply_losses(lambda view: float('nan') if view == -1 else 1.0)
    search.run()
    assert search.step.optim_wrapper.loss_scaler.get_scale() == 1024.0


def test_what_is_logged_is_what_was_computed():
    search = Search()
    found = search.run()
    weights = expected_loss_weights(AugmentationPolicy(search.policy.space, 0.4), search.sub_policies).detach()
    assert found['loss_views'].shape == (NUM_SUB_POLICIES + 1,)
    torch.testing.assert_close(found['loss'], weights @ found['loss_views'])
    assert -1 <= float(found['grad_cosine']) <= 1 and found['updated']


def test_a_compiled_network_steps_the_same():
    eager, compiled = Search(), Search(compile_options=dict(backend='aot_eager'))
    for search in (eager, compiled):
        search.run()
    torch.testing.assert_close(snapshot(eager.network), snapshot(compiled.network), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(snapshot(eager.policy), snapshot(compiled.policy), rtol=1e-3, atol=1e-5)
