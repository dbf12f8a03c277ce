"""Policies in the words of other libraries: MMDetection's transforms, Albumentations' serialised form.

What they draw is the policy's: an image is augmented with p_tp and gets N_o operations, or a listed sub-policy's, each
with its probability. What a library lacks is a draw that does nothing, so that the rest stays as likely as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from mmddas import ops
from mmddas.core import Candidate, ListedSnapshot, PolicySchedule, PolicySnapshot
from mmddas.ops.geometry import FILL
from mmddas.transforms import PolicyTransform

MAX_LEVEL = 10


class Image(NamedTuple):
    """The size in pixels that an export is for: some lengths are shares of it elsewhere."""

    width: int = 640
    height: int = 480


COMMON = Image()


class Export(NamedTuple):
    """A policy in another form.

    Args:
        content: A transform's config (MMDetection), or a serialised transform (Albumentations).
        left_out: Operations of which the library has none that does the same, with their shares of what is drawn.
        differences: Where the others are not the policy's, a sentence each.
    """

    content: dict
    left_out: dict[str, float]
    differences: list[str]

    @property
    def share_left_out(self) -> float:
        return sum(self.left_out.values())


def final(schedule: PolicySchedule) -> PolicySnapshot:
    """The last snapshot."""
    return schedule.snapshots[-1]


def mean(schedule: PolicySchedule) -> PolicySnapshot:
    """The mean of the snapshots: what a whole training draws, without its order.

    Raises:
        ValueError: The snapshots are lists of sub-policies, of which there is no mean.
    """
    if any(isinstance(snapshot, ListedSnapshot) for snapshot in schedule.snapshots):
        if all(snapshot == schedule.snapshots[0] for snapshot in schedule.snapshots):
            return schedule.snapshots[0]
        raise ValueError('The policy is a schedule of lists of sub-policies, which have no mean: export the final one')
    weights = np.array([snapshot.total_prob for snapshot in schedule.snapshots])
    if not weights.any():
        return schedule.snapshots[-1]
    probs = np.average([snapshot.op_probs for snapshot in schedule.snapshots], axis=0, weights=weights)
    return PolicySnapshot(float(weights.mean()), probs / probs.sum())


def to_mmdet(schedule: PolicySchedule, snapshot: PolicySnapshot, image: Image = COMMON) -> Export:
    """Transforms of MMCV and MMDetection, for a pipeline after LoadAnnotations.

    Raises:
        ValueError: The policy is not for detection, or draws in a way that cannot be said in them.
    """
    options = _checked(schedule)
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

    inner = _drawn(schedule, snapshot, one, choice)
    content = dict(type='RandomApply', prob=snapshot.total_prob, transforms=inner)
    differences = [
        'MMDetection rounds every magnitude to one decimal: shifts to tenths of the width or height (those below a '
        'twentieth, which would become none, are left out), factors of Color, Contrast, Brightness and Sharpness to '
        'tenths',
        f'shifts, which are pixels in the policy, are shares of the image, right for {image.width} x {image.height} '
        'pixels',
        'box ends are not truncated before an image is turned or sheared: boxes differ by less than a pixel',
    ]
    return Export(content, _left_out(snapshot, schedule, lambda candidate: one(candidate) is None), differences)


def to_albumentations(schedule: PolicySchedule, snapshot: PolicySnapshot) -> Export:
    """What ``albumentations.from_dict`` reads; ``bbox_params`` are for the training to give.

    Raises:
        ImportError: Albumentations is not installed.
        ValueError: As of :func:`to_mmdet`.
    """
    import albumentations

    options = _checked(schedule)

    def one(candidate: Candidate, prob: float | None = None) -> list | None:
        # Its Cutout makes boxes smaller, and fails on small images. Its Equalize counts a level's own pixels among
        # those below it, so that what fills much of an image becomes far brighter.
        if candidate.op in ('Cutout', 'Equalize'):
            return None
        transform = albumentations_transform(candidate, 1.0 if prob is None else prob, options['interpolation'])
        return None if transform is None else [transform]

    def choice(branches: Sequence[list], probs: Sequence[float]) -> object:
        # OneOf takes the probability of each of its transforms for its weight.
        weighted = [
            albumentations.Sequential(branch or [albumentations.NoOp()], p=prob)
            for branch, prob in zip(branches, probs, strict=True)
        ]
        return albumentations.OneOf(weighted, p=1.0)

    inner = _drawn(schedule, snapshot, one, choice)
    content = albumentations.to_dict(albumentations.Sequential(inner, p=snapshot.total_prob))
    differences = [
        'an image shears about its centre, not about its top-left corner: by as much, and lies elsewhere',
        'boxes are not truncated to whole pixels before they turn or shear, and differ by about a pixel',
        'AutoContrast rounds as PIL does in Albumentations, and overlooks pixels of 255: others differ by a grey level '
        'or two, or are stretched where they would not be',
        'Solarize has its threshold as a share of 255',
    ]
    if options['reference_size']:
        size = options['reference_size']
        differences.append(f'lengths in pixels are those for images of {size}, and do not grow with the image')
    left_out = _left_out(snapshot, schedule, lambda candidate: one(candidate) is None)
    return Export(content, left_out, differences)


def _checked(schedule: PolicySchedule) -> dict:
    """The options of the policy's operations; ValueError for a policy that cannot be exported."""
    if schedule.meta.get('task') == 'classification':
        raise ValueError('The policy is for classification, and exports are for detection')
    options = PolicyTransform(schedule).options  # which looks at operations, levels and options
    for candidate in schedule.space.candidates:
        if candidate.level is not None and not 0 <= candidate.level <= MAX_LEVEL:
            raise ValueError(f'{candidate}: levels of an export are from 0 to {MAX_LEVEL}, those of the literature')
    return options


