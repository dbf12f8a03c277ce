"""The 25 operations for object detection, and Identity, as data; and zooming and flipping the image, which these lack.

Source: Zoph et al., Learning Data Augmentation Strategies for Object Detection, and its reference implementation, whose
behaviour the magnitudes and the fill value follow. Zooming is this project's: to half and twice the size at level 10,
and at any level as far out as in. Chen et al., Scale-aware Automatic Augmentation for Object Detection, owe most of
what they gain to it.
"""

import numpy as np

from .colour import (
    auto_contrast,
    brightness,
    color,
    contrast,
    equalize,
    identity,
    posterize,
    sharpness,
    solarize,
    solarize_add,
)
from .geometry import flip_x, flip_y, rotation, shear_x, shear_y, shift_x, shift_y, zoom
from .operation import Operation, Region, register


def cutout(pad: int, height: int, width: int, boxes: np.ndarray, rng: np.random.Generator) -> Region:
    """A square of ``2 * pad`` pixels about a uniform place of the image."""
    x, y = int(rng.integers(width)), int(rng.integers(height))
    return x - pad, y - pad, x + pad, y + pad


def box_cutout(fraction: float, height: int, width: int, boxes: np.ndarray, rng: np.random.Generator) -> Region | None:
    """``fraction`` of a random box's width and height, about a uniform place inside that box, if it has any area."""
    if len(boxes) == 0:
        return None
    x1, y1, x2, y2 = boxes[rng.integers(len(boxes))]
    if not (x1 < x2 and y1 < y2):
        return None
    x, y = int(rng.uniform(x1, x2)), int(rng.uniform(y1, y2))
    half_width, half_height = int(fraction * (x2 - x1) / 2), int(fraction * (y2 - y1) / 2)
    return x - half_width, y - half_height, x + half_width, y + half_height


def blend_factor(level: float) -> float:
    return 0.18 * level + 0.1


def _solarize_threshold(level: float) -> int:
    # The reference keeps the threshold in a uint8: 256, at level 10, is 0, and the image its negative.
    return int(25.6 * level) % 256


def _posterize_bits(level: float) -> int:
    # Asked to keep no bit, the reference keeps one.
    return max(int(0.4 * level), 1)


def _degrees(level: float) -> float:
    return 3.0 * level


def slope(level: float) -> float:
    return 0.03 * level


def _image_pixels(level: float) -> float:
    return 25.0 * level


def _box_pixels(level: float) -> float:
    return 12.0 * level


def _larger(level: float) -> float:
    return 1 + 0.1 * level


def _smaller(level: float) -> float:
    return 1 / _larger(level)


_moving = dict(kind='affine', signed=True, whole_pixels=True)
# Nearest pixels, as the reference's warps take them, would leave out every second one at half the size.
_zooming = dict(kind='affine', draws=2, interpolation='bilinear')
_in_boxes = dict(per_box=True)
_of_both_tasks = dict(tasks=('detection', 'classification'))

register(
    Operation('Identity', identity, **_of_both_tasks),
    Operation('AutoContrast', auto_contrast, **_of_both_tasks),
    Operation('Equalize', equalize, **_of_both_tasks),
    Operation('Posterize', posterize, level_to_magnitude=_posterize_bits),
    Operation('Solarize', solarize, level_to_magnitude=_solarize_threshold),
    Operation('SolarizeAdd', solarize_add, level_to_magnitude=lambda level: int(11 * level)),
    Operation('Color', color, level_to_magnitude=blend_factor, **_of_both_tasks),
    Operation('Contrast', contrast, level_to_magnitude=blend_factor, **_of_both_tasks),
    Operation('Brightness', brightness, level_to_magnitude=blend_factor, **_of_both_tasks),
    Operation('Sharpness', sharpness, level_to_magnitude=blend_factor, **_of_both_tasks),
    Operation('Cutout', cutout, kind='patch', in_pixels=True, level_to_magnitude=lambda level: int(10 * level)),
    Operation('BBox_Cutout', box_cutout, kind='patch', level_to_magnitude=lambda level: 0.075 * level),
    Operation('Rotate_BBox', rotation, level_to_magnitude=_degrees, **_moving),
    Operation('TranslateX_BBox', shift_x, level_to_magnitude=_image_pixels, in_pixels=True, **_moving),
    Operation('TranslateY_BBox', shift_y, level_to_magnitude=_image_pixels, in_pixels=True, **_moving),
    Operation('ShearX_BBox', shear_x, level_to_magnitude=slope, **_moving),
    Operation('ShearY_BBox', shear_y, level_to_magnitude=slope, **_moving),
    Operation('FlipLR', flip_x, kind='affine', **_of_both_tasks),
    Operation('FlipUD', flip_y, kind='affine', **_of_both_tasks),
    Operation('ZoomOut_BBox', zoom, level_to_magnitude=_smaller, **_zooming),
    Operation('ZoomIn_BBox', zoom, level_to_magnitude=_larger, **_zooming),
    Operation('Rotate_Only_BBoxes', rotation, level_to_magnitude=_degrees, **_moving, **_in_boxes),
    Operation('ShearX_Only_BBoxes', shear_x, level_to_magnitude=slope, **_moving, **_in_boxes),
    Operation('ShearY_Only_BBoxes', shear_y, level_to_magnitude=slope, **_moving, **_in_boxes),
    Operation(
        'TranslateX_Only_BBoxes',
        shift_x,
        level_to_magnitude=_box_pixels,
        in_pixels=True,
        **_moving,
        **_in_boxes,
    ),
    Operation(
        'TranslateY_Only_BBoxes',
        shift_y,
        level_to_magnitude=_box_pixels,
        in_pixels=True,
        **_moving,
        **_in_boxes,
    ),
    Operation('Flip_Only_BBoxes', flip_x, kind='affine', **_in_boxes),
    Operation('Equalize_Only_BBoxes', equalize, **_in_boxes),
    Operation('Solarize_Only_BBoxes', solarize, level_to_magnitude=_solarize_threshold, **_in_boxes),
    Operation(
        'Cutout_Only_BBoxes',
        cutout,
        kind='patch',
        in_pixels=True,
        level_to_magnitude=lambda level: int(5 * level),
        **_in_boxes,
    ),
)
