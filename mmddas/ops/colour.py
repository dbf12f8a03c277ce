"""Operations that change pixel values and move nothing.

Every function takes an image ``(H, W, 3)`` uint8 in BGR order, leaves it as it is and returns a new
one (or the same object, where nothing changes).
"""

import functools
from collections.abc import Sequence

import cv2
import numpy as np

LEVELS = np.arange(256)
# ITU-R 601-2, in OpenCV's channel order.
GREY_WEIGHTS_BGR = (0.114, 0.587, 0.2989)
# cv2 rounds where the reference truncates: half a grey level lower, and a hair up so that whole numbers stay.
TRUNCATE = -0.5 + 1e-3


def _as_bytes(table: np.ndarray) -> np.ndarray:
    return np.minimum(np.maximum(table, 0), 255).astype(np.uint8)


def identity(image: np.ndarray) -> np.ndarray:
    """Change nothing."""
    return image


def _look_up_each(image: np.ndarray, tables: Sequence[np.ndarray]) -> np.ndarray:
    """Map each channel through its table ``(256,)``."""
    return cv2.LUT(image, _as_bytes(np.stack(tables, axis=1))[:, None, :])


def auto_contrast(image: np.ndarray) -> np.ndarray:
    """Stretch every channel's range to [0, 255]; a flat channel stays."""
    # Over rows first: NumPy takes both axes at once a hundred times slower.
    low, high = image.min(axis=0).min(axis=0).tolist(), image.max(axis=0).max(axis=0).tolist()
    tables = [(LEVELS - a) * (255.0 / (b - a)) if a < b else LEVELS for a, b in zip(low, high, strict=True)]
    return _look_up_each(image, tables)


def equalize(image: np.ndarray) -> np.ndarray:
    """Flatten every channel's histogram as PIL does; a channel with too few grey levels stays."""
    tables = []
    for channel in range(3):
        histogram = cv2.calcHist([image], [channel], None, [256], [0, 256]).ravel().astype(np.int64)
        up_to = histogram.cumsum()
        brightest = histogram[up_to.searchsorted(up_to[-1])]
        step = int(up_to[-1] - brightest) // 255
        tables.append(LEVELS if step == 0 else (up_to - histogram + step // 2) // step)
    return _look_up_each(image, tables)


def posterize(image: np.ndarray, bits: int) -> np.ndarray:
    """Keep the ``bits`` high bits of every value; all of them where 8 or more are asked for."""
    return image & np.uint8(256 - (1 << max(8 - bits, 0)))


def solarize(image: np.ndarray, threshold: int) -> np.ndarray:
    """Invert the pixels at or above ``threshold`` (0..256); 0 gives the negative."""
    # The negative of a value has its other bits.
    _, mask = cv2.threshold(image, threshold - 1, 255, cv2.THRESH_BINARY)
    return cv2.bitwise_xor(image, mask, dst=mask)


def solarize_add(image: np.ndarray, addition: int) -> np.ndarray:
    """Add ``addition`` to the pixels below 128."""
    _, added = cv2.threshold(image, 127, min(addition, 255), cv2.THRESH_BINARY_INV)
    return cv2.add(image, added)


def invert(image: np.ndarray) -> np.ndarray:
    """Make the negative."""
    return np.invert(image)


def color(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the grey image: one linear map of the three channels, without rounding the grey in between."""
    return cv2.transform(image, _blend_with_grey(factor))


@functools.lru_cache(maxsize=256)
def _blend_with_grey(factor: float) -> np.ndarray:
    blend = factor * np.eye(3) + (1 - factor) * np.array(GREY_WEIGHTS_BGR)
    return np.hstack([blend, np.full((3, 1), TRUNCATE)])


def _blend_with_flat(image: np.ndarray, factor: float, grey: float) -> np.ndarray:
    """Blend with an image of one ``grey``, which need not be made."""
    return cv2.addWeighted(image, factor, image, 0, (1 - factor) * grey + TRUNCATE)


def contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with a flat image of the mean grey."""
    grey = sum(weight * total for weight, total in zip(GREY_WEIGHTS_BGR, cv2.sumElems(image), strict=False))
    return _blend_with_flat(image, factor, grey / (image.shape[0] * image.shape[1]))


def brightness(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with black."""
    return _blend_with_flat(image, factor, 0)


def _keep_rim(result: np.ndarray, image: np.ndarray, pixels: int) -> np.ndarray:
    """Put the outermost pixels of ``image`` back into ``result``."""
    for rim in (np.s_[:pixels], np.s_[-pixels:], np.s_[:, :pixels], np.s_[:, -pixels:]):
        result[rim] = image[rim]
    return result


def _sum_of(image: np.ndarray, size: int) -> np.ndarray:
    """Sum ``size`` x ``size`` pixels about each, uint16."""
    return cv2.boxFilter(image, cv2.CV_16U, (size, size), normalize=False)


def sharpness(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the smoothed image; the border, where the kernel does not fit, stays."""
    # The smoothed image, that of :func:`smooth`, is 4/13 of the image and 1/13 of the sum; it need not be made.
    rest = (1 - factor) / 13
    blend = cv2.addWeighted(image, factor + 4 * rest, _sum_of(image, 3), rest, TRUNCATE, dtype=cv2.CV_8U)
    return _keep_rim(blend, image, 1)


def smooth(image: np.ndarray) -> np.ndarray:
    """Take the mean of 3x3 pixels, the middle one five times, as PIL's ``SMOOTH``; the border stays."""
    return _keep_rim(cv2.addWeighted(image, 4 / 13, _sum_of(image, 3), 1 / 13, 0, dtype=cv2.CV_8U), image, 1)


def blur(image: np.ndarray) -> np.ndarray:
    """Take the mean of the rim of 5x5 pixels, as PIL's ``BLUR``; a border of two pixels stays."""
    rim = cv2.addWeighted(_sum_of(image, 5), 1 / 16, _sum_of(image, 3), -1 / 16, 0, dtype=cv2.CV_8U)
    return _keep_rim(rim, image, 2)
