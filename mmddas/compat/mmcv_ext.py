"""Substitutes for ``mmcv._ext``, MMCV's compiled operators, made of ``torchvision.ops``.

A public function has the name and the calling convention of the compiled one (``mmcv/ops/csrc/pytorch/pybind.cpp``):
its positional arguments are tensors, and MMCV's autograd functions pass in the results, allocated, to be filled. A
substitute gives the numbers of MMCV's operator up to rounding. Any other name that MMCV asks for is a function that
raises :class:`MissingOperatorError` when it is called; so is ``roi_pool``, since torchvision's rounds regions to whole
cells and MMCV's does not.

Half precision is computed in float32. A gradient runs the operator again, since MMCV's autograd functions keep its
inputs alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType

import torch
from torch import Tensor
from torch.nn import functional as F

_FAR = -1e6  # an offset, in cells, that leads out of every feature map
# MMCV's names of the geometry of deformable convolutions, of version 1 and of the modulated one.
_V1 = dict(stride=('dH', 'dW'), padding=('padH', 'padW'), dilation=('dilationH', 'dilationW'))
_V2 = dict(stride=('stride_h', 'stride_w'), padding=('pad_h', 'pad_w'), dilation=('dilation_h', 'dilation_w'))


class MissingOperatorError(RuntimeError):
    """A use of one of MMCV's compiled operators that is not installed and has no substitute."""

    def __init__(self, operator: str):
        super().__init__(
            f"MMCV's operator '{operator}' is not available: MMCV was installed without its compiled operators, and "
            'torchvision has no equivalent. Install MMCV with its operators, under a PyTorch that they compile '
            'against: `mim install mmcv`, or, with a C++ compiler (and nvcc for CUDA), `MMCV_WITH_OPS=1 pip install '
            '--force-reinstall --no-cache-dir --no-deps --no-build-isolation onedl-mmcv`.'
        )


def __getattr__(name: str) -> Callable:
    """Return a function that raises when it is called: MMCV looks its operators up when it is imported."""
    if name.startswith('_'):
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')

    def missing(*args, **kwargs):
        raise MissingOperatorError(name)

    return missing


def _operators() -> ModuleType:
    """Import ``torchvision.ops`` where it is first needed, since that takes a second."""
    import torchvision

    return torchvision.ops


def get_compiler_version() -> str:
    """Tell ``collect_env`` that nothing was compiled."""
    return 'n/a (torchvision in place of the compiled operators)'


get_compiling_cuda_version = get_compiler_version


def nms(boxes, scores, iou_threshold, offset) -> Tensor:
    """Return the indices of the boxes kept, by falling score; a box is ``x2 - x1 + offset`` wide."""
    boxes, scores = _at_least_float32(boxes, scores)
    boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return _operators().nms(boxes, scores.type_as(boxes), iou_threshold)


def bbox_overlaps(bboxes1, bboxes2, ious, mode, aligned, offset) -> None:
    """Fill ``ious`` with MMCV's own computation in Python."""
    from mmcv.ops.bbox import _bbox_overlaps_cpu

    ious.copy_(_bbox_overlaps_cpu(bboxes1, bboxes2, ('iou', 'iof')[mode], aligned, offset))


def sigmoid_focal_loss_forward(input, target, weight, output, gamma, alpha) -> None:
    """Fill ``output`` (N, C) with the loss of the logits ``input`` (N, C), of classes ``target`` (N,)."""
    output.copy_(_sigmoid_focal_loss(input, target, weight, gamma, alpha))


def sigmoid_focal_loss_backward(input, target, weight, grad_input, gamma, alpha) -> None:
    """Fill ``grad_input`` (N, C) with the derivatives of each loss with respect to its logit."""

    _fill_gradients([grad_input], lambda logits: _sigmoid_focal_loss(logits, target, weight, gamma, alpha), [input])


