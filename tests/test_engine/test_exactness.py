"""Alignments of a real detector against finite differences over the weights of the views, in float64."""

import copy

import pytest
import torch
from mmengine.runner import Runner

from mmddas.core import reference_rate

WEIGHTS = torch.tensor([0.55, 0.2, 0.15, 0.1], dtype=torch.float64)


@pytest.fixture
def double_precision():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def as_double(value: object) -> object:
    """Data with their floats in float64, MMDetection's boxes too."""
    if isinstance(value, torch.Tensor):
        return value.double() if value.is_floating_point() else value
    if isinstance(value, dict):
        return {key: as_double(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_double(item) for item in value]
    for instances in (getattr(value, name, None) for name in ('gt_instances', 'ignored_instances')):
        if instances is not None and 'bboxes' in instances:
            instances.bboxes = instances.bboxes.double()
    return value


PARAMWISE = dict(
    one_rate=None,
    backbone=dict(custom_keys={'backbone': dict(lr_mult=0.1), 'neck': dict(lr_mult=0.5, decay_mult=0.0)}),
    frozen_by_rate=dict(custom_keys={'backbone': dict(lr_mult=0.0)}),
    biases=dict(bias_lr_mult=2.0, bias_decay_mult=0.0, norm_decay_mult=0.0),
    both=dict(custom_keys={'backbone.layer1': dict(lr_mult=0.1)}, bias_lr_mult=3.0, bypass_duplicate=True),
)
USUAL = {('backbone', 0.9), ('frozen_by_rate', 0.0), ('both', 0.9)}
CASES = [(name, momentum) for name in PARAMWISE for momentum in (0.0, 0.9)]


@pytest.mark.parametrize(
    ('name', 'momentum'), [case if case in USUAL else pytest.param(*case, marks=pytest.mark.slow) for case in CASES]
)
def test_alignments_are_what_finite_differences_give(double_precision, search_config, name, momentum):
    optimizer = dict(type='SGD', lr=0.01, momentum=momentum, weight_decay=0.01)
    config = search_config({'optim_wrapper.optimizer': optimizer, 'optim_wrapper.paramwise_cfg': PARAMWISE[name]})
    runner = Runner.from_cfg(config)
    loop = runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.model.init_weights()
    runner.model.train()
    loop.prepare()
    step, forward = loop.step, loop.step.forward
    step.forward = lambda data: forward(as_double(data))
    data_batch, policy_batch = next(loop.batches.epoch(0))
    step(data_batch['views'], data_batch['sub_policies'], policy_batch)  # momentum has something to remember
    state = copy.deepcopy((runner.model.state_dict(), runner.optim_wrapper.optimizer.state_dict()))

    gradients = step.gradients
    for view, batch in enumerate(data_batch['views']):
        gradients.add_view(view, step.loss(batch))
    views = gradients._views.clone()

    def validation_loss(weights: torch.Tensor) -> torch.Tensor:
        """L_val after a step on the expected loss of these weights, from where it was."""
        runner.model.load_state_dict(state[0])
        runner.optim_wrapper.optimizer.load_state_dict(copy.deepcopy(state[1]))
        gradients._views.copy_(views)
        gradients.expected(weights)
        gradients.assign()
        runner.optim_wrapper.step()
        return step.loss(policy_batch)

    gradients.validation(validation_loss(WEIGHTS))
    alignments = gradients.alignments()
    width, found = 1e-6, []  # hardly ever over a kink of the network
    for view in range(1, len(WEIGHTS)):
        change = torch.zeros_like(WEIGHTS)
        change[view], change[0] = width, -width
        with torch.no_grad():
            above, below = validation_loss(WEIGHTS + change), validation_loss(WEIGHTS - change)
        found.append((above - below) / (2 * width) / reference_rate(runner.optim_wrapper.optimizer))
    error = ((alignments - torch.stack(found)) / alignments).abs().max().item()
    print(f'{name}, momentum {momentum}: alignments {alignments.tolist()}, relative error {error:.1e}')
    assert error < 1e-5
