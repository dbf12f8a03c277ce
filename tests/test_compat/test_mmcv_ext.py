"""MMCV's Python on top of the substitutes: the results are those of MMCV's own operators."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmcv import ops
from torch.nn import functional as F

from mmddas import compat
from mmddas.compat import mmcv_ext

pytestmark = pytest.mark.skipif(not compat.install(), reason='MMCV has its own operators')
HALF_PRECISION = [torch.float16, torch.bfloat16]


def greedy_nms(boxes: np.ndarray, scores: np.ndarray, threshold: float, offset: int) -> list[int]:
    """The definition: the best box first, without the others that overlap it by more than the threshold."""
    order = list(np.argsort(-scores, kind='stable'))
    areas = (boxes[:, 2] - boxes[:, 0] + offset) * (boxes[:, 3] - boxes[:, 1] + offset)
    kept = []
    while order:
        best = order.pop(0)
        kept.append(best)
        low, high = (
            np.maximum(boxes[best, :2], boxes[order, :2]),
            np.minimum(boxes[best, 2:], boxes[order, 2:]),
        )
        overlap = (high - low + offset).clip(min=0).prod(axis=1)
        iou = overlap / (areas[best] + areas[order] - overlap)
        order = [index for index, value in zip(order, iou, strict=True) if value <= threshold]
    return kept


def random_boxes(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Boxes on whole pixels, so that no IoU lies within rounding of the threshold, with scores in ties."""
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 40, (count, 2))
    boxes = np.concatenate([corners, corners + rng.integers(1, 30, (count, 2))], axis=1)
    return boxes.astype(np.float32), rng.integers(1, 20, count).astype(np.float32) / 20


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0.313, 0.713])
def test_nms_is_greedy_suppression(threshold, offset, device):
    boxes, scores = random_boxes(200)
    dets, kept = ops.nms(
        torch.from_numpy(boxes).to(device), torch.from_numpy(scores).to(device), threshold, offset=offset
    )
    expected = greedy_nms(boxes, scores, threshold, offset)
    assert kept.tolist() == expected
    assert dets.device.type == device
    np.testing.assert_array_equal(dets.cpu(), np.concatenate([boxes, scores[:, None]], axis=1)[expected])


def test_nms_keeps_a_box_at_exactly_the_threshold(device):
    boxes = torch.tensor([[0.0, 0, 2, 1], [1, 0, 2, 1]], device=device)
    scores = torch.tensor([0.9, 0.8], device=device)
    assert ops.nms(boxes, scores, 0.5)[1].tolist() == [0, 1]
    assert ops.nms(boxes, scores, 0.49)[1].tolist() == [0]


def test_nms_of_nothing_is_nothing(device):
    dets, kept = ops.nms(torch.empty(0, 4, device=device), torch.empty(0, device=device), 0.5)
    assert dets.shape == (0, 5) and kept.shape == (0,) and kept.dtype == torch.long


def test_nms_of_arrays_is_arrays():
    boxes, scores = random_boxes(50)
    dets, kept = ops.nms(boxes, scores, 0.5, score_threshold=0.4, max_num=5)
    assert isinstance(dets, np.ndarray) and len(kept) == 5 and dets[:, 4].min() > 0.4


@pytest.mark.parametrize('dtype', HALF_PRECISION)
def test_nms_takes_half_precision(dtype, device):
    boxes, scores = (torch.from_numpy(array).to(device, dtype) for array in random_boxes(100))
    expected = greedy_nms(boxes.float().cpu().numpy(), scores.float().cpu().numpy(), 0.513, 0)
    assert ops.nms(boxes, scores, 0.513)[1].tolist() == expected


def test_batched_nms_suppresses_within_a_class_only(device):
    boxes, scores = random_boxes(150)
    classes = np.random.default_rng(1).integers(0, 3, 150)
    dets, kept = ops.batched_nms(
        *(torch.from_numpy(array).to(device) for array in (boxes, scores, classes)),
        dict(type='nms', iou_threshold=0.513),
    )
    expected = [np.flatnonzero(classes == c)[greedy_nms(boxes[classes == c], scores[classes == c], 0.513, 0)]
                for c in range(3)]  # fmt: skip
    assert sorted(kept.tolist()) == sorted(np.concatenate(expected).tolist())
    assert (dets[:-1, 4] >= dets[1:, 4]).all()


