"""The Shake-Shake networks (Gastaldi), which MMPretrain lacks."""

import torch
from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from .initialisation import ORIGINAL


class _Shake(torch.autograd.Function):
    """The mix alpha a + (1 - alpha) b, whose gradient has beta instead of alpha; both are numbers of an image."""

    @staticmethod
    def forward(ctx: FunctionCtx, a: Tensor, b: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
        ctx.save_for_backward(beta)
        return alpha * a + (1 - alpha) * b

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        (beta,) = ctx.saved_tensors
        return beta * grad, (1 - beta) * grad, None, None


def shake(a: Tensor, b: Tensor) -> Tensor:
    """Mix two branches ``(N, C, H, W)`` by an alpha from U(0, 1) for each image, and an independent beta backward."""
    shape = (len(a), 1, 1, 1)
    return _Shake.apply(a, b, a.new_empty(shape).uniform_(), a.new_empty(shape).uniform_())


def _branch(in_channels: int, channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(inplace=False),  # the input is the other branch's and the shortcut's too
        nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    )


class _Shortcut(nn.Module):
    """A shortcut of two paths with half the channels each, one shifted by a pixel, so that a stride loses less."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv2d(in_channels, channels // 2, 1, bias=False)
        self.conv2 = nn.Conv2d(in_channels, channels // 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = x.relu()
        shifted = nn.functional.pad(x, (-1, 1, -1, 1))
        step = slice(None, None, self.stride)
        paths = self.conv1(x[..., step, step]), self.conv2(shifted[..., step, step])
        return self.norm(torch.cat(paths, dim=1))


class _Block(nn.Module):
    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.branch1 = _branch(in_channels, channels, stride)
        self.branch2 = _branch(in_channels, channels, stride)
        self.shortcut = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.shortcut = _Shortcut(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.branch1(x), self.branch2(x)
        return self.shortcut(x) + (shake(a, b) if self.training else (a + b) / 2)


@MODELS.register_module()
class ShakeShake(BaseModule):
    """Shake-Shake depth 2xNd: residual blocks of two branches, mixed at random for every image.

    In training a branch's share is drawn for each image, and again for its gradient; in evaluation it is 1/2.

    Source: Gastaldi, Shake-Shake regularization.

    Args:
        depth: Convolutions in the longest path, 6 n + 2; the papers' is 26.
        width: N of 2xNd, the channels of the first of three stages; even.
        init_cfg: MMEngine's; None: the original's initialisation.

    Input: images ``(N, 3, H, W)``. Output: a tuple of one feature map ``(N, 4 width, H / 4, W / 4)``.

    Raises:
        ValueError: The depth is not 6 n + 2, or the width not even.

    Example:
        >>> model = dict(
        ...     type='ImageClassifier',
        ...     backbone=dict(type='ShakeShake', depth=26, width=96),
        ...     neck=dict(type='GlobalAveragePooling'),
        ...     head=dict(type='LinearClsHead', num_classes=10, in_channels=384))
    """

    def __init__(self, depth: int = 26, width: int = 96, init_cfg: dict | list | None = None) -> None:
        super().__init__(init_cfg or list(ORIGINAL))
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f'The depth of a Shake-Shake network must be 6 n + 2 (8, 14, 20, 26, ...), got {depth!r}')
        if width < 2 or width % 2:
            raise ValueError(f'The width of a Shake-Shake network must be an even number from 2 on, got {width!r}')
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        blocks, in_channels = [], 16
        for stage, channels in enumerate((width, 2 * width, 4 * width)):
            for block in range((depth - 2) // 6):
                blocks.append(_Block(in_channels, channels, stride=2 if stage > 0 and block == 0 else 1))
                in_channels = channels
        self.blocks = nn.Sequential(*blocks)
        self.out_channels = in_channels

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.blocks(self.stem(x)).relu(),)
