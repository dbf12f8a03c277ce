"""Operations of other libraries, of the kind and strength of those of ``detection``, for ``operations.py``.

Each works on what its library likes best: torchvision on uint8 tensors, Albumentations on uint8 arrays, Kornia on
float tensors ``(1, 3, H, W)``; making these of an image is not part of what is measured. Warps take the nearest pixel,
move the boxes with the image, and go one way every time.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch

from mmddas import ops

GREY = 128
Run = Callable[[], object]
# By operation: from its magnitude to what is measured, which returns the image, or image and boxes.
Library = dict[str, Callable[[float], Run]]


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

    return dict(
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

    labels = [0] * len(boxes)
    numbers = boxes.tolist()
    same = dict(brightness=(1, 1), contrast=(1, 1), saturation=(1, 1), hue=(0, 0))

    def colour(make: Callable[[float], object]) -> Callable[[float], Run]:
        def at(magnitude: float) -> Run:
            transform = make(magnitude)
            return lambda: transform(image=image)['image']

        return at

    def jitter(name: str) -> Callable[[float], Run]:
        return colour(lambda factor: albumentations.ColorJitter(**same | {name: (factor, factor)}, p=1))

    def warp(make: Callable[[float], dict]) -> Callable[[float], Run]:
        def at(magnitude: float) -> Run:
            settings = dict(interpolation=cv2.INTER_NEAREST, fill=GREY, p=1) | make(magnitude)
            params = albumentations.BboxParams('pascal_voc', label_fields=['labels'])
            transform = albumentations.Compose([albumentations.Affine(**settings)], bbox_params=params)

            def run() -> tuple:
                found = transform(image=image, bboxes=numbers, labels=labels)
                return found['image'], found['bboxes']

            return run

        return at

    def cutout(half: int) -> object:
        size = (2 * half, 2 * half)
        return albumentations.CoarseDropout(
            num_holes_range=(1, 1), hole_height_range=size, hole_width_range=size, fill=GREY, p=1
        )

    def degrees(slope: float) -> tuple[float, float]:
        return (float(np.degrees(np.arctan(slope))),) * 2

    return dict(
        AutoContrast=colour(lambda _: albumentations.AutoContrast(method='pil', p=1)),
        Equalize=colour(lambda _: albumentations.Equalize(mode='pil', p=1)),
        Posterize=colour(lambda bits: albumentations.Posterize(num_bits=bits, p=1)),
        Solarize=colour(lambda threshold: albumentations.Solarize(threshold_range=(threshold / 255,) * 2, p=1)),
        Color=jitter('saturation'),
        Contrast=jitter('contrast'),
        Brightness=jitter('brightness'),
        Cutout=colour(cutout),
        Rotate_BBox=warp(lambda degrees: dict(rotate=(degrees, degrees))),
        TranslateX_BBox=warp(lambda pixels: dict(translate_px=dict(x=(int(pixels),) * 2, y=(0, 0)))),
        TranslateY_BBox=warp(lambda pixels: dict(translate_px=dict(x=(0, 0), y=(int(pixels),) * 2))),
        ShearX_BBox=warp(lambda slope: dict(shear=dict(x=degrees(slope), y=(0, 0)))),
        ShearY_BBox=warp(lambda slope: dict(shear=dict(x=(0, 0), y=degrees(slope)))),
    )


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
    return dict(
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


def installed(image: np.ndarray, boxes: np.ndarray) -> dict[str, dict[tuple[str, float | None], Run]]:
    """Of every library that is installed: by operation and level of ``detection``, what is measured.

    Args:
        image: ``(H, W, 3)`` uint8.
        boxes: ``(N, 4)`` xyxy, float32.
    """
    found = {}
    for name, make in LIBRARIES.items():
        try:
            library = make(image, boxes)
        except ImportError as error:
            print(f'{name} is not installed ({error}): pip install -r requirements/benchmarks.txt')
            continue
        found[name] = {(op, level): at(magnitude(op, level)) for op, at in library.items() for level in levels(op)}
    return found


def levels(op: str) -> tuple[float | None, ...]:
    return (2, 4, 6, 8, 10) if ops.get(op).takes_level else (None,)


def magnitude(op: str, level: float | None) -> float | None:
    return None if level is None else ops.get(op).level_to_magnitude(level)