def _drawn(schedule: PolicySchedule, snapshot: PolicySnapshot, one: Callable, choice: Callable) -> list:
    """The choices that an augmented image goes through, one after the other."""
    if isinstance(snapshot, ListedSnapshot):
        if snapshot.max_applied is not None:
            raise ValueError('The policy limits how many operations an image gets, which other libraries cannot say')
        branches = [
            [step for operation in sub_policy for step in one(operation.candidate, operation.prob) or []]
            for sub_policy in snapshot.sub_policies
        ]
        return [choice(branches, [1 / len(branches)] * len(branches))]
    pairs = [
        (one(candidate) or [], prob)
        for candidate, prob in zip(schedule.space.candidates, snapshot.op_probs.tolist(), strict=True)
    ]
    nothing = sum(prob for branch, prob in pairs if not branch)
    kept = [(branch, prob) for branch, prob in pairs if branch and prob > 0]
    if nothing:
        kept.append(([], nothing))
    branches, probs = zip(*kept, strict=True)
    return [choice(branches, probs) for _ in range(schedule.space.num_ops)]


def _summing_to_one(probs: Sequence[float]) -> list[float]:
    """The same to 12 decimals, in numbers whose floating-point sum is 1: MMCV's RandomChoice asks for exactly that."""
    unit = 1 << 40
    parts = np.rint(np.multiply(probs, unit))
    parts[parts.argmax()] += unit - parts.sum()
    return (parts / unit).tolist()


def _left_out(
    snapshot: PolicySnapshot, schedule: PolicySchedule, lacks: Callable[[Candidate], bool]
) -> dict[str, float]:
    """By operation, its share of all that is drawn."""
    found: dict[str, float] = {}
    for candidate, share in zip(schedule.space.candidates, snapshot.op_probs.tolist(), strict=True):
        if share > 0 and lacks(candidate):
            found[candidate.op] = found.get(candidate.op, 0.0) + share
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _magnitude(candidate: Candidate) -> float | None:
    return None if candidate.level is None else ops.get(candidate.op).level_to_magnitude(candidate.level)


