"""The mean of S_val's gradients over the past, and what is made of it."""

import pytest
import torch

from mmddas.core import AugmentationPolicy, PastGradient, SearchSpace, ViewGradients, build_estimator


class Linear:
    """Three parameters, whose gradients are what a test says."""

    def __init__(self) -> None:
        self.parameters = [torch.nn.Parameter(torch.zeros(size)) for size in (2, 1, 3)]
        self.gradients = ViewGradients(self.parameters, num_sub_policies=2)

    def step(self, g_val: torch.Tensor, views: torch.Tensor | None = None) -> ViewGradients:
        views = torch.zeros(3, 6) if views is None else views
        trained = [parameter.requires_grad for parameter in self.parameters for _ in range(len(parameter))]
        flat = torch.cat(self.parameters)
        for view, gradient in enumerate(views):
            self.gradients.add_view(view, flat @ gradient)
        self.gradients.validation(flat @ g_val)
        assert len(self.gradients.g_val) == sum(trained)
        return self.gradients


def test_it_is_the_weighted_mean_of_earlier_gradients():
    past, network, seen = PastGradient(0.8), Linear(), []
    for step in range(8):
        g_val = torch.randn(6, generator=torch.Generator().manual_seed(step))
        found = past(network.step(g_val))
        weights = torch.tensor([0.8**age for age in range(len(seen), 0, -1)])
        expected = (weights @ torch.stack(seen)) / weights.sum() if seen else g_val
        torch.testing.assert_close(found, expected)
        seen.append(g_val)


def test_with_damping_it_is_over_the_mean_square():
    past, network, seen = PastGradient(0.8, damping=0.3), Linear(), []
    for step in range(8):
        g_val = torch.randn(6, generator=torch.Generator().manual_seed(step))
        found = past(network.step(g_val))
        seen = seen or [g_val]
        weights = torch.tensor([0.8**age for age in range(len(seen), 0, -1)])
        weights = weights / weights.sum()
        square = weights @ torch.stack(seen) ** 2
        torch.testing.assert_close(found, (weights @ torch.stack(seen)) / (square + 0.3 * square.mean()))
        seen = [*seen, g_val] if step else [g_val]


def test_what_swings_counts_less_with_damping_than_what_stays():
    """Two parameters with the same mean gradient, one of which changes its sign from step to step."""
    plain, damped, network = PastGradient(0.98), PastGradient(0.98, damping=0.1), Linear()
    for step in range(400):
        g_val = torch.tensor([1.0, 1.0 + 10 * (-1) ** step, 0.0, 0.0, 0.0, 0.0])
        mean, influence = plain(network.step(g_val)), damped(network.step(g_val))
    assert abs(mean[0] - mean[1]) < 0.2 and influence[0] > 10 * influence[1].abs()
    assert influence[2:].tolist() == [0.0] * 4


@pytest.mark.parametrize('damping', [0, -1, float('inf'), float('nan'), True, '0.1'])
def test_wrong_dampings_are_refused(damping):
    with pytest.raises(ValueError, match='damping must be a number above 0, or None'):
        PastGradient(0.98, damping)


@pytest.mark.parametrize('damping', [None, 1.0])
def test_a_diverged_step_does_not_enter_it(damping):
    past, network = PastGradient(0.5, damping), Linear()
    past(network.step(torch.ones(6)))
    before = past(network.step(torch.ones(6)))
    for wrong in (float('nan'), float('inf'), 1e30):  # the last one's square is infinite
        past(network.step(torch.full((6,), wrong)))
    torch.testing.assert_close(past(network.step(torch.ones(6))), before)


def test_it_follows_layers_that_freeze_and_thaw():
    """What stays keeps its mean; what is new begins with the gradient at hand."""
    past, network = PastGradient(0.5), Linear()
    network.parameters[1].requires_grad_(False)
    for _ in range(3):
        past(network.step(torch.ones(6)))
    network.parameters[1].requires_grad_(True)
    network.parameters[0].requires_grad_(False)
    assert past(network.step(torch.full((6,), 5.0))).tolist() == [5.0, 1.0, 1.0, 1.0]
    network.parameters[0].requires_grad_(True)
    assert past(network.step(torch.full((6,), 7.0))).tolist()[:2] == [7.0, 7.0]


def test_it_follows_weights_whose_order_in_memory_changes():
    """As where a search is resumed without the hook for channels-last memory."""
    weights = torch.nn.Parameter(torch.zeros(4, 3, 2, 2))
    gradients, past = ViewGradients([weights], 1), PastGradient(0.5)
    g_val = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    found = []
    for memory_format in (torch.channels_last, torch.channels_last, torch.contiguous_format):
        weights.data = weights.data.contiguous(memory_format=memory_format)
        for view in range(2):
            gradients.add_view(view, weights.sum())
        gradients.validation((weights * g_val).sum())
        found.append(past(gradients))
        state = past.state_dict()
        past = PastGradient(0.5)
        past.load_state_dict(state)
    assert torch.equal(found[1], g_val.permute(0, 2, 3, 1).flatten())
    torch.testing.assert_close(found[2], g_val.flatten())


