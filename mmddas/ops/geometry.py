"""Operations that move content: affine maps of pixels, boxes, masks and points.

A map is a matrix ``(2, 3)`` from a pixel's index (x, y) in the input to its index in the output.
Boxes live on pixel *edges* (pixel i covers [i, i + 1)), half a pixel off the indices, so that a box
moves exactly as the pixels it holds.
"""

import functools
import math
from typing import NamedTuple

import cv2
import numpy as np

FILL = 128
# OpenCV's warps address pixels by 16-bit numbers.
LONGEST = 32766
# Horizontal shears of images of this many values and more go row by row, which takes a quarter of a warp's time on
# 800 x 1333 pixels, and more than that on small images.
MANY_VALUES = 3 * 256 * 256
# Binary places of coordinates in OpenCV's warps.
PLACES = 10
# A sheared sample often lies half-way between two pixels, where the reference's float32 sums fall either way.
# A slope steeper by a hair takes its side more often than not.
TIE_BREAK = 1 + 1e-5


def rotation(degrees: float, height: int, width: int) -> np.ndarray:
    """Rotate counter-clockwise about the image centre."""
    return cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)


def shift_x(pixels: float, height: int, width: int) -> np.ndarray:
    """Shift to the left by whole pixels."""
    return np.array([[1.0, 0.0, -int(pixels)], [0.0, 1.0, 0.0]])


def shift_y(pixels: float, height: int, width: int) -> np.ndarray:
    """Shift upwards by whole pixels."""
    return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, -int(pixels)]])


def shift_x_share(share: float, height: int, width: int) -> np.ndarray:
    """Shift to the left by a share of the width, to the nearest whole pixel."""
    return shift_x(math.floor(share * width + 0.5), height, width)


def shift_y_share(share: float, height: int, width: int) -> np.ndarray:
    """Shift upwards by a share of the height, to the nearest whole pixel."""
    return shift_y(math.floor(share * height + 0.5), height, width)


def shear_x(slope: float, height: int, width: int) -> np.ndarray:
    """Move row y by ``-slope * y``; the top-left corner stays."""
    return np.array([[1.0, -slope * TIE_BREAK, 0.0], [0.0, 1.0, 0.0]])


def shear_y(slope: float, height: int, width: int) -> np.ndarray:
    """Move column x by ``-slope * x``; the top-left corner stays."""
    return np.array([[1.0, 0.0, 0.0], [-slope * TIE_BREAK, 1.0, 0.0]])


def flip_x(height: int, width: int) -> np.ndarray:
    """Exchange left and right."""
    return np.array([[-1.0, 0.0, width - 1], [0.0, 1.0, 0.0]])


def flip_y(height: int, width: int) -> np.ndarray:
    """Exchange top and bottom."""
    return np.array([[1.0, 0.0, 0.0], [0.0, -1.0, height - 1]])


def quarter_turn(height: int, width: int) -> np.ndarray:
    """Rotate counter-clockwise by 90 degrees about the image centre; a square image keeps all its pixels."""
    return np.array([[0.0, 1.0, (width - height) / 2], [-1.0, 0.0, (width + height) / 2 - 1]])


def zoom(factor: float, right: float, down: float, height: int, width: int) -> np.ndarray:
    """Zoom by ``factor``; ``right`` and ``down``, 0 to 1, place the smaller image in the frame, or the frame in it."""
    # On pixel edges the image begins at (1 - factor) times a share of the frame, and indices lie half a pixel off.
    half = (factor - 1) / 2
    return np.array(
        [[factor, 0.0, (1 - factor) * right * width + half], [0.0, factor, (1 - factor) * down * height + half]]
    )


def _corner_shear(slope: float) -> tuple[float, float]:
    """Return the slope and the offset at the first pixel, rounded to 16 binary places as PIL's.

    A sample often lies half-way between two pixels; PIL's last place decides then. cv2 has 10 places: a bit less than
    half of its last one keeps the decision.
    """
    places = 1 << 16
    rounded, start = (math.floor(value * places + 0.5) / places for value in (slope, 0.5 + slope / 2))
    return rounded, start - 0.5 - 0.99 / (1 << 11)


def corner_shear_x(slope: float, height: int, width: int) -> np.ndarray:
    """Do as :func:`shear_x` does, about the corner of the first pixel as PIL, not about its centre."""
    slope, start = _corner_shear(slope)
    return np.array([[1.0, -slope, -start], [0.0, 1.0, 0.0]])


def corner_shear_y(slope: float, height: int, width: int) -> np.ndarray:
    """Do as :func:`shear_y` does, about the corner of the first pixel as PIL, not about its centre."""
    slope, start = _corner_shear(slope)
    return np.array([[1.0, 0.0, 0.0], [-slope, 1.0, -start]])