def _sigmoid_focal_loss(input, target, weight, gamma, alpha):
    input, weight = _at_least_float32(input, weight)
    is_target = target[:, None] == torch.arange(input.size(1), device=input.device)
    loss = _operators().sigmoid_focal_loss(input, is_target.type_as(input), alpha=alpha, gamma=gamma)
    return loss * _target_weights(weight, target)[:, None] if weight.numel() else loss


def softmax_focal_loss_forward(input, target, weight, output, gamma, alpha) -> None:
    """Fill ``output`` (N,) with the loss of the probabilities ``input`` (N, C); 0 for a negative target."""
    (probs,) = _at_least_float32(input)
    output.copy_(_softmax_focal_loss(_log(probs), target, weight, gamma, alpha))


def softmax_focal_loss_backward(input, target, weight, buff, grad_input, gamma, alpha) -> None:
    """Fill ``grad_input`` (N, C) with the derivatives by the logits behind the probabilities ``input``."""

    def loss(logits):
        return _softmax_focal_loss(logits.log_softmax(dim=1), target, weight, gamma, alpha)

    (probs,) = _at_least_float32(input)
    _fill_gradients([grad_input], loss, [_log(probs)])


def _softmax_focal_loss(log_probs, target, weight, gamma, alpha):
    (weight,) = _at_least_float32(weight)
    log_prob = log_probs.gather(1, target.clamp(min=0)[:, None])[:, 0]
    loss = -alpha * (1 - log_prob.exp()) ** gamma * log_prob * (target >= 0)
    return loss * _target_weights(weight, target) if weight.numel() else loss


def _log(probs: Tensor) -> Tensor:
    return probs.clamp(min=torch.finfo(probs.dtype).tiny).log()


def _target_weights(weight: Tensor, target: Tensor) -> Tensor:
    """Return the weight of each sample's class; 1 for the background, for which MMCV reads past the end."""
    return F.pad(weight, (0, 1), value=1.0)[target]


def roi_align_forward(input, rois, output, argmax_y, argmax_x, **geometry) -> None:
    """Fill ``output`` (K, C, h, w) with ``input`` in ``rois`` (K, 5): image index, x1, y1, x2, y2."""
    output.copy_(_roi_align(input, rois, **geometry))


def roi_align_backward(grad_output, rois, argmax_y, argmax_x, grad_input, **geometry) -> None:
    """Fill ``grad_input``; average pooling is linear, so that MMCV need not keep (nor pass on) the input."""
    any_input = torch.zeros_like(grad_input)
    _fill_gradients([grad_input], lambda input: _roi_align(input, rois, **geometry), [any_input], grad_output)


def _roi_align(input, rois, aligned_height, aligned_width, spatial_scale, sampling_ratio, pool_mode, aligned):
    if pool_mode == 0:
        raise MissingOperatorError("roi_align with pool_mode='max'")
    input, rois = _at_least_float32(input, rois)
    size = (aligned_height, aligned_width)
    # A network that diverges has regions without a place, for which torchvision would read outside of memory.
    nowhere = ~rois.isfinite().all(dim=1)
    rois = rois.masked_fill(nowhere[:, None], 0)
    output = _operators().roi_align(input, rois.type_as(input), size, spatial_scale, sampling_ratio, aligned)
    return output.masked_fill(nowhere[:, None, None, None], float('nan'))


def deform_conv_forward(input, weight, offset, output, columns, ones, **geometry) -> None:
    """Fill ``output`` with the deformable convolution (v1) of ``input``."""
    output.copy_(_deform_conv(input, offset, weight, **geometry))


def deform_conv_backward_input(
    input, offset, grad_output, grad_input, grad_offset, weight, columns, **geometry
) -> None:
    """Fill ``grad_input`` and ``grad_offset``."""
    gradients = [grad_input, grad_offset]
    _fill_gradients(gradients, lambda *inputs: _deform_conv(*inputs, weight, **geometry), [input, offset], grad_output)


