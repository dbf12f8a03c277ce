"""The operations for classification that detection does not have, as data.

Source: Liu et al., Direct Differentiable Augmentation Search, and its authors' released code, which works on PIL
images: every operation here gives what PIL's gives. The other operations of this task (Identity, AutoContrast,
Equalize, Color, Contrast, Brightness, Sharpness, FlipLR, FlipUD) are those of detection.

Posterize, Solarize and Cutout of the two literatures share their names but not their magnitudes: those of detection
grow milder with the level, or are paddings. A candidate's name must say what it does, so the variants here have the
names that other code bases gave them: ``PosterizeIncreasing``, ``SolarizeIncreasing`` and ``CutoutAbs``.

``TranslateXRel``, ``TranslateYRel`` and ``CutoutRel``, whose lengths are shares of the image, are those of Lim et al.,
Fast AutoAugment, and of what builds on its code; no preset has them.
"""

import numpy as np

from .colour import blur, invert, posterize, smooth, solarize
from .detection import slope
from .geometry import (
    corner_shear_x,
    corner_shear_y,
    quarter_turn,
    rotation,
    shift_x,
    shift_x_share,
    shift_y,
    shift_y_share,
)
from .operation import Operation, Region, register

# The mean colour of CIFAR, (125, 122, 113) in RGB.
CUTOUT_FILL = (113, 122, 125)
REL_CUTOUT_FILL = (114, 123, 125)


def square(size: int, height: int, width: int, boxes: np.ndarray, rng: np.random.Generator) -> Region:
    """A square of ``size`` pixels about a uniform place of the image."""
    left, top = int(rng.integers(width)) - size // 2, int(rng.integers(height)) - size // 2
    return left, top, left + size, top + size


def share_square(share: float, height: int, width: int, boxes: np.ndarray, rng: np.random.Generator) -> Region:
    """A square of a share of the image's width, and of a pixel more, pushed in at the left and the top."""
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
_rel_shift = dict(signed=True, level_to_magnitude=lambda level: 0.045 * level, **_warp)

register(
    Operation('Invert', invert, **_task),
    Operation('Blur', blur, **_task),
    Operation('Smooth', smooth, **_task),
    Operation('Rotate', rotation, signed=True, level_to_magnitude=lambda level: int(3 * level), **_warp),
    Operation('Rotate90', quarter_turn, **_warp),
    Operation('PosterizeIncreasing', posterize, level_to_magnitude=_posterize_bits, **_task),
    Operation('ShearX', corner_shear_x, signed=True, level_to_magnitude=slope, **_warp),
    Operation('ShearY', corner_shear_y, signed=True, level_to_magnitude=slope, **_warp),
    Operation('TranslateX', shift_x, **_shift),
    Operation('TranslateY', shift_y, **_shift),
    Operation('SolarizeIncreasing', solarize, level_to_magnitude=lambda level: 256 - int(25.6 * level), **_task),
    Operation(
        'CutoutAbs',
        square,
        kind='patch',
        in_pixels=True,
        fill=CUTOUT_FILL,
        level_to_magnitude=lambda level: int(2 * level),
        **_task,
    ),
    Operation('TranslateXRel', shift_x_share, **_rel_shift),
    Operation('TranslateYRel', shift_y_share, **_rel_shift),
    Operation(
        'CutoutRel',
        share_square,
        kind='patch',
        fill=REL_CUTOUT_FILL,
        level_to_magnitude=lambda level: 0.02 * level,
        **_task,
    ),
)
