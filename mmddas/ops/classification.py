"""The operations for classification that detection lacks, as data.

Source: Liu et al., Direct Differentiable Augmentation Search, and its authors' released code on PIL images, whose
results every operation here gives. The others of this task (Identity, AutoContrast, Equalize, Color, Contrast,
Brightness, Sharpness, FlipLR, FlipUD) are in ``detection.py``.

Posterize, Solarize and Cutout of detection have other magnitudes: they grow milder with the level, or are paddings. So
those here have the names that other code gave them: ``PosterizeIncreasing``, ``SolarizeIncreasing``, ``CutoutAbs``.

``TranslateXRel``, ``TranslateYRel`` and ``CutoutRel``, with lengths as shares of the image, are those of Lim et al.,
Fast AutoAugment; no preset has them.
"""

import numpy as np

from . import colour, geometry
from .detection import slope
from .operation import Operation, Region, register


def square(size: int, height: int, width: int, boxes: np.ndarray, rng: np.random.Generator) -> Region:
    """Draw a square of ``size`` pixels about a uniform place of the image."""
    left, top = int(rng.integers(width)) - size // 2, int(rng.integers(height)) - size // 2
    return left, top, left + size, top + size


def share_square(share: float, height: int, width: int, boxes: np.ndarray, rng: np.random.Generator) -> Region:
    """Draw a square of a share of the image's width, and a pixel more, pushed in at the left and the top."""
    size = share * width
    left, top = (int(max(0.0, rng.random() * length - size / 2)) for length in (width, height))
    return left, top, int(left + size) + 1, int(top + size) + 1


def _posterize_bits(level: float) -> int:
    # No bits at all would leave a black image.
    return max(4 - int(0.4 * level), 1)


_task = dict(tasks=('classification',))
_warp = dict(kind='affine', fill=0, **_task)
# Whole pixels of CIFAR's 32.
_shift = dict(signed=True, level_to_magnitude=int, image_size=32, **_warp)
# The mean colour of CIFAR, (125, 122, 113) in RGB; and as Fast AutoAugment's code has it.
_cutout = dict(kind='patch', fill=(113, 122, 125), **_task)
_rel_cutout = dict(kind='patch', fill=(114, 123, 125), **_task)
_rel_shift = dict(signed=True, level_to_magnitude=lambda level: 0.045 * level, **_warp)

register(
    Operation('Invert', colour.invert, **_task),
    Operation('Blur', colour.blur, **_task),
    Operation('Smooth', colour.smooth, **_task),
    Operation('Rotate', geometry.rotation, signed=True, level_to_magnitude=lambda level: int(3 * level), **_warp),
    Operation('Rotate90', geometry.quarter_turn, **_warp),
    Operation('PosterizeIncreasing', colour.posterize, level_to_magnitude=_posterize_bits, **_task),
    Operation('ShearX', geometry.corner_shear_x, signed=True, level_to_magnitude=slope, **_warp),
    Operation('ShearY', geometry.corner_shear_y, signed=True, level_to_magnitude=slope, **_warp),
    Operation('TranslateX', geometry.shift_x, **_shift),
    Operation('TranslateY', geometry.shift_y, **_shift),
    Operation('SolarizeIncreasing', colour.solarize, level_to_magnitude=lambda level: 256 - int(25.6 * level), **_task),
    Operation('CutoutAbs', square, level_to_magnitude=lambda level: int(2 * level), in_pixels=True, **_cutout),
    Operation('TranslateXRel', geometry.shift_x_share, **_rel_shift),
    Operation('TranslateYRel', geometry.shift_y_share, **_rel_shift),
    Operation('CutoutRel', share_square, level_to_magnitude=lambda level: 0.02 * level, **_rel_cutout),
)
