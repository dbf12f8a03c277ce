"""Properties of the method, to the equation."""

import itertools

import pytest
import torch
from torch import nn

from mmddas.core import (
    AugmentationPolicy,
    SearchSpace,
    ViewGradients,
    expected_loss_weights,
    policy_gradients,
    sample_sub_policies,
    update_policy,
)


def make_policy(num_candidates=7, num_ops=2, seed=0, dtype=torch.float64):
    policy = AugmentationPolicy(SearchSpace([f'Op{k}' for k in range(num_candidates)], num_ops), 0.4).to(dtype)
    with torch.no_grad():
        policy.op_logits.normal_(generator=torch.Generator().manual_seed(seed))
    return policy


def test_policy_starts_uniform_at_the_given_total_probability():
    policy = AugmentationPolicy(SearchSpace.preset('detection'), 0.35)
    torch.testing.assert_close(policy.op_probs.detach(), torch.full((len(policy.space),), 1 / len(policy.space)))
    assert float(policy.total_prob.detach()) == pytest.approx(0.35)


@pytest.mark.parametrize('prob', [0, 1, -0.1, 1.5, float('nan')])
def test_total_probability_outside_the_open_interval_is_refused(prob):
    with pytest.raises(ValueError, match='init_total_prob'):
        AugmentationPolicy(SearchSpace(['A']), prob)


def test_probabilities_of_all_sub_policies_sum_to_one():
    policy = make_policy(num_candidates=5, num_ops=3)
    every = torch.tensor(list(itertools.product(range(5), repeat=3)))
    assert float(policy.sub_policy_probs(every).sum().detach()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize('count', [1, 3, 8])
def test_weights_sum_to_one_and_leave_the_rest_to_the_clean_view(count):
    policy = make_policy()
    indices = sample_sub_policies(policy.space, count, torch.Generator().manual_seed(1))
    weights = expected_loss_weights(policy, indices).detach()
    assert weights.shape == (count + 1,)
    assert float(weights.sum()) == pytest.approx(1, abs=1e-12)
    assert float(weights[0]) == pytest.approx(1 - float(policy.total_prob.detach()), abs=1e-12)
    probs = policy.sub_policy_probs(indices).detach()
    torch.testing.assert_close(weights[1:] / weights[1:].sum(), probs / probs.sum())


def test_weights_stay_exact_where_probabilities_underflow():
    policy = AugmentationPolicy(SearchSpace(['A', 'B', 'C'], num_ops=4))
    with torch.no_grad():
        policy.op_logits.copy_(torch.tensor([100.0, 0.0, -1.0]))
    indices = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 2]])
    assert float(policy.sub_policy_probs(indices).sum().detach()) == 0
    weights = expected_loss_weights(policy, indices).detach()
    torch.testing.assert_close(weights[1] / weights[2], torch.tensor(1.0).exp())


