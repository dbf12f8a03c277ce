"""Operations that change pixel values and move nothing.

Every function takes an image ``(H, W, 3)`` uint8 in BGR order, leaves it as it is and returns a new
one (or the same object, where nothing changes). What depends on a pixel's own value alone is one
look-up in a table of 256 entries.
"""

import cv2
import numpy as np

LEVELS = np.arange(256)
# ITU-R 601-2, in OpenCV's channel order.
GREY_WEIGHTS_BGR = np.array([0.114, 0.587, 0.2989])
SMOOTHING = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
BLURRING = np.pad(np.zeros((3, 3)), 1, constant_values=1) / 16
# cv2 rounds where the reference truncates: half a grey level lower, and a hair up so that whole numbers stay.
TRUNCATE = -0.5 + 1e-3


def _look_up(image: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Map every pixel through ``table``: ``(256,)`` for all channels or ``(256, 3)`` for each its own."""
    table = np.clip(table, 0, 255).astype(np.uint8)
    return cv2.LUT(image, table if table.ndim == 1 else table[:, None, :])


def _histograms(image: np.ndarray) -> np.ndarray:
    """Counts of every grey level, ``(256, 3)``, one column a channel."""
    counts = [cv2.calcHist([image], [channel], None, [256], [0, 256]).ravel() for channel in range(3)]
    return np.stack(counts, axis=1).astype(np.int64)


def identity(image: np.ndarray) -> np.ndarray:
    """Change nothing."""
    return image


def auto_contrast(image: np.ndarray) -> np.ndarray:
    """Stretch every channel's range to [0, 255]; a flat channel stays."""
    low = image.min(axis=(0, 1)).astype(float)
    high = image.max(axis=(0, 1)).astype(float)
    flat = high <= low
    scale = np.where(flat, 1.0, 255.0 / np.where(flat, 1.0, high - low))
    return _look_up(image, (LEVELS[:, None] - np.where(flat, 0.0, low)) * scale)


def equalize(image: np.ndarray) -> np.ndarray:
    """Flatten every channel's histogram as PIL does; a channel with too few grey levels stays."""
    table = np.empty((256, 3))
    for channel, histogram in enumerate(_histograms(image).T):
        occupied = histogram[histogram > 0]
        step = (occupied.sum() - occupied[-1]) // 255
        below = np.cumsum(histogram) - histogram
        table[:, channel] = LEVELS if step == 0 else (below + step // 2) // step
    return _look_up(image, table)


def posterize(image: np.ndarray, bits: int) -> np.ndarray:
    """Keep the ``bits`` high bits of every value; all of them where 8 or more are asked for."""
    return _look_up(image, LEVELS & ~((1 << max(8 - bits, 0)) - 1))


def solarize(image: np.ndarray, threshold: int) -> np.ndarray:
    """Invert the pixels at or above ``threshold`` (0..256); 0 gives the negative."""
    return _look_up(image, np.where(threshold > LEVELS, LEVELS, 255 - LEVELS))


def invert(image: np.ndarray) -> np.ndarray:
    """The negative."""
    return cv2.bitwise_not(image)


def solarize_add(image: np.ndarray, addition: int) -> np.ndarray:
    """Add ``addition`` to the pixels below 128."""
    return _look_up(image, np.where(LEVELS < 128, LEVELS + addition, LEVELS))


def _blend(degenerate: np.ndarray, image: np.ndarray, factor: float) -> np.ndarray:
    """``factor`` 0 gives the degenerate image, 1 the image, more than 1 exaggerates the difference."""
    return cv2.addWeighted(image, factor, degenerate, 1 - factor, TRUNCATE)


def color(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the grey image: one linear map of the three channels, without rounding the grey in between."""
    blend = factor * np.eye(3) + (1 - factor) * GREY_WEIGHTS_BGR
    return cv2.transform(image, np.hstack([blend, np.full((3, 1), TRUNCATE)]))


def contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with a flat image of the mean grey."""
    mean = GREY_WEIGHTS_BGR @ cv2.mean(image)[:3]
    return _look_up(image, mean + factor * (LEVELS - mean))


def brightness(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with black."""
    return _look_up(image, factor * LEVELS)


def _filter(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve; the border, where the kernel does not fit, stays."""
    border = len(kernel) // 2
    result = image.copy()
    inside = (slice(border, image.shape[0] - border), slice(border, image.shape[1] - border))
    if result[inside].size:
        result[inside] = cv2.filter2D(image, -1, kernel)[inside]
    return result


def sharpness(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the smoothed image; the border, where the kernel does not fit, stays."""
    if min(image.shape[:2]) < 3:
        return image
    result = _blend(_filter(image, SMOOTHING), image, factor)
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        result[edge] = image[edge]  # the blend truncates
    return result


def smooth(image: np.ndarray) -> np.ndarray:
    """PIL's ``SMOOTH``: a mean of 3x3 pixels, the middle one five times; the border stays."""
    return _filter(image, SMOOTHING)


def blur(image: np.ndarray) -> np.ndarray:
    """PIL's ``BLUR``: the mean of the rim of 5x5 pixels; a border of two pixels stays."""
    return _filter(image, BLURRING)