@pytest.mark.parametrize('mode', ['iou', 'iof'])
@pytest.mark.parametrize('offset', [0, 1])
def test_bbox_overlaps_is_overlap_over_union_or_foreground(mode, offset, device):
    first, second = torch.tensor([[[0.0, 0, 4, 4]], [[2.0, 0, 6, 4]]], device=device)
    overlap, area = (2 + offset) * (4 + offset), (4 + offset) ** 2
    expected = overlap / {'iou': 2 * area - overlap, 'iof': area}[mode]
    for aligned in (False, True):
        found = ops.bbox_overlaps(first, second, mode, aligned=aligned, offset=offset)
        assert found.item() == pytest.approx(expected)


def focal_inputs(device, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(12, 5, generator=generator, dtype=dtype) * 3
    target = torch.randint(0, 6, (12,), generator=generator)  # 5 is the background
    return logits.to(device).requires_grad_(), target.to(device)


def gradient(loss: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    return torch.autograd.grad(loss, tensor)[0]


@pytest.mark.parametrize('gamma, alpha', [(2.0, 0.25), (1.5, 0.6)])
def test_sigmoid_focal_loss_is_that_of_mmdet(gamma, alpha, device):
    from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss

    logits, target = focal_inputs(device)
    found = ops.sigmoid_focal_loss(logits, target, gamma, alpha, None, 'none')
    one_hot = F.one_hot(target, 6)[:, :5]
    expected = py_sigmoid_focal_loss(logits, one_hot, gamma=gamma, alpha=alpha, reduction='none')
    torch.testing.assert_close(found, expected)
    weights = torch.rand_like(found)
    torch.testing.assert_close(gradient((found * weights).sum(), logits), gradient((expected * weights).sum(), logits))


def test_sigmoid_focal_loss_weighs_by_class(device):
    logits, target = focal_inputs(device)
    weight = torch.arange(1.0, 6.0, device=device)
    plain = ops.sigmoid_focal_loss(logits, target, 2.0, 0.25, None, 'none')
    weighted = ops.sigmoid_focal_loss(logits, target, 2.0, 0.25, weight, 'none')
    torch.testing.assert_close(weighted, plain * torch.tensor([1.0, 2, 3, 4, 5, 1], device=device)[target][:, None])


@pytest.mark.parametrize(
    'loss, value, gradient_diagonal, gradient_elsewhere',
    [
        (ops.sigmoid_focal_loss, 0.13562961, -0.00657264, 0.11185755),
        (ops.softmax_focal_loss, 0.00566451, -0.00657264, 0.00657264),
    ],
)
def test_focal_losses_give_the_values_of_mmcvs_own_tests(loss, value, gradient_diagonal, gradient_elsewhere, device):
    logits = torch.eye(2, device=device).requires_grad_()
    found = loss(logits, torch.tensor([0, 1], device=device), 2.0, 0.25, None, 'mean')
    assert found.item() == pytest.approx(value, rel=1e-5)
    expected = torch.full((2, 2), gradient_elsewhere).fill_diagonal_(gradient_diagonal)
    torch.testing.assert_close(gradient(found, logits).cpu(), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize('loss', [ops.sigmoid_focal_loss, ops.softmax_focal_loss])
def test_focal_losses_have_the_right_gradient(loss, device):
    logits, target = focal_inputs(device, torch.float64)
    assert torch.autograd.gradcheck(lambda x: loss(x, target.clamp(max=4), 2.0, 0.25, None, 'sum'), logits)


ROIS = [[0, 1.3, 2.1, 9.7, 12.4], [1, 0, 0, 15, 15], [1, 6.2, 3.3, 7.1, 4.9], [0, -3, -2, 4, 30]]


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_roi_align_is_torchvisions(sampling_ratio, aligned, device):
    from torchvision.ops import roi_align

    features = torch.randn(2, 3, 8, 8, device=device, requires_grad=True)
    rois = torch.tensor(ROIS, device=device)
    found = ops.RoIAlign((3, 2), 0.5, sampling_ratio, aligned=aligned)(features, rois)
    expected = roi_align(features, rois, (3, 2), 0.5, sampling_ratio, aligned)
    torch.testing.assert_close(found, expected)
    weights = torch.rand_like(found)
    torch.testing.assert_close(
        gradient((found * weights).sum(), features), gradient((expected * weights).sum(), features)
    )


def test_roi_align_gives_the_values_of_mmcvs_own_tests(device):
    features = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]], device=device, requires_grad=True)
    found = ops.roi_align(features, torch.tensor([[0.0, 0, 0, 1, 1]], device=device), (2, 2), 1.0, 2, 'avg', True)
    assert found.tolist() == [[[[1.0, 1.25], [1.5, 1.75]]]]
    assert gradient(found.sum(), features).tolist() == [[[[3.0625, 0.4375], [0.4375, 0.0625]]]]