@pytest.mark.parametrize('decay', [-0.1, 1, 1.5, '0.9', True, None, float('nan')])
def test_wrong_decays_are_refused(decay):
    with pytest.raises(ValueError, match='decay must be a number from 0 to below 1'):
        PastGradient(decay)


def make(name: str, **settings):
    policy = AugmentationPolicy(SearchSpace([f'Op{k}' for k in range(6)]), 0.4)
    return build_estimator(policy, (), name, **settings)


def search(estimator, network: Linear, steps: range) -> None:
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        indices = torch.randint(6, (2, 2), generator=generator)
        gradients = network.step(torch.randn(6, generator=generator), torch.randn(3, 6, generator=generator))
        estimator.update(indices, gradients.alignments(estimator.direction(gradients)))


def test_an_interrupted_search_goes_on_to_the_bit(tmp_path):
    whole, first, second = (make('ShrinkageEstimator') for _ in range(3))
    search(whole, Linear(), range(30))
    search(first, Linear(), range(11))
    torch.save((first.state_dict(), first.policy.state_dict()), tmp_path / 'state.pth')
    state, policy = torch.load(tmp_path / 'state.pth', weights_only=True)
    second.load_state_dict(state)
    second.policy.load_state_dict(policy)
    search(second, Linear(), range(11, 30))
    assert torch.equal(second.policy.op_logits, whole.policy.op_logits)
    assert all(map(torch.equal, second.past.sums, whole.past.sums))
    assert second.evidence.findings().to_dict() == whole.evidence.findings().to_dict()


def noisy(estimator, steps: int, effect: float, seed: int = 0) -> torch.Tensor:
    """p_o over uniform after steps whose alignments are noise and what candidate 2 adds to it."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        indices = torch.randint(6, (3, 2), generator=generator)
        alignments = torch.randn(3, generator=generator) + effect * (indices == 2).sum(dim=1)
        estimator.update(indices, alignments)
    return estimator.policy.op_probs.detach() * 6


def test_shrinkage_leaves_noise_uniform_and_follows_effects_further_the_better_they_are_known():
    uniform = sum(bool((noisy(make('ShrinkageEstimator'), 150, 0.0, seed) == 1).all()) for seed in range(20))
    assert uniform >= 17

    def multiple(steps: int, strength: float) -> float:
        return noisy(make('ShrinkageEstimator', strength=strength, max_divergence=9), steps, -1.0)[2].item()

    assert 1 < multiple(60, 0.5) < multiple(600, 0.5) < multiple(600, 1.0)
    assert noisy(make('ShrinkageEstimator'), 600, 1.0)[2] < 0.5
    assert (noisy(make('ShrinkageEstimator', strength=0), 600, 1.0) == 1).all()


@pytest.mark.parametrize('bound', [0.0, 0.1, 0.5])
def test_a_policy_is_no_further_from_uniform_than_asked_for(bound):
    multiples = noisy(make('ShrinkageEstimator', strength=5, max_divergence=bound), 600, -1.0)
    assert (multiples / 6 * multiples.log()).sum().item() == pytest.approx(bound, abs=1e-5)
    assert multiples.argmax() == 2 or bound == 0


def test_shrinkage_has_levels_share_strength():
    """Levels of an operation that helps gain together, whether or not each has been drawn often."""
    space = SearchSpace([('Color', level) for level in (2, 4, 6, 8, 10)] + [('Rotate_BBox', 2), 'Equalize', 'Flip'])
    estimator = build_estimator(AugmentationPolicy(space, 0.4), (), 'ShrinkageEstimator')
    generator = torch.Generator().manual_seed(1)
    for _ in range(300):
        indices = torch.randint(1, len(space), (3, 2), generator=generator)  # never the first level
        estimator.update(indices, torch.randn(3, generator=generator) - (indices < 5).sum(dim=1))
    probs = estimator.policy.op_probs * len(space)
    assert (probs[:5] > 1).all() and (probs[5:] < 1).all()


def test_p_tp_stays_and_optimizers_are_not_needed():
    estimator = make('ShrinkageEstimator')
    before = estimator.policy.total_prob.item()
    noisy(estimator, 50, -1.0)
    assert estimator.policy.total_prob.item() == before
    for name in ('strength', 'max_divergence'):
        with pytest.raises(ValueError, match=f'{name} must be a number of at least 0'):
            make('ShrinkageEstimator', **{name: -1})
