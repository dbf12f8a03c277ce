"""The mean of S_val's gradients in the paper's step."""

import copy

import torch
from mean_gradient import MeanGradientEstimator

from mmddas.core import ESTIMATORS, AugmentationPolicy, PaperEstimator, SearchSpace, ViewGradients, sample_sub_policies

ESTIMATORS.pop('MeanGradientEstimator')  # the tests of the package know theirs alone
SPACE = SearchSpace([f'Op{k}' for k in range(6)])


def made(kind: type, **settings):
    policy = AugmentationPolicy(SPACE, 0.4)
    optimizers = [torch.optim.Adam([policy.op_logits], 0.05), torch.optim.Adam([policy.total_logit], 0.01)]
    return kind(policy, optimizers, **settings)


def step(weights: torch.nn.Parameter, g_val: torch.Tensor, views: torch.Tensor) -> ViewGradients:
    """The gradients of a step whose losses are linear in the weights."""
    gradients = ViewGradients([weights], len(views) - 1)
    for number, view in enumerate(views):
        gradients.add_view(number, weights @ view)
    gradients.expected(torch.full((len(views),), 1 / len(views)))
    gradients.validation(weights @ g_val)
    return gradients


def test_without_a_past_it_is_the_papers_step():
    """Decay 0 and a gradient that stays: the alignments, and so the policy, are the paper's."""
    mean, paper = made(MeanGradientEstimator, decay=0), made(PaperEstimator)
    weights, g_val = torch.nn.Parameter(torch.zeros(6)), torch.randn(6)
    for _ in range(10):
        indices = sample_sub_policies(SPACE, 2)
        gradients = step(weights, g_val, torch.randn(3, 6))
        for estimator in (mean, paper):
            estimator.update(indices, gradients.alignments(estimator.direction(gradients)))
    torch.testing.assert_close(mean.policy.op_logits, paper.policy.op_logits)


def test_its_state_is_all_that_the_next_step_needs():
    whole, resumed = made(MeanGradientEstimator), made(MeanGradientEstimator)
    weights = torch.nn.Parameter(torch.zeros(6))

    def search(estimator: MeanGradientEstimator, steps: range) -> None:
        for seed in steps:
            torch.manual_seed(seed)
            indices = sample_sub_policies(SPACE, 2)
            gradients = step(weights, torch.randn(6), torch.randn(3, 6))
            estimator.update(indices, gradients.alignments(estimator.direction(gradients)))

    search(whole, range(6))
    resumed.load_state_dict(copy.deepcopy(whole.state_dict()))
    resumed.policy.load_state_dict(whole.policy.state_dict())
    search(whole, range(6, 12))
    search(resumed, range(6, 12))
    assert torch.equal(whole.policy.op_logits, resumed.policy.op_logits)
