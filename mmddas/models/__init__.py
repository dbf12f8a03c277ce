"""Networks that the paper uses and MMPretrain lacks."""

from .shake_shake import ShakeShake
from .wide_resnet import WideResNet

__all__ = ['ShakeShake', 'WideResNet']