def test_sub_policies_are_drawn_uniformly_whatever_the_policy():
    space = SearchSpace(['A', 'B', 'C', 'D'], num_ops=2)
    drawn = sample_sub_policies(space, 64_000, torch.Generator().manual_seed(0))
    counts = torch.bincount(drawn[:, 0] * 4 + drawn[:, 1], minlength=16).double()
    chi_squared = float(((counts - 4000) ** 2 / 4000).sum())
    assert chi_squared < 37.7  # 15 degrees of freedom, p = 0.001
    assert torch.equal(drawn, sample_sub_policies(space, 64_000, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize('normalize', [True, False])
def test_gradients_equal_autograd_of_the_weights(normalize):
    """Eq. 16 and 17 in closed form against autograd of sum_l a_l w_l with Z held constant."""
    policy = make_policy(num_ops=3)
    indices = sample_sub_policies(policy.space, 5, torch.Generator().manual_seed(2))
    alignments = torch.randn(5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    probs = policy.sub_policy_probs(indices)
    objective = (alignments * policy.total_prob * probs / probs.sum().detach()).sum()
    if normalize:
        objective = objective / alignments.abs().sum()
    expected = torch.autograd.grad(objective, (policy.op_logits, policy.total_logit))
    found = policy_gradients(policy, indices, alignments, normalize)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-15)


def test_one_sub_policy_moves_the_total_probability_by_the_sign_of_its_alignment():
    """Eq. 17 with L^ = 1: P(phi) / Z = 1 and a / Z_g = sign(a), so that dJ/dp_tp = sign(a)."""
    policy = make_policy()
    slope = float((policy.total_prob * (1 - policy.total_prob)).detach())
    for alignment in (0.01, -250.0):
        _, grad = policy_gradients(policy, torch.tensor([[0, 3]]), torch.tensor([alignment], dtype=torch.float64))
        assert float(grad) == pytest.approx(slope if alignment > 0 else -slope, rel=1e-12)


def test_scale_multiplies_the_gradients():
    policy = make_policy()
    indices = torch.tensor([[0, 1], [2, 2]])
    alignments = torch.tensor([1.0, -2.0], dtype=torch.float64)
    once, scaled = (policy_gradients(policy, indices, alignments, scale=scale) for scale in (1.0, 0.1))
    torch.testing.assert_close(tuple(0.1 * grad for grad in once), scaled)


@pytest.mark.parametrize('normalize', [True, False])
def test_processes_with_sub_policies_of_their_own_learn_from_the_mean_of_their_expected_losses(normalize):
    """R draws of L^ sub-policies, each with its own Z; Z_g is the mean of theirs."""
    policy, generator = make_policy(), torch.Generator().manual_seed(5)
    indices = torch.stack([sample_sub_policies(policy.space, 3, generator) for _ in range(4)])
    alignments = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    parts = [policy_gradients(policy, *own, normalize=False) for own in zip(indices, alignments, strict=True)]
    z_g = alignments.abs().sum(dim=1).mean() if normalize else 1
    expected = tuple(torch.stack(part).mean(dim=0) / z_g for part in zip(*parts, strict=True))
    torch.testing.assert_close(policy_gradients(policy, indices, alignments, normalize), expected)


class SmallConvNet(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(2, 4, 3, padding=1), nn.Softplus(), nn.Conv2d(4, 3, 3, padding=1), nn.Softplus(), nn.Flatten()
        )
        self.append(nn.Linear(3 * 25, 5))


@pytest.mark.parametrize('num_ops', [1, 2, 3])
@pytest.mark.parametrize('count', [1, 3, 7])
def test_policy_gradients_equal_autograd_through_the_unrolled_step(count, num_ops):
    """L_val(theta - eta * sum_l w_l g_l), differentiated by PyTorch through the step with Z held constant."""
    torch.manual_seed(count * 10 + num_ops)
    eta = 0.05
    network, policy = SmallConvNet().double(), make_policy(num_ops=num_ops)
    indices = sample_sub_policies(policy.space, count)
    views = [torch.randn(6, 2, 5, 5, dtype=torch.float64) for _ in range(count + 1)]
    labels, val_images, val_labels = torch.randint(5, (6,)), torch.randn(4, 2, 5, 5).double(), torch.randint(5, (4,))
    parameters = dict(network.named_parameters())

    def loss(images, targets, values=None):
        logits = network(images) if values is None else torch.func.functional_call(network, values, (images,))
        return nn.functional.cross_entropy(logits, targets)

    # The reference: PyTorch unrolls the step.
    grads = [torch.autograd.grad(loss(view, labels), list(parameters.values())) for view in views]
    probs = policy.sub_policy_probs(indices)
    augmented = policy.total_prob * probs / probs.sum().detach()
    weights = torch.cat([(1 - augmented.sum()).reshape(1), augmented])
    stepped = {
        name: value.detach() - eta * sum(weight * grad[i] for weight, grad in zip(weights, grads, strict=True))
        for i, (name, value) in enumerate(parameters.items())
    }
    objective = loss(val_images, val_labels, stepped)
    expected = torch.autograd.grad(objective, (policy.op_logits, policy.total_logit))

    # The method: flat gradients, an optimizer's step, alignments, Eq. 16 and 17.
    gradients = ViewGradients(parameters.values(), count)
    for view, images in enumerate(views):
        gradients.add_view(view, loss(images, labels))
    gradients.expected(expected_loss_weights(policy, indices).detach())
    gradients.assign()
    torch.optim.SGD(network.parameters(), lr=eta).step()
    gradients.validation(loss(val_images, val_labels))
    found = policy_gradients(policy, indices, gradients.alignments(), normalize=False, scale=eta)

    for name, value in parameters.items():
        torch.testing.assert_close(value, stepped[name], rtol=1e-12, atol=1e-15)
    error = max(float((a - b).norm() / b.norm()) for a, b in zip(found, expected, strict=True))
    print(f'L^ = {count}, N_o = {num_ops}: relative error {error:.1e}')
    assert error < 1e-9


@pytest.mark.parametrize('normalize', [True, False])
@pytest.mark.parametrize('alignments', [[0.0, 0.0], [float('nan'), 1.0], [float('inf'), 1.0]])
def test_a_step_without_information_leaves_policy_and_optimizers_alone(alignments, normalize):
    policy = make_policy()
    optimizers = [torch.optim.Adam([policy.op_logits], 0.1), torch.optim.Adam([policy.total_logit], 0.1)]
    before = policy.op_logits.detach().clone(), policy.total_logit.detach().clone()
    indices = torch.tensor([[0, 1], [2, 3]])
    alignments = torch.tensor(alignments, dtype=torch.float64)
    assert not update_policy(policy, optimizers, indices, alignments, normalize)
    assert torch.equal(policy.op_logits.detach(), before[0]) and torch.equal(policy.total_logit.detach(), before[1])
    assert not optimizers[0].state


def test_a_harmful_candidate_loses_and_a_helpful_one_wins():
    policy = make_policy(num_candidates=4, num_ops=1)
    with torch.no_grad():
        policy.op_logits.zero_()
    optimizers = [torch.optim.Adam([policy.op_logits], 0.05, betas=(0.5, 0.999))]
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        indices = sample_sub_policies(policy.space, 3, generator)
        alignments = torch.where(indices[:, 0] == 0, -1.0, torch.where(indices[:, 0] == 1, 1.0, 0.1))
        update_policy(policy, optimizers, indices, alignments)
    assert policy.op_probs.argmax() == 0
    assert policy.op_probs.argmin() == 1
