"""What turns alignments into a step of the policy: the paper's way, and what every other can rely on."""

import pytest
import torch

from mmddas.core import (
    ESTIMATORS,
    AugmentationPolicy,
    PaperEstimator,
    SearchSpace,
    ViewGradients,
    build_estimator,
    sample_sub_policies,
    update_policy,
)


def make(name: str = 'PaperEstimator', **settings):
    policy = AugmentationPolicy(SearchSpace([f'Op{k}' for k in range(6)]), 0.4)
    optimizers = [
        torch.optim.Adam([policy.op_logits], 0.05, betas=(0.5, 0.999)),
        torch.optim.Adam([policy.total_logit], 0.01, betas=(0.5, 0.999)),
    ]
    return build_estimator(policy, optimizers, name, **settings)


def findings(steps: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    space = SearchSpace([f'Op{k}' for k in range(6)])
    for _ in range(steps):
        yield sample_sub_policies(space, 3, generator), torch.randn(3, generator=generator)


@pytest.mark.parametrize(('scale_by_lr', 'scale'), [(False, 1.0), (True, 0.3)])
@pytest.mark.parametrize('normalize', [True, False])
def test_the_papers_estimator_steps_on_the_papers_gradients(normalize, scale_by_lr, scale):
    estimator, reference = make(normalize=normalize, scale_by_lr=scale_by_lr), make()
    for indices, alignments in findings(20):
        assert estimator.update(indices, alignments, learning_rate=0.3)
        update_policy(reference.policy, reference.optimizers, indices, alignments, normalize, scale)
    assert torch.equal(estimator.policy.op_logits, reference.policy.op_logits)
    assert torch.equal(estimator.policy.total_logit, reference.policy.total_logit)


@pytest.mark.parametrize('name', ESTIMATORS)
def test_a_resumed_estimator_goes_on_to_the_bit(name):
    whole, first, second = make(name), make(name), make(name)
    for indices, alignments in findings(20):
        whole.update(indices, alignments)
    for step, (indices, alignments) in enumerate(findings(20)):
        if step == 7:
            second.policy.load_state_dict(first.policy.state_dict())
            second.load_state_dict(first.state_dict())
        (first if step < 7 else second).update(indices, alignments)
    assert torch.equal(second.policy.op_logits, whole.policy.op_logits)
    assert torch.equal(second.policy.total_logit, whole.policy.total_logit)


@pytest.mark.parametrize('name', ESTIMATORS)
@pytest.mark.parametrize('alignments', [[0.0, 0.0, 0.0], [float('nan'), 1.0, 1.0], [1.0, float('inf'), 1.0]])
def test_what_teaches_nothing_changes_nothing(name, alignments):
    estimator = make(name)
    ((indices, useful),) = findings(1)
    estimator.update(indices, useful)
    policy, state = estimator.policy.op_logits.detach().clone(), str(estimator.state_dict())
    assert not estimator.update(indices, torch.tensor(alignments))
    assert torch.equal(policy, estimator.policy.op_logits) and state == str(estimator.state_dict())


@pytest.mark.parametrize('name', ESTIMATORS)
def test_what_helps_gains_and_what_hurts_loses(name):
    estimator = make(name)
    for indices, _ in findings(200):
        estimator.update(indices, ((indices == 1).sum(dim=1) - (indices == 4).sum(dim=1)).float())
    assert estimator.policy.op_probs.argmax() == 4 and estimator.policy.op_probs.argmin() == 1


def test_the_papers_direction_is_s_vals_gradient():
    weights = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    gradients = ViewGradients([weights], num_sub_policies=1)
    for view in range(2):
        gradients.add_view(view, (view + 1) * weights.sum())
    gradients.validation((3 * weights).sum())
    direction = make().direction(gradients)
    assert direction.tolist() == [3.0, 3.0]
    assert torch.equal(gradients.alignments(direction), gradients.alignments())
    assert gradients.alignments(torch.tensor([1.0, 0.0])).tolist() == [-1.0]


def test_the_log_is_told_of_the_policy():
    scalars = make().scalars()
    assert float(scalars['total_prob']) == pytest.approx(0.4)
    assert float(scalars['op_entropy']) == pytest.approx(torch.log(torch.tensor(6.0)).item())


def test_wrong_names_and_settings_are_refused():
    with pytest.raises(ValueError, match="Unknown estimator 'Paper'; known are"):
        make('Paper')
    with pytest.raises(ValueError, match=r"PaperEstimator has no setting 'decay'; it takes \['normalize'"):
        make(decay=0.9)
    with pytest.raises(ValueError, match='normalize must be True or False'):
        make(normalize='yes')


def test_every_estimator_is_listed_under_its_own_name():
    assert ESTIMATORS['PaperEstimator'] is PaperEstimator
    assert all(estimator.__name__ == name for name, estimator in ESTIMATORS.items())