def warp(
    image: np.ndarray,
    matrix: np.ndarray,
    fill: int | tuple[int, int, int] = FILL,
    interpolation: int = cv2.INTER_NEAREST,
) -> np.ndarray:
    """Move the pixels of an image or mask ``(H, W[, C])``; uncovered ones become ``fill``.

    Raises:
        ValueError: It is longer than OpenCV can warp.
    """
    height, width = image.shape[:2]
    if max(height, width) > LONGEST:
        raise ValueError(f'images to be warped may have at most {LONGEST} pixels a side, got {height} x {width} pixels')
    fill = fill if isinstance(fill, tuple) else (fill,) * 4
    (*row_x, right), (*row_y, down) = matrix.tolist()
    whole = row_x == [1, 0] and row_y == [0, 1] and right.is_integer() and down.is_integer()
    if whole and abs(right) < width and abs(down) < height:
        return _shifted(image, int(right), int(down), fill)
    along_rows = row_x[0] == 1 and row_y == [0, 1] and down == 0
    if along_rows and interpolation == cv2.INTER_NEAREST and image.size >= MANY_VALUES:
        return _sheared(image, row_x[1], right, fill)
    return cv2.warpAffine(
        image, matrix, (width, height), flags=interpolation, borderMode=cv2.BORDER_CONSTANT, borderValue=fill
    )


def _shifted(image: np.ndarray, right: int, down: int, fill: tuple[int, ...]) -> np.ndarray:
    """Shift by whole pixels, in a tenth of the time of :func:`cv2.warpAffine`, with its result."""
    left, right, top, bottom = max(right, 0), max(-right, 0), max(down, 0), max(-down, 0)
    height, width = image.shape[:2]
    kept = image[bottom : height - top, right : width - left]
    return cv2.copyMakeBorder(kept, top, bottom, left, right, cv2.BORDER_CONSTANT, value=fill)


def _sheared(image: np.ndarray, slope: float, right: float, fill: tuple[int, ...]) -> np.ndarray:
    """Move row y by ``slope * y + right``, to the nearest pixel, with the result of :func:`cv2.warpAffine`."""
    places = np.rint((-slope * np.arange(len(image)) - right) * (1 << PLACES)).astype(np.int64)
    width, filling = image.shape[1], fill[: image.shape[2]] if image.ndim == 3 else fill[:1]
    if image.dtype.kind in 'iu':  # as OpenCV takes numbers that the image cannot hold
        limits = np.iinfo(image.dtype)
        filling = tuple(min(max(value, limits.min), limits.max) for value in filling)
    if len({*filling}) == 1:
        filling = filling[0]  # NumPy fills with one number faster than with three that are the same
    starts = (places + (1 << PLACES - 1)) >> PLACES  # where in the image each row's first pixel comes from
    starts = np.minimum(np.maximum(starts, -width), width)
    result = np.empty_like(image, order='C')
    # Rows that move alike go together.
    ends, begin = np.flatnonzero(np.diff(starts, append=width + 1)) + 1, 0
    for end, start in zip(ends.tolist(), starts[ends - 1].tolist(), strict=True):
        if start >= 0:
            result[begin:end, : width - start] = image[begin:end, start:]
            result[begin:end, width - start :] = filling
        else:
            result[begin:end, -start:] = image[begin:end, :start]
            result[begin:end, :-start] = filling
        begin = end
    return result


def on_edges(matrix: np.ndarray) -> np.ndarray:
    """Return the same map for coordinates on pixel edges, as boxes, polygons and homographies have them."""
    (a, b, right), (c, d, down) = matrix.tolist()
    return np.array([[a, b, right + 0.5 - (a + b) / 2], [c, d, down + 0.5 - (c + d) / 2]])


class _BoxMap(NamedTuple):
    """An affine map of boxes: their envelopes are ``linear @ box + offset``."""

    linear: np.ndarray  # (4, 4)
    offset: np.ndarray  # (4,)
    fixed_point: np.ndarray | None  # (2,), that truncated ends are whole pixels away from; None: a shift has none


@functools.lru_cache(maxsize=1024)
def _box_map(*matrix: float) -> _BoxMap:
    edges = on_edges(np.reshape(matrix, (2, 3)))
    linear, offset = edges[:, :2], edges[:, 2]
    # Of a box's four corners, the one that goes farthest is told by the signs of the coefficients.
    positive, negative = np.maximum(linear, 0), np.minimum(linear, 0)
    fixed_point = None
    if linear.tolist() != [[1, 0], [0, 1]]:
        # A shear has more than one fixed point; the top-left corner is the one that counts.
        to_fixed = np.eye(2) - linear
        fixed_point = np.linalg.solve(to_fixed, offset) if abs(np.linalg.det(to_fixed)) > 1e-9 else np.zeros(2)
    return _BoxMap(np.block([[positive, negative], [negative, positive]]), np.tile(offset, 2), fixed_point)


def warp_boxes(
    boxes: np.ndarray, matrix: np.ndarray, height: int, width: int, whole_pixels: bool = False
) -> np.ndarray:
    """Return envelopes ``(N, 4)`` of the moved boxes' four corners, clipped to the image.

    With ``whole_pixels`` boxes are truncated before an operation that turns or shears, as the reference does.
    """
    if len(boxes) == 0:
        return boxes
    linear, offset, fixed_point = _box_map(*matrix.ravel().tolist())
    ends = np.sort(boxes.astype(np.float64).reshape(-1, 2, 2), axis=1)  # (N, low and high, x and y)
    if whole_pixels and fixed_point is not None:
        # Towards the fixed point. Rounded first: a box that ends a whole number of
        # pixels away stays whole, whatever the last binary place says.
        ends = fixed_point + np.trunc(np.round(ends - fixed_point, 6))
    envelopes = ends.reshape(-1, 4) @ linear.T + offset
    return envelopes.clip(0, (width, height, width, height)).astype(np.float32)
