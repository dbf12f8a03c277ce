"""Checks of a pipeline's samples, before operations work on them."""

import math

import numpy as np


def as_bytes(image: np.ndarray) -> np.ndarray | None:
    """Return an image as uint8, itself if it is one; None where that would change a value.

    ``LoadImageFromFile(to_float32=True)`` and MMDetection's ``CopyPaste`` give out the same numbers in another type.
    """
    if image.dtype == np.uint8 or image.dtype.kind not in 'if':
        return image if image.dtype == np.uint8 else None
    with np.errstate(invalid='ignore'):  # not a number, or too large: it is another one then
        found = image.astype(np.uint8)
    return found if np.array_equal(found, image) else None


def check_sample(results: dict) -> None:
    """Raise ValueError unless operations can work on a sample of a pipeline, LookupError where it has no image.

    Its image has to be ``(H, W, 3)`` and not empty, of uint8 or of whole numbers from 0 to 255 in signed integers or
    floats; its boxes, if it has any, made of finite numbers.
    """
    if 'img' not in results:
        raise LookupError(
            'there is no image yet: put DDASAugment after the transform that loads it (LoadImageFromFile, ...)'
        )
    image = results['img']
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or as_bytes(image) is None:
        found = f'{image.dtype} {image.shape}' if isinstance(image, np.ndarray) else type(image).__name__
        floats = isinstance(image, np.ndarray) and image.dtype.kind == 'f'
        advice = (
            'put DDASAugment before transforms that change its values (PhotoMetricDistortion, Normalize, ...)'
            if floats
            else 'load it with color_type="color"'
        )
        raise ValueError(f'expected an image (H, W, 3) of uint8, found {found}; {advice}')
    if image.size == 0:
        raise ValueError(f'the image has no pixels: shape {image.shape}')
    if 'gt_bboxes' in results:
        check_boxes(results['gt_bboxes'])


def check_boxes(boxes: object) -> None:
    """Raise ValueError where one of ``boxes``, an array, a tensor or MMDetection's, is not made of finite numbers."""
    boxes = getattr(boxes, 'tensor', boxes)
    # In plain Python, since between transforms the first call into NumPy or PyTorch takes longer than a hundred boxes.
    if not all(map(math.isfinite, boxes.flatten().tolist())):
        bad = next(box for box in boxes.tolist() if not all(map(math.isfinite, box)))
        raise ValueError(f'a box is not made of finite numbers: {bad}')
