"""The 25 operations for object detection, and Identity, as data; and zooming and flipping, which these lack.

Source: Zoph et al., Learning Data Augmentation Strategies for Object Detection, and its reference implementation, whose
behaviour the magnitudes and the fill value follow. Zooming is this project's: to half and twice the size at level 10,
and at any level as far out as in. Chen et al., Scale-aware Automatic Augmentation for Object Detection, owe most of
what they gain to it.
"""

import numpy as np

from . import colour, geometry
from .operation import Operation, Region, register


def cutout(pad: int, height: int, width: int, boxes: np.ndarray, rng: np.random.Generator) -> Region:
    """Draw a square of ``2 * pad`` pixels about a uniform place of the image."""
    x, y = int(rng.integers(width)), int(rng.integers(height))
    return x - pad, y - pad, x + pad, y + pad


def box_cutout(fraction: float, height: int, width: int, boxes: np.ndarray, rng: np.random.Generator) -> Region | None:
    """Draw ``fraction`` of a random box's width and height about a uniform place in it; None without any area."""
    if len(boxes) == 0:
        return None
    x1, y1, x2, y2 = boxes[rng.integers(len(boxes))]
    if not (x1 < x2 and y1 < y2):
        return None
    x, y = int(rng.uniform(x1, x2)), int(rng.uniform(y1, y2))
    half_width, half_height = int(fraction * (x2 - x1) / 2), int(fraction * (y2 - y1) / 2)
    return x - half_width, y - half_height, x + half_width, y + half_height


def slope(level: float) -> float:
    return 0.03 * level


def _solarize_threshold(level: float) -> int:
    # The reference keeps the threshold in a uint8: 256, at level 10, is 0, and the image its negative.
    return int(25.6 * level) % 256


def _posterize_bits(level: float) -> int:
    # Asked to keep no bit, the reference keeps one.
    return max(int(0.4 * level), 1)


_of_both_tasks = dict(tasks=('detection', 'classification'))
_blending = dict(level_to_magnitude=lambda level: 0.18 * level + 0.1, **_of_both_tasks)
_moving = dict(kind='affine', signed=True, whole_pixels=True)
_turning = dict(level_to_magnitude=lambda level: 3.0 * level, **_moving)
_shearing = dict(level_to_magnitude=slope, **_moving)
_shifting = dict(level_to_magnitude=lambda level: 25.0 * level, in_pixels=True, **_moving)
_shifting_in_boxes = _shifting | dict(level_to_magnitude=lambda level: 12.0 * level, per_box=True)
# Nearest pixels, as the reference's warps take them, would leave out every second one at half the size.
_zooming = dict(kind='affine', draws=2, interpolation='bilinear')
_cutout = dict(kind='patch', in_pixels=True)
_in_boxes = dict(per_box=True)

register(
    Operation('Identity', colour.identity, **_of_both_tasks),
    Operation('AutoContrast', colour.auto_contrast, **_of_both_tasks),
    Operation('Equalize', colour.equalize, **_of_both_tasks),
    Operation('Posterize', colour.posterize, level_to_magnitude=_posterize_bits),
    Operation('Solarize', colour.solarize, level_to_magnitude=_solarize_threshold),
    Operation('SolarizeAdd', colour.solarize_add, level_to_magnitude=lambda level: int(11 * level)),
    Operation('Color', colour.color, **_blending),
    Operation('Contrast', colour.contrast, **_blending),
    Operation('Brightness', colour.brightness, **_blending),
    Operation('Sharpness', colour.sharpness, **_blending),
    Operation('Cutout', cutout, level_to_magnitude=lambda level: int(10 * level), **_cutout),
    Operation('BBox_Cutout', box_cutout, kind='patch', level_to_magnitude=lambda level: 0.075 * level),
    Operation('Rotate_BBox', geometry.rotation, **_turning),
    Operation('TranslateX_BBox', geometry.shift_x, **_shifting),
    Operation('TranslateY_BBox', geometry.shift_y, **_shifting),
    Operation('ShearX_BBox', geometry.shear_x, **_shearing),
    Operation('ShearY_BBox', geometry.shear_y, **_shearing),
    Operation('FlipLR', geometry.flip_x, kind='affine', **_of_both_tasks),
    Operation('FlipUD', geometry.flip_y, kind='affine', **_of_both_tasks),
    Operation('ZoomOut_BBox', geometry.zoom, level_to_magnitude=lambda level: 1 / (1 + 0.1 * level), **_zooming),
    Operation('ZoomIn_BBox', geometry.zoom, level_to_magnitude=lambda level: 1 + 0.1 * level, **_zooming),
    Operation('Rotate_Only_BBoxes', geometry.rotation, **_turning, **_in_boxes),
    Operation('ShearX_Only_BBoxes', geometry.shear_x, **_shearing, **_in_boxes),
    Operation('ShearY_Only_BBoxes', geometry.shear_y, **_shearing, **_in_boxes),
    Operation('TranslateX_Only_BBoxes', geometry.shift_x, **_shifting_in_boxes),
    Operation('TranslateY_Only_BBoxes', geometry.shift_y, **_shifting_in_boxes),
    Operation('Flip_Only_BBoxes', geometry.flip_x, kind='affine', **_in_boxes),
    Operation('Equalize_Only_BBoxes', colour.equalize, **_in_boxes),
    Operation('Solarize_Only_BBoxes', colour.solarize, level_to_magnitude=_solarize_threshold, **_in_boxes),
    Operation('Cutout_Only_BBoxes', cutout, level_to_magnitude=lambda level: int(5 * level), **_cutout, **_in_boxes),
)
