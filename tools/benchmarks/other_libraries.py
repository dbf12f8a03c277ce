"""Operations of other libraries, of the kind and strength of those of ``detection``, for ``operations.py``.

Each works on what its library likes best: torchvision on uint8 tensors, Albumentations on uint8 arrays, Kornia on float
tensors ``(1, 3, H, W)``; making these is not part of what is measured. Warps take the nearest pixel and move the boxes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch

from mmddas import export as exports
from mmddas import ops
from mmddas.core import SearchSpace

GREY = 128
Run = Callable[[], object]
Library = dict[tuple[str, float | None], Run]
"""By operation and level: what is measured."""


def of_torchvision(image: np.ndarray, boxes: np.ndarray) -> Library:
    from torchvision import tv_tensors
    from torchvision.transforms.v2 import functional

    picture = tv_tensors.Image(torch.from_numpy(image).permute(2, 0, 1).contiguous())
    annotated = tv_tensors.BoundingBoxes(torch.from_numpy(boxes), format='XYXY', canvas_size=image.shape[:2])

    def colour(name: str) -> Callable[[float], Run]:
        return lambda magnitude: lambda: getattr(functional, name)(picture, *[] if magnitude is None else [magnitude])

    def warp(make: Callable[[float], dict]) -> Callable[[float], Run]:
        def at(magnitude: float) -> Run:
            settings = dict(angle=0.0, translate=[0, 0], scale=1.0, shear=[0.0, 0.0], fill=[GREY] * 3) | make(magnitude)
            return lambda: (functional.affine(picture, **settings), functional.affine(annotated, **settings))

        return at

    def cutout(half: int) -> Run:
        grey = torch.full((3, 1, 1), GREY, dtype=torch.uint8)
        top, left = image.shape[0] // 2 - half, image.shape[1] // 2 - half
        return lambda: functional.erase(picture, top, left, 2 * half, 2 * half, grey)

    return by_level(
        AutoContrast=colour('autocontrast'),
        Equalize=colour('equalize'),
        Posterize=colour('posterize'),
        Solarize=colour('solarize'),
        Color=colour('adjust_saturation'),
        Contrast=colour('adjust_contrast'),
        Brightness=colour('adjust_brightness'),
        Sharpness=colour('adjust_sharpness'),
        Cutout=cutout,
        Rotate_BBox=warp(lambda degrees: dict(angle=degrees)),
        TranslateX_BBox=warp(lambda pixels: dict(translate=[int(pixels), 0])),
        TranslateY_BBox=warp(lambda pixels: dict(translate=[0, int(pixels)])),
        ShearX_BBox=warp(lambda slope: dict(shear=[float(np.degrees(np.arctan(slope))), 0.0])),
        ShearY_BBox=warp(lambda slope: dict(shear=[0.0, float(np.degrees(np.arctan(slope)))])),
    )


def of_albumentations(image: np.ndarray, boxes: np.ndarray) -> Library:
    import albumentations

    params = albumentations.BboxParams('pascal_voc', label_fields=['labels'])
    annotated = dict(image=image, bboxes=boxes.tolist(), labels=[0] * len(boxes))
    found = {}
    for candidate in SearchSpace.preset('detection').candidates:
        transform = exports.albumentations_transform(candidate)
        if transform is None or candidate.op == 'Identity':
            continue
        given = dict(image=image)
        if ops.get(candidate.op).moves_boxes:
            transform, given = albumentations.Compose([transform], bbox_params=params), annotated
        found[tuple(candidate)] = functools.partial(transform, **given)
    return found


def of_kornia(image: np.ndarray, boxes: np.ndarray) -> Library:
    from kornia import augmentation, enhance
    from kornia.geometry.boxes import Boxes
    from kornia.geometry.transform import get_rotation_matrix2d, warp_affine

    picture = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    annotated = Boxes.from_tensor(torch.from_numpy(boxes)[None], mode='xyxy')
    height, width = image.shape[:2]
    grey = torch.full((3,), GREY / 255)

    def colour(function: Callable) -> Callable[[float], Run]:
        return lambda magnitude: lambda: function(picture, magnitude)

    def warp(matrix: Callable[[float], list]) -> Callable[[float], Run]:
        """Pixels and boxes go where the matrix (2, 3) takes them."""

        def at(magnitude: float) -> Run:
            moved = torch.as_tensor(matrix(magnitude), dtype=torch.float32).reshape(1, 2, 3)
            whole = torch.cat([moved, torch.tensor([[[0.0, 0.0, 1.0]]])], dim=1)
            settings = dict(mode='nearest', padding_mode='fill', fill_value=grey)

            def run() -> tuple:
                found = warp_affine(picture, moved, (height, width), **settings)
                return found, annotated.transform_boxes(whole).to_tensor('xyxy')

            return run

        return at

    def rotation(degrees: float) -> torch.Tensor:
        centre = torch.tensor([[width / 2, height / 2]])
        return get_rotation_matrix2d(centre, torch.tensor([degrees]), torch.ones(1, 2))

    auto_contrast = augmentation.RandomAutoContrast(p=1.0)
    return by_level(
        AutoContrast=colour(lambda given, _: auto_contrast(given)),
        Equalize=colour(lambda given, _: enhance.equalize(given)),
        Posterize=colour(enhance.posterize),
        Solarize=colour(lambda given, threshold: enhance.solarize(given, threshold / 255)),
        Color=colour(enhance.adjust_saturation_with_gray_subtraction),
        Contrast=colour(enhance.adjust_contrast_with_mean_subtraction),
        Brightness=colour(enhance.adjust_brightness_accumulative),
        Sharpness=colour(enhance.sharpness),
        Rotate_BBox=warp(rotation),
        TranslateX_BBox=warp(lambda pixels: [1, 0, int(pixels), 0, 1, 0]),
        TranslateY_BBox=warp(lambda pixels: [1, 0, 0, 0, 1, int(pixels)]),
        ShearX_BBox=warp(lambda slope: [1, slope, 0, 0, 1, 0]),
        ShearY_BBox=warp(lambda slope: [1, 0, 0, slope, 1, 0]),
    )


LIBRARIES = dict(torchvision=of_torchvision, albumentations=of_albumentations, kornia=of_kornia)


def installed(image: np.ndarray, boxes: np.ndarray) -> dict[str, Library]:
    """Of every library that is installed, its operations.

    Args:
        image: ``(H, W, 3)`` uint8.
        boxes: ``(N, 4)`` xyxy, float32.
    """
    found = {}
    for name, make in LIBRARIES.items():
        try:
            found[name] = make(image, boxes)
        except ImportError as error:
            print(f'{name} is not installed ({error}): pip install -r requirements/benchmarks.txt')
    return found


def by_level(**operations: Callable[[float | None], Run]) -> Library:
    """From the magnitudes of our operations."""
    return {
        (op, level): operations[op](None if level is None else ops.get(op).level_to_magnitude(level))
        for op, level in SearchSpace.preset('detection').candidates
        if op in operations
    }
