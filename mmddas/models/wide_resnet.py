"""The wide residual networks (Zagoruyko and Komodakis), which MMPretrain lacks."""

from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import Tensor, nn

from .initialisation import ORIGINAL


class _Block(nn.Module):
    """A block of twice BN, ReLU and convolution; its shortcut is a 1x1 convolution where the shape changes."""

    def __init__(self, in_channels: int, channels: int, stride: int, dropout: float, bias: bool) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=bias)
        self.norm2 = nn.BatchNorm2d(channels)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=bias)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = None
        if stride != 1 or in_channels != channels:
            self.shortcut = nn.Conv2d(in_channels, channels, 1, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        activated = self.relu(self.norm1(x))
        out = self.conv1(activated)
        out = self.conv2(self.dropout(self.relu(self.norm2(out))))
        # As in the original, a convolutional shortcut sees the activated input, an identity the raw one.
        return out + (x if self.shortcut is None else self.shortcut(activated))


@MODELS.register_module()
class WideResNet(BaseModule):
    """WRN-depth-width: three stages of ``(depth - 4) / 6`` pre-activation blocks, for images of about 32x32.

    Source: Zagoruyko and Komodakis, Wide Residual Networks.

    Args:
        depth: Convolutions in the longest path; 6 n + 4.
        width: Factor of the channels 16, 32, 64 of the three stages.
        dropout: Probability of dropping an activation between a block's convolutions.
        conv_bias: Give the convolutions a bias, as several augmentation papers' code does; the original has none.
        init_cfg: MMEngine's; None: the original's initialisation.

    Input: images ``(N, 3, H, W)``. Output: a tuple of one feature map ``(N, 64 width, H / 4, W / 4)``.

    Raises:
        ValueError: The depth is not 6 n + 4, or the width below 1.

    Example:
        >>> model = dict(
        ...     type='ImageClassifier',
        ...     backbone=dict(type='WideResNet', depth=28, width=10),
        ...     neck=dict(type='GlobalAveragePooling'),
        ...     head=dict(type='LinearClsHead', num_classes=10, in_channels=640))
    """

    def __init__(
        self,
        depth: int = 28,
        width: int = 10,
        dropout: float = 0.0,
        conv_bias: bool = False,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(init_cfg or list(ORIGINAL))
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(f'The depth of a wide ResNet must be 6 n + 4 (10, 16, 22, 28, 40, ...), got {depth!r}')
        if width < 1:
            raise ValueError(f'The width of a wide ResNet must be at least 1, got {width!r}')
        self.stem = nn.Conv2d(3, 16, 3, padding=1, bias=conv_bias)
        blocks, in_channels = [], 16
        for stage, channels in enumerate((16 * width, 32 * width, 64 * width)):
            for block in range((depth - 4) // 6):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(_Block(in_channels, channels, stride, dropout, conv_bias))
                in_channels = channels
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.BatchNorm2d(in_channels)
        self.relu = nn.ReLU(inplace=True)
        self.out_channels = in_channels

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.relu(self.norm(self.blocks(self.stem(x)))),)
