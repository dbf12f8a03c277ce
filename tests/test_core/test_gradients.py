"""Gradients of views: of whichever parameters are trained, in the way of training, each by its own rate."""

import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.utils.checkpoint import checkpoint

from mmddas.core import ViewGradients

WEIGHTS = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)


def vector(*values: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values, dtype=torch.float64))


def step(gradients: ViewGradients, optimizer, losses, validation, weights=WEIGHTS) -> torch.Tensor:
    """A search step as far as the alignments; the losses are functions, called when it is their turn."""
    for view, loss in enumerate(losses):
        gradients.add_view(view, loss())
    gradients.expected(weights)
    gradients.assign()
    optimizer.step()
    gradients.validation(validation())
    return gradients.alignments()


def test_expected_gradient_is_the_weighted_sum_of_the_views_gradients():
    torch.manual_seed(0)
    network = nn.Linear(4, 3).double()
    unused = vector(1.0, 1.0)
    parameters = [*network.parameters(), unused]
    views = [torch.randn(5, 4, dtype=torch.float64) for _ in range(3)]
    gradients = ViewGradients(parameters, 2)
    for view, inputs in enumerate(views):
        gradients.add_view(view, network(inputs).square().sum())
    flat, in_use = gradients.expected(WEIGHTS).split([17, 3])
    reference = torch.autograd.grad(
        sum(weight * network(inputs).square().sum() for weight, inputs in zip(WEIGHTS, views, strict=True)),
        list(network.parameters()),
    )
    torch.testing.assert_close(flat, torch.cat([*(grad.flatten() for grad in reference), torch.zeros(2).double()]))
    assert in_use.tolist() == [1, 1, 0]
    gradients.assign()
    assert torch.equal(torch.cat([parameter.grad.flatten() for parameter in network.parameters()]), flat[:15])
    assert unused.grad is None


def test_a_parameter_that_does_not_move_has_no_say():
    """Rates 0.1 and 0: the view helps where the step goes, however much it would hurt elsewhere."""
    a, b = vector(0.0), vector(0.0)
    optimizer = SGD([dict(params=[a], lr=0.1), dict(params=[b], lr=0.0)], lr=0.1)
    losses = [lambda: a.sum(), lambda: (2 * a - 10 * b).sum()]
    found = step(ViewGradients(optimizer, 1), optimizer, losses, lambda: (a + b).sum(), WEIGHTS.new_tensor([0.5, 0.5]))
    assert found.tolist() == [-1.0]


OPTIONS = [
    dict(),
    dict(momentum=0.9),
    dict(momentum=0.9, weight_decay=0.1),
    dict(momentum=0.9, nesterov=True, weight_decay=0.1),
    dict(momentum=0.9, dampening=0.5),
    dict(maximize=True),
]


@pytest.mark.parametrize('rates', [(0.1, 0.01, 0.1), (0.0, 0.3, 0.05), (0.05, 0.05, 0.05)], ids=str)
@pytest.mark.parametrize('options', OPTIONS, ids=lambda options: '-'.join(options) or 'plain')
def test_alignments_are_the_derivative_of_s_vals_loss_by_the_weights_of_the_views(options, rates):
    """Against autograd through the unrolled step, the second and third one, with groups of different rates.

    PyTorch's own ``foreach`` step is not differentiable: the reference writes SGD down once more.
    """
    torch.manual_seed(1)
    parts = [nn.Parameter(torch.randn(3, 4, dtype=torch.float64)) for _ in rates]
    other = dict(momentum=0.5) if options.get('momentum') and 'nesterov' not in options else {}
    groups = [dict(params=[part], lr=rate) for part, rate in zip(parts, rates, strict=True)]
    groups[2] |= other
    optimizer = SGD(groups, lr=0.1, **options)
    gradients = ViewGradients(optimizer, 2)
    data = [torch.randn(3, 4, dtype=torch.float64) for _ in range(4)]
    buffers = [None] * 3

    def loss(number, values):
        return sum(((value + data[number].roll(i)) ** 2).tanh().sum() * (i + 1) for i, value in enumerate(values))

    for _ in range(3):
        before = [part.detach().clone().requires_grad_() for part in parts]
        grads = [torch.autograd.grad(loss(number, before), before) for number in range(3)]
        weights = WEIGHTS.clone().requires_grad_()
        total = [weights[0] * grads[0][i] + weights[1] * grads[1][i] + weights[2] * grads[2][i] for i in range(3)]
        after = []
        for i, group in enumerate(optimizer.param_groups):
            i = next(k for k, part in enumerate(parts) if part is group['params'][0])
            grad = (-total[i] if group['maximize'] else total[i]) + group['weight_decay'] * before[i].detach()
            momentum, buffer = group['momentum'], buffers[i]
            if momentum:
                buffer = grad if buffer is None else momentum * buffer + (1 - group['dampening']) * grad
                grad = grad + momentum * buffer if group['nesterov'] else buffer
                buffers[i] = buffer.detach()
            after.append((i, before[i].detach() - group['lr'] * grad))
        stepped = [value for _, value in sorted(after, key=lambda pair: pair[0])]
        slopes = torch.autograd.grad(loss(3, stepped), weights)[0]
        losses = [lambda number=number: loss(number, parts) for number in range(3)]
        alignments = step(gradients, optimizer, losses, lambda: loss(3, parts))
        torch.testing.assert_close([*parts], [value.detach() for value in stepped], rtol=1e-12, atol=1e-13)
        # dL_val / dw_l with w_0 = 1 - sum_l w_l, over how far the reference group moves for a unit of its gradient.
        expected = slopes[1:] - slopes[0]
        ratio = expected / alignments
        torch.testing.assert_close(ratio, ratio[0].expand(2), rtol=1e-10, atol=0)
        reference = next(group for group in optimizer.param_groups if group['lr'])
        if not options:
            torch.testing.assert_close(ratio[0].item(), reference['lr'], rtol=1e-10, atol=0)


