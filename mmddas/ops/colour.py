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
    table = np.minimum(np.maximum(table, 0), 255).astype(np.uint8)
    return cv2.LUT(image, table if table.ndim == 1 else table[:, None, :])


def _ranges(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest value of every channel, ``(3,)`` each."""
    # Over rows first: NumPy takes both axes at once a hundred times slower.
    return image.min(axis=0).min(axis=0), image.max(axis=0).max(axis=0)


def identity(image: np.ndarray) -> np.ndarray:
    """Change nothing."""
    return image


def auto_contrast(image: np.ndarray) -> np.ndarray:
    """Stretch every channel's range to [0, 255]; a flat channel stays."""
    low, high = (values.astype(float) for values in _ranges(image))
    flat = high <= low
    low[flat], high[flat] = 0.0, 255.0
    return _look_up(image, (LEVELS[:, None] - low) * (255.0 / (high - low)))


def equalize(image: np.ndarray) -> np.ndarray:
    """Flatten every channel's histogram as PIL does; a channel with too few grey levels stays."""
    channels = range(3)
    counts = [cv2.calcHist([image], [channel], None, [256], [0, 256]) for channel in channels]
    histograms = np.hstack(counts).astype(np.int64)  # (256, 3)
    at_or_below = histograms.cumsum(axis=0)
    _, high = _ranges(image)
    step = (at_or_below[-1] - histograms[high, channels]) // 255
    table = (at_or_below - histograms + step // 2) // np.maximum(step, 1)
    return _look_up(image, np.where(step == 0, LEVELS[:, None], table))


def posterize(image: np.ndarray, bits: int) -> np.ndarray:
    """Keep the ``bits`` high bits of every value; all of them where 8 or more are asked for."""
    return _look_up(image, LEVELS & ~((1 << max(8 - bits, 0)) - 1))


def solarize(image: np.ndarray, threshold: int) -> np.ndarray:
    """Invert the pixels at or above ``threshold`` (0..256); 0 gives the negative."""
    return _look_up(image, np.where(threshold > LEVELS, LEVELS, 255 - LEVELS))


def invert(image: np.ndarray) -> np.ndarray:
    """The negative."""
    return np.invert(image)


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
    mean = GREY_WEIGHTS_BGR @ cv2.sumElems(image)[:3] / (image.shape[0] * image.shape[1])
    return _look_up(image, mean + factor * (LEVELS - mean))


def brightness(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with black."""
    return _look_up(image, factor * LEVELS)


def _keep_rim(result: np.ndarray, image: np.ndarray, pixels: int) -> np.ndarray:
    """Put the outermost pixels of ``image`` back into ``result``."""
    for rim in (np.s_[:pixels], np.s_[-pixels:], np.s_[:, :pixels], np.s_[:, -pixels:]):
        result[rim] = image[rim]
    return result


def sharpness(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the smoothed image; the border, where the kernel does not fit, stays."""
    return _keep_rim(_blend(cv2.filter2D(image, -1, SMOOTHING), image, factor), image, 1)


def smooth(image: np.ndarray) -> np.ndarray:
    """PIL's ``SMOOTH``: a mean of 3x3 pixels, the middle one five times; the border stays."""
    return _keep_rim(cv2.filter2D(image, -1, SMOOTHING), image, 1)


def blur(image: np.ndarray) -> np.ndarray:
    """PIL's ``BLUR``: the mean of the rim of 5x5 pixels; a border of two pixels stays."""
    return _keep_rim(cv2.filter2D(image, -1, BLURRING), image, 2)