def test_roi_align_has_the_right_gradient(device):
    features = torch.randn(2, 2, 6, 6, device=device, dtype=torch.float64, requires_grad=True)
    rois = torch.tensor(ROIS, device=device, dtype=torch.float64)
    # Atomic additions on a GPU come in any order.
    assert torch.autograd.gradcheck(lambda x: ops.roi_align(x, rois, 2, 0.5), features, nondet_tol=1e-12)


def test_roi_align_of_no_regions_has_no_gradient(device):
    features = torch.randn(1, 2, 6, 6, device=device, requires_grad=True)
    pooled = ops.roi_align(features, torch.empty(0, 5, device=device), 7)
    assert pooled.shape == (0, 2, 7, 7)
    assert not gradient(pooled.sum(), features).any()


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_roi_align_of_regions_that_are_nowhere_is_no_number(value, device):
    """A network that diverges has such; torchvision ends the process."""
    features = torch.randn(2, 2, 6, 6, device=device, requires_grad=True)
    rois = torch.tensor(ROIS, device=device)
    lost = torch.cat([rois, rois[:1]])
    lost[-1, 2] = value
    pooled = ops.roi_align(features, lost, 3, 0.5)
    assert torch.equal(pooled[:-1], ops.roi_align(features, rois, 3, 0.5)) and pooled[-1].isnan().all()
    assert gradient(pooled[:-1].sum(), features).isfinite().all()


GEOMETRY = dict(stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2)


def deform_conv_inputs(device, dtype=torch.float32):
    """Input, offset, mask, weight and bias of a convolution with a 3 x 2 kernel and 2 deformable groups."""
    generator = torch.Generator().manual_seed(0)
    input = torch.randn(2, 4, 6, 5, generator=generator, dtype=dtype)
    weight = torch.randn(6, 2, 3, 2, generator=generator, dtype=dtype)
    height, width = F.conv2d(input, weight, **GEOMETRY).shape[-2:]
    offset = torch.randn(2, 24, height, width, generator=generator, dtype=dtype) * 0.3
    mask = torch.rand(2, 12, height, width, generator=generator, dtype=dtype)
    bias = torch.randn(6, generator=generator, dtype=dtype)
    return [tensor.to(device).requires_grad_() for tensor in (input, offset, mask, weight, bias)]


def deform_conv(input, offset, weight):
    return ops.deform_conv2d(input, offset, weight, *GEOMETRY.values(), 2)


def modulated_deform_conv(input, offset, mask, weight, bias):
    return ops.modulated_deform_conv2d(input, offset, mask, weight, bias, *GEOMETRY.values(), 2)


def test_deform_conv_without_offsets_is_a_convolution(device):
    input, offset, mask, weight, bias = deform_conv_inputs(device)
    nowhere, everything = torch.zeros_like(offset), torch.ones_like(mask)
    ordinary = F.conv2d(input, weight, **GEOMETRY)
    torch.testing.assert_close(deform_conv(input, nowhere, weight), ordinary, rtol=1e-4, atol=1e-5)
    modulated = modulated_deform_conv(input, nowhere, everything, weight, bias)
    torch.testing.assert_close(modulated, ordinary + bias[:, None, None], rtol=1e-4, atol=1e-5)
    unbiased = modulated_deform_conv(input, nowhere, everything, weight, None)
    torch.testing.assert_close(unbiased, ordinary, rtol=1e-4, atol=1e-5)


def test_deform_conv_samples_nothing_where_an_offset_is_no_number(device):
    """As MMCV's, and as where it leads out of the map; torchvision ends the process."""
    input, offset, mask, weight, bias = deform_conv_inputs(device)
    results = []
    for value in (float('nan'), 1e4):
        lost = offset.detach().clone()
        lost[:, ::5] = value
        results.append([deform_conv(input, lost, weight), modulated_deform_conv(input, lost, mask, weight, bias)])
        results[-1] += torch.autograd.grad(sum(result.square().sum() for result in results[-1]), (input, mask, weight))
    for found, expected in zip(*results, strict=True):
        assert found.isfinite().all()
        torch.testing.assert_close(found, expected)


