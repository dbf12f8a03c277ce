"""The networks that the paper uses and MMPretrain lacks."""

from mmddas.compat import openmmlab  # noqa: F401  (first: it makes the others importable)

from .shake_shake import ShakeShake
from .wide_resnet import WideResNet

__all__ = ['ShakeShake', 'WideResNet']
