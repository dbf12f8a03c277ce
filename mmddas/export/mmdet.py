"""A policy in transforms of MMCV and MMDetection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmddas import ops
from mmddas.core import Candidate, PolicySchedule, PolicySnapshot
from mmddas.ops.geometry import FILL

from .common import Export, checked, drawn, left_out, magnitude


class Image(NamedTuple):
    """The size in pixels that an export is for: some lengths are shares of it elsewhere."""

    width: int = 640
    height: int = 480


COMMON = Image()


def to_mmdet(schedule: PolicySchedule, snapshot: PolicySnapshot, image: Image = COMMON) -> Export:
    """Transforms of MMCV and MMDetection, for a pipeline after LoadAnnotations.

    Raises:
        ValueError: The policy is not for detection, or draws in a way that cannot be said in them.
    """
    options = checked(schedule)
    if min(image) < 1:
        raise ValueError(f'An image has at least 1 x 1 pixels, got {image.width} x {image.height}')
    # Of boxes as many stay as here: those of at least a pixel.
    moved = dict(type='FilterAnnotations', min_gt_bbox_wh=(1 - 1e-6,) * 2, keep_empty=False)

    def one(candidate: Candidate, prob: float | None = None) -> list[dict] | None:
        transform = _mmdet(candidate, image, options)
        if not transform:
            return None if transform is None else []
        step = transform if prob is None else transform | dict(prob=prob)
        return [step, dict(moved)] if ops.get(candidate.op).moves_boxes else [step]

    def choice(branches: Sequence[list[dict]], probs: Sequence[float]) -> dict:
        return dict(type='RandomChoice', transforms=list(branches), prob=_summing_to_one(probs))

    inner = drawn(schedule, snapshot, one, choice)
    content = dict(type='RandomApply', prob=snapshot.total_prob, transforms=inner)
    differences = [
        'MMDetection rounds every magnitude to one decimal: shifts to tenths of the width or height (those below a '
        'twentieth, which would become none, are left out), factors of Color, Contrast, Brightness and Sharpness to '
        'tenths',
        f'shifts, which are pixels in the policy, are shares of the image, right for {image.width} x {image.height} '
        'pixels',
        'box ends are not truncated before an image is turned or sheared: boxes differ by less than a pixel',
    ]
    return Export(content, left_out(snapshot, schedule, lambda candidate: one(candidate) is None), differences)


def _summing_to_one(probs: Sequence[float]) -> list[float]:
    """The same to 12 decimals, in numbers whose floating-point sum is 1: MMCV's RandomChoice asks for exactly that."""
    unit = 1 << 40
    parts = np.rint(np.multiply(probs, unit))
    parts[parts.argmax()] += unit - parts.sum()
    return (parts / unit).tolist()


def _mmdet(candidate: Candidate, image: Image, options: dict) -> dict | None:
    """MMDetection's transform of the kind; an empty one for Identity, None where there is none."""
    name, size = candidate.op, magnitude(candidate)
    if name == 'Identity':
        return {}
    if name in ('AutoContrast', 'Equalize', 'Invert'):
        return dict(type=name)
    if name == 'FlipLR' or name == 'FlipUD':
        return dict(type='RandomFlip', prob=1.0, direction='horizontal' if name == 'FlipLR' else 'vertical')
    if name in ('Posterize', 'Solarize', 'SolarizeAdd', 'Color', 'Contrast', 'Brightness', 'Sharpness'):
        return dict(type=name, level=10, min_mag=0.0, max_mag=float(size))
    warp = dict(level=10, img_border_value=FILL, interpolation=options['interpolation'])
    if name == 'Rotate_BBox':
        return dict(type='Rotate', max_mag=float(size), **warp)
    if name in ('ShearX_BBox', 'ShearY_BBox'):
        return dict(type=name[:6], max_mag=math.degrees(math.atan(size)), **warp)
    if name in ('TranslateX_BBox', 'TranslateY_BBox'):
        reference = options['reference_size'] or max(image)
        pixels = size * max(image) / reference
        side = image.width if name == 'TranslateX_BBox' else image.height
        share = min(pixels / side, 1.0)
        if share and not round(share, 1):  # as MMDetection rounds it: nothing would move
            return None
        return dict(type=name[:10], max_mag=share, **warp)
    return None