def test_deform_convs_have_the_right_gradients(device):
    input, offset, mask, weight, bias = deform_conv_inputs(device, torch.float64)
    options = dict(nondet_tol=1e-10, fast_mode=True)
    assert torch.autograd.gradcheck(deform_conv, (input, offset, weight), **options)
    assert torch.autograd.gradcheck(modulated_deform_conv, (input, offset, mask, weight, bias), **options)


@pytest.mark.parametrize('dtype', HALF_PRECISION)
@pytest.mark.parametrize('layer', [ops.DeformConv2dPack, ops.ModulatedDeformConv2dPack])
def test_deform_conv_layers_train_under_autocast(layer, dtype, device):
    module = layer(4, 6, 3, padding=1).to(device)
    input = torch.randn(2, 4, 8, 8, device=device, requires_grad=True)
    with torch.autocast(device, dtype):
        output = module(input)
    output.float().square().sum().backward()
    assert output.dtype == dtype
    for tensor in (input, *module.parameters()):
        assert tensor.grad.dtype == torch.float32 and tensor.grad.isfinite().all() and tensor.grad.any()


@pytest.mark.parametrize('dtype', HALF_PRECISION)
def test_losses_and_pooling_train_in_half_precision(dtype, device):
    logits, target = focal_inputs(device)
    features, rois = torch.randn(2, 3, 8, 8, device=device), torch.tensor(ROIS, device=device)
    for function, tensor in (
        (lambda x: ops.sigmoid_focal_loss(x, target, 2.0, 0.25, None, 'none'), logits.detach()),
        (lambda x: ops.roi_align(x, rois.to(x.dtype), 2, 0.5), features),
    ):
        half = tensor.to(dtype).requires_grad_()
        full = half.detach().float().requires_grad_()
        assert function(half).dtype == half.dtype
        expected = gradient(function(full).sum(), full).to(dtype)
        torch.testing.assert_close(gradient(function(half).sum(), half), expected, rtol=0.05, atol=0.05)


def test_deformable_attention_is_mmcvs_own_in_python(device):
    from mmcv.ops.multi_scale_deform_attn import (
        MultiScaleDeformableAttnFunction,
        multi_scale_deformable_attn_pytorch,
    )

    shapes = torch.tensor([[6, 4], [3, 2]], device=device)
    starts = torch.tensor([0, 24], device=device)
    sizes = [(2, 30, 2, 4), (2, 5, 2, 2, 3, 2), (2, 5, 2, 2, 3)]
    inputs = [torch.rand(size, device=device, dtype=torch.float64, requires_grad=True) for size in sizes]
    value, locations, weights = inputs
    found = MultiScaleDeformableAttnFunction.apply(value, shapes, starts, locations, weights, 64)
    expected = multi_scale_deformable_attn_pytorch(value, shapes.tolist(), locations, weights)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad(found.square().sum(), inputs),
        torch.autograd.grad(expected.square().sum(), inputs),
    )


def test_other_operators_say_what_is_missing_when_used():
    operator = mmcv_ext.carafe_forward
    with pytest.raises(
        mmcv_ext.MissingOperatorError, match="'carafe_forward'.*without its compiled operators.*install"
    ):
        operator(None, scale_factor=2)


def test_layers_of_other_operators_can_be_built_and_subclassed():
    class Upsampling(ops.CARAFEPack):
        pass

    module = Upsampling(channels=4, scale_factor=2)
    with pytest.raises(mmcv_ext.MissingOperatorError, match='carafe_forward'):
        module(torch.rand(1, 4, 4, 4))


def test_max_pooled_roi_align_is_refused():
    with pytest.raises(mmcv_ext.MissingOperatorError, match="pool_mode='max'"):
        ops.roi_align(torch.rand(1, 1, 4, 4), torch.tensor([[0.0, 0, 0, 2, 2]]), 2, 1.0, 0, 'max')


def test_mmcv_reports_that_nothing_was_compiled():
    assert 'torchvision' in ops.get_compiler_version() and 'torchvision' in ops.get_compiling_cuda_version()
