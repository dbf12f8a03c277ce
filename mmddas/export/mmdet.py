"""Write a policy in transforms of MMCV and MMDetection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmddas import ops
from mmddas.core import Candidate, PolicySchedule, PolicySnapshot
from mmddas.ops.geometry import FILL

from .common import Export, checked_options, choices, left_out, magnitude


class Image(NamedTuple):
    """The size of the images that an export is for, in pixels: MMDetection has shifts as shares of it."""

    width: int = 640
    height: int = 480


COMMON = Image()


def to_mmdet(schedule: PolicySchedule, snapshot: PolicySnapshot, image: Image = COMMON) -> Export:
    """Return transforms of MMCV and MMDetection, for a pipeline after LoadAnnotations.

    Raises:
        ValueError: The policy is not for detection, or draws in a way that these transforms cannot.
    """
    options = checked_options(schedule)
    if min(image) < 1:
        raise ValueError(f'An image has at least 1 x 1 pixels, got {image.width} x {image.height}')
    # Keeps the boxes that mmddas keeps: those of at least a pixel.
    keep_boxes = dict(type='FilterAnnotations', min_gt_bbox_wh=(1 - 1e-6,) * 2, keep_empty=False)

    def convert(candidate: Candidate, prob: float | None) -> list[dict] | None:
        transform = _transform(candidate, image, options)
        if not transform:
            return None if transform is None else []
        step = transform if prob is None else transform | dict(prob=prob)
        return [step, dict(keep_boxes)] if ops.get(candidate.op).moves_boxes else [step]

    def choose(branches: Sequence[list[dict]], probs: Sequence[float]) -> dict:
        return dict(type='RandomChoice', transforms=list(branches), prob=_summing_to_one(probs))

    drawn = choices(schedule, snapshot, convert, choose)
    content = dict(type='RandomApply', prob=snapshot.total_prob, transforms=drawn)
    differences = [
        'MMDetection rounds every magnitude to one decimal: shifts to tenths of the width or height (those below a '
        'twentieth would become 0, and are left out), factors of Color, Contrast, Brightness and Sharpness to tenths',
        f'shifts are shares of the image, not pixels, and right for {image.width} x {image.height} pixels',
        'box ends are not truncated before an image is rotated or sheared: boxes differ by less than a pixel',
    ]
    return Export(content, left_out(schedule, snapshot, convert), differences)


def _summing_to_one(probs: Sequence[float]) -> list[float]:
    """Round to 12 decimals so that the floating-point sum is 1, which MMCV's RandomChoice checks exactly."""
    unit = 1 << 40
    parts = np.rint(np.multiply(probs, unit))
    parts[parts.argmax()] += unit - parts.sum()
    return (parts / unit).tolist()


def _transform(candidate: Candidate, image: Image, options: dict) -> dict | None:
    """Return MMDetection's transform for a candidate: an empty one for Identity, None where there is none."""
    name, size = candidate.op, magnitude(candidate)
    if name == 'Identity':
        return {}
    if name in ('AutoContrast', 'Equalize', 'Invert'):
        return dict(type=name)
    if name in ('FlipLR', 'FlipUD'):
        return dict(type='RandomFlip', prob=1.0, direction='horizontal' if name == 'FlipLR' else 'vertical')
    if name in ('Posterize', 'Solarize', 'SolarizeAdd', 'Color', 'Contrast', 'Brightness', 'Sharpness'):
        return dict(type=name, level=10, min_mag=0.0, max_mag=float(size))
    warp = dict(level=10, img_border_value=FILL, interpolation=options['interpolation'])
    if name == 'Rotate_BBox':
        return dict(type='Rotate', max_mag=float(size), **warp)
    if name in ('ShearX_BBox', 'ShearY_BBox'):
        return dict(type=name[:6], max_mag=math.degrees(math.atan(size)), **warp)
    if name in ('TranslateX_BBox', 'TranslateY_BBox'):
        pixels = size * max(image) / (options['reference_size'] or max(image))
        share = min(pixels / (image.width if name == 'TranslateX_BBox' else image.height), 1.0)
        if share and not round(share, 1):  # MMDetection rounds it, and would move nothing
            return None
        return dict(type=name[:10], max_mag=share, **warp)
    return None