def deform_conv_backward_parameters(input, offset, grad_output, grad_weight, columns, ones, scale, **geometry) -> None:
    """Fill ``grad_weight``; the convolution is linear in the weight, which MMCV does not pass on."""
    any_weight = torch.zeros_like(grad_weight)
    _fill_gradients(
        [grad_weight], lambda weight: _deform_conv(input, offset, weight, **geometry), [any_weight], grad_output
    )
    grad_weight.mul_(scale)


def modulated_deform_conv_forward(
    input, weight, bias, ones, offset, mask, output, columns, with_bias, **geometry
) -> None:
    """Fill ``output`` with the modulated deformable convolution (v2) of ``input``."""
    output.copy_(_deform_conv(input, offset, weight, mask, bias if with_bias else None, **geometry))


def modulated_deform_conv_backward(
    input, weight, bias, ones, offset, mask, columns, *gradients, with_bias, **geometry
) -> None:
    """Fill all ``gradients`` but the last, which is that of the output."""
    grad_input, grad_weight, grad_bias, grad_offset, grad_mask, grad_output = gradients
    inputs = [input, offset, weight, mask, bias][: 4 + with_bias]
    gradients = [grad_input, grad_offset, grad_weight, grad_mask, grad_bias][: 4 + with_bias]
    _fill_gradients(gradients, lambda *inputs: _deform_conv(*inputs, **geometry), inputs, grad_output)


def _deform_conv(input, offset, weight, mask=None, bias=None, **geometry):
    # torchvision reads the size of the kernel and the groups off the shapes.
    input, offset, weight = _at_least_float32(input, offset, weight)
    mask, bias = (tensor if tensor is None else tensor.type_as(input) for tensor in (mask, bias))
    # MMCV samples 0 where an offset is no number, as outside of the image; torchvision would read outside of memory.
    offset = offset.masked_fill(offset.isnan(), _FAR)
    names = _V1 if 'dH' in geometry else _V2
    geometry = {name: (geometry[height], geometry[width]) for name, (height, width) in names.items()}
    return _operators().deform_conv2d(input, offset, weight, bias, mask=mask, **geometry)


def ms_deform_attn_forward(value, shapes, level_starts, locations, weights, im2col_step) -> Tensor:
    """Return Deformable DETR's attention on CUDA; on the CPU MMCV takes its own version in Python by itself."""
    return _ms_deform_attn(value, locations, weights, shapes=shapes).type_as(value)


def ms_deform_attn_backward(
    value, shapes, level_starts, locations, weights, grad_output, *gradients, im2col_step
) -> None:
    """Fill the ``gradients`` of value, locations and weights."""
    inputs = [value, locations, weights]
    _fill_gradients(gradients, lambda *inputs: _ms_deform_attn(*inputs, shapes=shapes), inputs, grad_output)


def _ms_deform_attn(value, locations, weights, *, shapes):
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    value, locations, weights = _at_least_float32(value, locations, weights)
    return multi_scale_deformable_attn_pytorch(value, shapes.tolist(), locations, weights)


def _at_least_float32(*tensors: Tensor) -> list[Tensor]:
    """Return the tensors, half precision as float32: torchvision lacks some operators in half precision."""
    half = (torch.float16, torch.bfloat16)
    return [tensor.float() if tensor.dtype in half else tensor for tensor in tensors]


def _fill_gradients(
    gradients: Sequence[Tensor],
    function: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    grad_output: Tensor | None = None,
) -> None:
    """Fill ``gradients`` with those of the sum of ``function(*inputs)``, weighted by ``grad_output``."""
    with torch.enable_grad():
        inputs = [tensor.detach().requires_grad_() for tensor in inputs]
        output = function(*inputs)
    if grad_output is None:
        grad_output = torch.ones_like(output)
    values = torch.autograd.grad(output, inputs, grad_output.type_as(output))
    for gradient, value in zip(gradients, values, strict=True):
        gradient.copy_(value)