def _mmdet(candidate: Candidate, image: Image, options: dict) -> dict | None:
    """MMDetection's transform of the kind; an empty one for Identity, None where there is none."""
    name, magnitude = candidate.op, _magnitude(candidate)
    if name == 'Identity':
        return {}
    if name in ('AutoContrast', 'Equalize', 'Invert'):
        return dict(type=name)
    if name == 'FlipLR' or name == 'FlipUD':
        return dict(type='RandomFlip', prob=1.0, direction='horizontal' if name == 'FlipLR' else 'vertical')
    if name in ('Posterize', 'Solarize', 'SolarizeAdd', 'Color', 'Contrast', 'Brightness', 'Sharpness'):
        return dict(type=name, level=10, min_mag=0.0, max_mag=float(magnitude))
    warp = dict(level=10, img_border_value=FILL, interpolation=options['interpolation'])
    if name == 'Rotate_BBox':
        return dict(type='Rotate', max_mag=float(magnitude), **warp)
    if name in ('ShearX_BBox', 'ShearY_BBox'):
        return dict(type=name[:6], max_mag=math.degrees(math.atan(magnitude)), **warp)
    if name in ('TranslateX_BBox', 'TranslateY_BBox'):
        reference = options['reference_size'] or max(image)
        pixels = magnitude * max(image) / reference
        side = image.width if name == 'TranslateX_BBox' else image.height
        share = min(pixels / side, 1.0)
        if share and not round(share, 1):  # as MMDetection rounds it: nothing would move
            return None
        return dict(type=name[:10], max_mag=share, **warp)
    return None


def albumentations_transform(candidate: Candidate, prob: float = 1.0, interpolation: str = 'nearest') -> object | None:
    """Albumentations' transform of the kind, applied with a probability; None where there is none."""
    import albumentations

    name, magnitude = candidate.op, _magnitude(candidate)
    same = dict(brightness=(1, 1), contrast=(1, 1), saturation=(1, 1), hue=(0, 0))

    def warp(make: Callable[[float], dict]) -> object:
        """Either way with the same probability."""
        settings = dict(interpolation=ops.INTERPOLATIONS[interpolation], fill=FILL, p=1)
        both = [albumentations.Affine(**settings, **make(sign * magnitude)) for sign in (1, -1)]
        return albumentations.OneOf(both, p=prob)

    def degrees(slope: float) -> tuple[float, float]:
        return (math.degrees(math.atan(slope)),) * 2

    def jitter(what: str) -> object:
        return albumentations.ColorJitter(**same | {what: (magnitude, magnitude)}, p=prob)

    makers = {
        'Identity': lambda: albumentations.NoOp(),
        'AutoContrast': lambda: albumentations.AutoContrast(method='pil', p=prob),
        'Equalize': lambda: albumentations.Equalize(mode='pil', p=prob),
        'Posterize': lambda: albumentations.Posterize(num_bits=magnitude, p=prob),
        'Solarize': lambda: albumentations.Solarize(threshold_range=(magnitude / 255,) * 2, p=prob),
        'Invert': lambda: albumentations.InvertImg(p=prob),
        'Color': lambda: jitter('saturation'),
        'Contrast': lambda: jitter('contrast'),
        'Brightness': lambda: jitter('brightness'),
        'FlipLR': lambda: albumentations.HorizontalFlip(p=prob),
        'FlipUD': lambda: albumentations.VerticalFlip(p=prob),
        'Cutout': lambda: albumentations.CoarseDropout(
            num_holes_range=(1, 1),
            hole_height_range=(2 * magnitude,) * 2,
            hole_width_range=(2 * magnitude,) * 2,
            fill=FILL,
            p=prob,
        ),
        'Rotate_BBox': lambda: warp(lambda angle: dict(rotate=(angle, angle))),
        'TranslateX_BBox': lambda: warp(lambda pixels: dict(translate_px=dict(x=(int(pixels),) * 2, y=(0, 0)))),
        'TranslateY_BBox': lambda: warp(lambda pixels: dict(translate_px=dict(x=(0, 0), y=(int(pixels),) * 2))),
        'ShearX_BBox': lambda: warp(lambda slope: dict(shear=dict(x=degrees(slope), y=(0, 0)))),
        'ShearY_BBox': lambda: warp(lambda slope: dict(shear=dict(x=(0, 0), y=degrees(slope)))),
    }
    return makers[name]() if name in makers else None