def test_a_step_that_moves_nothing_is_met():
    """What is trained has no rate, what has one is frozen."""
    a, b = vector(0.0), vector(0.0).requires_grad_(False)
    optimizer = SGD([dict(params=[a], lr=0.0), dict(params=[b], lr=0.1)], lr=0.1)
    gradients, losses = ViewGradients(optimizer, 1), [lambda: a.sum(), lambda: 3 * a.sum()]
    assert step(gradients, optimizer, losses, lambda: a.sum(), WEIGHTS.new_tensor([0.5, 0.5])).tolist() == [-2.0]
    assert gradients.grad_cosine().item() == pytest.approx(1.0)


def test_rates_are_those_of_the_step():
    a, b = vector(0.0), vector(0.0)
    optimizer = SGD([dict(params=[a], lr=0.1), dict(params=[b], lr=0.1)], lr=0.1)
    gradients = ViewGradients(optimizer, 1)
    losses, weights = [lambda: a.sum(), lambda: (2 * a - 10 * b).sum()], WEIGHTS.new_tensor([0.5, 0.5])
    assert step(gradients, optimizer, losses, lambda: (a + b).sum(), weights).tolist() == [9.0]
    optimizer.param_groups[1]['lr'] = 0.05
    assert step(gradients, optimizer, losses, lambda: (a + b).sum(), weights).tolist() == [4.0]
    optimizer.param_groups[0]['lr'] = 0.0  # the other is the reference now
    assert step(gradients, optimizer, losses, lambda: (a + b).sum(), weights).tolist() == [10.0]
    optimizer.param_groups[1]['lr'] = 0.0  # nothing moves
    assert torch.isfinite(step(gradients, optimizer, losses, lambda: (a + b).sum(), weights)).all()


def test_frozen_layers_stay_and_thawed_ones_train_as_in_plain_training():
    """Frozen before the second step, thawed before the fourth; momentum is kept meanwhile."""
    torch.manual_seed(0)
    networks = [nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)).double() for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    optimizers = [SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01) for network in networks]
    gradients = ViewGradients(optimizers[0], 2)
    inputs = torch.randn(6, 4, dtype=torch.float64)
    for number in range(5):
        for network in networks:
            network[0].requires_grad_(number in (0, 3, 4))
        losses = [lambda k=k: (k + 1) * networks[0](inputs).square().mean() for k in range(3)]
        step(gradients, optimizers[0], losses, losses[0])
        optimizers[1].zero_grad()
        sum(weight * (k + 1) * networks[1](inputs).square().mean() for k, weight in enumerate(WEIGHTS)).backward()
        optimizers[1].step()
        optimizers[0].zero_grad()
        for ours, plain in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
            torch.testing.assert_close(ours, plain, rtol=1e-12, atol=0)


