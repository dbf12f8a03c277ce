"""Write a policy in transforms of Albumentations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from mmddas import ops
from mmddas.core import Candidate, PolicySchedule, PolicySnapshot
from mmddas.ops.geometry import FILL

from .common import Export, checked_options, choices, left_out, magnitude


def to_albumentations(schedule: PolicySchedule, snapshot: PolicySnapshot) -> Export:
    """Return what ``albumentations.from_dict`` reads; the training gives ``bbox_params``.

    Raises:
        ImportError: Albumentations is not installed.
        ValueError: As :func:`~mmddas.export.to_mmdet`.
    """
    import albumentations

    options = checked_options(schedule)

    def convert(candidate: Candidate, prob: float | None) -> list | None:
        # Its Cutout makes boxes smaller, and fails on small images. Its Equalize counts a level's own pixels among
        # those below it, so that what fills much of an image becomes far brighter.
        if candidate.op in ('Cutout', 'Equalize'):
            return None
        transform = albumentations_transform(candidate, 1.0 if prob is None else prob, options['interpolation'])
        return None if transform is None else [transform]

    def choose(branches: Sequence[list], probs: Sequence[float]) -> object:
        # OneOf weights its transforms by their own probabilities.
        weighted = [
            albumentations.Sequential(branch or [albumentations.NoOp()], p=prob)
            for branch, prob in zip(branches, probs, strict=True)
        ]
        return albumentations.OneOf(weighted, p=1.0)

    drawn = choices(schedule, snapshot, convert, choose)
    content = albumentations.to_dict(albumentations.Sequential(drawn, p=snapshot.total_prob))
    differences = [
        'an image is sheared about its centre, not its top-left corner: by as much, but it lies elsewhere',
        'boxes are not truncated to whole pixels before they are rotated or sheared: they differ by about a pixel',
        'AutoContrast rounds as PIL does in Albumentations, and overlooks pixels of 255: others differ by a grey level '
        'or two, or are stretched where they would not be',
        'Solarize has its threshold as a share of 255',
    ]
    if options['reference_size']:
        size = options['reference_size']
        differences.append(f'lengths in pixels are those for images of {size}, and do not grow with the image')
    return Export(content, left_out(schedule, snapshot, convert), differences)


def albumentations_transform(candidate: Candidate, prob: float = 1.0, interpolation: str = 'nearest') -> object | None:
    """Return Albumentations' transform for a candidate, applied with a probability; None where there is none."""
    import albumentations

    name, size = candidate.op, magnitude(candidate)
    same = dict(brightness=(1, 1), contrast=(1, 1), saturation=(1, 1), hue=(0, 0))

    def warp(make: Callable[[float], dict]) -> object:
        """Warp either way with the same probability."""
        settings = dict(interpolation=ops.INTERPOLATIONS[interpolation], fill=FILL, p=1)
        both = [albumentations.Affine(**settings, **make(sign * size)) for sign in (1, -1)]
        return albumentations.OneOf(both, p=prob)

    def degrees(slope: float) -> tuple[float, float]:
        return (math.degrees(math.atan(slope)),) * 2

    def jitter(what: str) -> object:
        return albumentations.ColorJitter(**same | {what: (size, size)}, p=prob)

    makers = {
        'Identity': lambda: albumentations.NoOp(),
        'AutoContrast': lambda: albumentations.AutoContrast(method='pil', p=prob),
        'Equalize': lambda: albumentations.Equalize(mode='pil', p=prob),
        'Posterize': lambda: albumentations.Posterize(num_bits=size, p=prob),
        'Solarize': lambda: albumentations.Solarize(threshold_range=(size / 255,) * 2, p=prob),
        'Invert': lambda: albumentations.InvertImg(p=prob),
        'Color': lambda: jitter('saturation'),
        'Contrast': lambda: jitter('contrast'),
        'Brightness': lambda: jitter('brightness'),
        'FlipLR': lambda: albumentations.HorizontalFlip(p=prob),
        'FlipUD': lambda: albumentations.VerticalFlip(p=prob),
        'Cutout': lambda: albumentations.CoarseDropout(
            num_holes_range=(1, 1),
            hole_height_range=(2 * size,) * 2,
            hole_width_range=(2 * size,) * 2,
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
