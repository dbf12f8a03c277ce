"""Images of any size and layout in memory, and boxes anywhere."""

import numpy as np

GUARD = 3  # pixels around an image that must stay as they are


def any_image(rng: np.random.Generator, height: int, width: int, layout: str) -> tuple[np.ndarray, np.ndarray]:
    """An image, and the larger array that it is a part of."""
    step = 2 if layout == 'strided' else 1
    shape = (height * step + 2 * GUARD, width * step + 2 * GUARD, 3)
    whole = rng.integers(0, 256, shape, dtype=np.uint8)
    if rng.random() < 0.2:
        whole[:] = rng.integers(0, 256)  # of one colour
    image = whole[GUARD : GUARD + height * step : step, GUARD : GUARD + width * step : step]
    if layout == 'reversed':
        image = image[::-1, ::-1, ::-1]
    if layout == 'transposed':
        image = image.transpose(1, 0, 2)
    return (np.ascontiguousarray(image), whole) if layout == 'contiguous' else (image, whole)


def any_boxes(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Inside and outside the image, whole and fractional, without area, with their corners exchanged."""
    boxes = rng.uniform(-0.5, 1.5, (rng.integers(0, 6), 4)) * [width, height, width, height]
    if rng.random() < 0.5:
        boxes = np.sort(boxes.reshape(-1, 2, 2), axis=1).reshape(-1, 4)
    if rng.random() < 0.3:
        boxes = np.round(boxes)
    if len(boxes) and rng.random() < 0.2:
        boxes[0, 2:] = boxes[0, :2]
    if len(boxes) and rng.random() < 0.1:
        boxes[-1] *= 1e6
    return boxes.astype(np.float32)