def test_parameters_without_a_gradient_do_not_decay():
    used, unused, sometimes = vector(1.0), vector(1.0), vector(1.0)
    optimizer = SGD([used, unused, sometimes], lr=0.01, weight_decay=0.1)
    losses = [lambda: used.sum(), lambda: used.sum(), lambda: (used + sometimes).sum()]
    step(ViewGradients(optimizer, 2), optimizer, losses, lambda: used.sum())
    assert unused.item() == 1.0
    assert sometimes.item() == pytest.approx(1.0 - 0.01 * (WEIGHTS[2].item() + 0.1))


def test_what_another_process_uses_is_stepped_on_all():
    """Flags travel with the expected gradient: averaged, they are above 0 where any process has one."""
    a, b, c = vector(1.0), vector(1.0), vector(1.0)
    gradients = ViewGradients([a, b, c], 1)
    for view in range(2):
        gradients.add_view(view, a.sum())
    expected = gradients.expected(WEIGHTS.new_tensor([0.5, 0.5]))
    expected.copy_((expected + torch.tensor([0.0, 3.0, 0.0, 0.0, 1.0, 0.0])) / 2)  # as an all-reduce would
    gradients.assign()
    assert (a.grad.item(), b.grad.item(), c.grad) == (0.5, 1.5, None)


@pytest.mark.parametrize('use_reentrant', [True, False])
def test_checkpointed_layers_have_the_gradients_of_plain_ones(use_reentrant):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    inputs = torch.randn(6, 4, dtype=torch.float64)

    def checkpointed():
        hidden = network[0](inputs)
        return checkpoint(network[1:], hidden, use_reentrant=use_reentrant).square().mean()

    found = []
    for forward in (lambda: network(inputs).square().mean(), checkpointed):
        gradients = ViewGradients(SGD(network.parameters(), lr=0.1), 1)
        gradients.add_view(0, forward())
        found.append(gradients.g_0.clone())
    assert torch.equal(*found)


def test_what_cannot_be_trained_is_named():
    with pytest.raises(ValueError, match='no trainable parameters'):
        ViewGradients([vector(1.0).requires_grad_(False)], 1)
    with pytest.raises(ValueError, match='one dtype and device'):
        ViewGradients([vector(1.0), nn.Parameter(torch.ones(1))], 1)


@pytest.mark.parametrize(('rate', 'overshoots'), [(0.5, False), (1.5, True)])
def test_descent_is_negative_where_the_step_overshoots(rate, overshoots):
    """A parabola whose every step beyond rate 1 ends on the other side of the valley."""
    weights = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    gradients = ViewGradients([weights], num_sub_policies=1)
    for view in range(2):
        gradients.add_view(view, weights.square().sum() / 2)
    gradients.expected(torch.tensor([0.5, 0.5]))
    gradients.assign()
    torch.optim.SGD([weights], lr=rate).step()
    gradients.validation(weights.square().sum() / 2)
    assert gradients.grad_cosine().item() == pytest.approx(-1 if overshoots else 1)


@pytest.mark.parametrize('fused', [False, True])
def test_the_order_of_weights_in_memory_changes_nothing(fused):
    """Channels-last convolutions, of one channel or pixel, too; fused optimizers want gradients in their order."""
    found = {}
    for memory_format in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        layers = nn.Conv2d(4, 6, 3), nn.Conv2d(6, 6, 3, groups=6), nn.Conv2d(6, 5, 1), nn.Flatten(), nn.Linear(20, 3)
        network = nn.Sequential(*layers).double()
        optimizer = SGD(network.parameters(), lr=0.1, momentum=0.9, fused=fused)
        gradients = ViewGradients(optimizer, 2)
        network.to(memory_format=memory_format)  # after the buffers are made, as hooks do it
        images = [torch.randn(2, 4, 6, 6, dtype=torch.float64).to(memory_format=memory_format) for _ in range(4)]
        losses = [lambda images=images, network=network: network(images).square().mean() for images in images]
        alignments = step(gradients, optimizer, losses[:3], losses[3])
        gradients.assign()
        for parameter in network.parameters():
            assert parameter.grad.stride() == parameter.stride()
        grads = [parameter.grad.contiguous() for parameter in network.parameters()]  # which hold g_val by now
        found[memory_format] = [alignments, gradients.grad_cosine(), *network.state_dict().values(), *grads]
    torch.testing.assert_close(*found.values())
