"""The networks for CIFAR and ImageNet: sizes as published, shapes, modes and gradients."""

import math
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from mmddas.models import ShakeShake, WideResNet
from mmddas.models.shake_shake import shake

CONFIGS = Path(__file__).parents[2] / 'configs'


def count(network: nn.Module, num_classes: int = 10) -> int:
    """Parameters with a linear classifier on top, without allocating any."""
    return sum(parameter.numel() for parameter in network.parameters()) + (network.out_channels + 1) * num_classes


@pytest.mark.parametrize(
    ('config', 'parameters'),
    [
        (dict(type='WideResNet', depth=40, width=2), 2_243_546),
        (dict(type='WideResNet', depth=40, width=2, conv_bias=True), 2_246_474),
        (dict(type='WideResNet', depth=28, width=10), 36_479_194),
        (dict(type='WideResNet', depth=28, width=10, conv_bias=True), 36_489_290),
        (dict(type='ShakeShake', depth=26, width=96), 26_192_906),
        (dict(type='ShakeShake', depth=26, width=32), 2_923_146),
    ],
)
def test_parameters_are_as_many_as_published(config, parameters):
    with torch.device('meta'):
        assert count(MODELS.build(config)) == parameters


def test_resnet_200_has_its_parameters_and_is_registered():
    pytest.importorskip('mmpretrain')
    import mmddas.models.resnet200  # noqa: F401

    network = MODELS.build(dict(type='ResNet200', out_indices=(3,)))
    network.out_channels = 2048
    assert count(network, num_classes=1000) == 64_673_832


SMALL = [WideResNet(depth=16, width=1), WideResNet(depth=10, width=2, dropout=0.3), ShakeShake(depth=8, width=4)]


@pytest.mark.parametrize('network', SMALL, ids=lambda network: type(network).__name__)
def test_a_feature_map_of_a_quarter_comes_out_and_gradients_reach_everything(network):
    network.init_weights()
    network.train()
    (features,) = network(torch.randn(3, 3, 32, 32))
    assert features.shape == (3, network.out_channels, 8, 8)
    features.square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())
    assert all(parameter.grad.any() for name, parameter in network.named_parameters() if name.endswith('weight'))
    network.zero_grad()


@pytest.mark.parametrize('network', SMALL, ids=lambda network: type(network).__name__)
def test_evaluation_is_deterministic_and_each_image_for_itself(network):
    network.eval()
    images = torch.randn(4, 3, 32, 32)
    (once,), (again,), (first,) = network(images), network(images), network(images[:1])
    assert torch.equal(once, again)
    torch.testing.assert_close(once[:1], first, rtol=1e-4, atol=1e-5)


def test_shaking_mixes_every_image_for_itself():
    a, b = torch.ones(200, 2, 3, 3), torch.zeros(200, 2, 3, 3)
    mixed = shake(a, b)
    alpha = mixed[:, 0, 0, 0]
    assert torch.equal(mixed, alpha.reshape(-1, 1, 1, 1).expand_as(mixed)), 'one share an image'
    assert len(alpha.unique()) > 190 and 0 <= alpha.min() < 0.1 and 0.9 < alpha.max() <= 1


def test_gradients_are_shared_by_another_draw_and_keep_their_sum():
    a, b = (torch.zeros(500, 1, 1, 1, requires_grad=True) for _ in range(2))
    mixed = shake(a + 1, b)
    mixed.sum().backward()
    alpha, beta = mixed.detach().flatten(), a.grad.flatten()
    torch.testing.assert_close(a.grad + b.grad, torch.ones_like(a))
    assert abs(torch.corrcoef(torch.stack([alpha, beta]))[0, 1]) < 0.2, 'forward and backward draws are independent'
    assert 0.45 < beta.mean() < 0.55


def test_evaluation_mixes_by_halves():
    block = ShakeShake(depth=8, width=4).blocks[0].eval()
    x = torch.randn(2, 16, 8, 8)
    expected = block.shortcut(x) + 0.5 * block.branch1(x) + 0.5 * block.branch2(x)
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize('network', [WideResNet(depth=10, width=4, conv_bias=True), ShakeShake(depth=8, width=32)])
def test_weights_begin_as_the_originals(network):
    torch.manual_seed(0)
    network.init_weights()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            expected = math.sqrt(2 / (module.kernel_size[0] ** 2 * module.out_channels))
            assert module.weight.std().item() == pytest.approx(expected, rel=0.15)
            assert module.bias is None or not module.bias.any()
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all() and not module.bias.any()


def test_weights_are_drawn_once():
    network = WideResNet(depth=10, width=1)
    network.init_weights()
    before = network.stem.weight.clone()
    network.init_weights()
    assert torch.equal(network.stem.weight, before)


def test_classifiers_of_the_configs_begin_as_torch_does():
    pytest.importorskip('mmpretrain')
    init_default_scope('mmpretrain')
    model = MODELS.build(Config.fromfile(CONFIGS / 'ddas_cls' / 'wrn10x1_cifar10.py').model)
    model.init_weights()
    assert 0.9 < model.head.fc.weight.abs().max() * math.sqrt(64) <= 1
    assert not model.head.fc.bias.any()


@pytest.mark.parametrize(
    ('network', 'arguments', 'message'),
    [
        (WideResNet, dict(depth=30), '6 n . 4'),
        (WideResNet, dict(depth=4), '6 n . 4'),
        (WideResNet, dict(width=0), 'width'),
        (ShakeShake, dict(depth=28), '6 n . 2'),
        (ShakeShake, dict(width=3), 'even'),
    ],
)
def test_impossible_sizes_are_refused(network, arguments, message):
    with pytest.raises(ValueError, match=message):
        network(**arguments)
