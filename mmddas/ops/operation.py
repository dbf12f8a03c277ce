"""The table of operations, and how one is applied to an image and its boxes.

An operation is a short function and a row of data: how its level becomes a magnitude, whether its sign is random,
whether it acts on the image or on the content of single boxes. What is random is drawn first; what follows is the same
function for pixels, boxes and masks.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from .geometry import FILL, on_edges, warp, warp_boxes

Fill = int | tuple[int, int, int]
"""A grey level, or one of each channel in BGR order."""

Region = tuple[int, int, int, int]
"""x1, y1, x2, y2 in whole pixels, the ends excluded."""

# Ten is the strongest level of the published scales; beyond this one magnitudes leave what functions can compute with.
MAX_LEVEL = 100

INTERPOLATIONS = {'nearest': cv2.INTER_NEAREST, 'bilinear': cv2.INTER_LINEAR}


class Move(NamedTuple):
    """A move of the pixels of ``region`` (None: the image) by ``matrix``, in the region's own indices."""

    matrix: np.ndarray
    region: Region | None


class Options(NamedTuple):
    """Settings that all operations of a policy share.

    Args:
        box_prob: Chance of every box to be acted on, for the ``*_Only_BBoxes`` operations.
        interpolation: ``'nearest'``, as the reference, or ``'bilinear'``, for the warps.
        reference_size: Magnitudes in pixels grow with ``max(H, W) / reference_size``; 0 or None leaves them as the
            reference has them, made for images of about 640 pixels.
    """

    box_prob: float = 1 / 3
    interpolation: str = 'nearest'
    reference_size: int | None = 0


@dataclass(frozen=True)
class Operation:
    """One operation.

    Args:
        name: The name that policies use.
        function: What it does, by ``kind``:

            - ``'colour'``: ``function(image[, magnitude]) -> image``, values only, the input unchanged;
            - ``'affine'``: ``function([magnitude,] [draws,] height, width) -> matrix (2, 3)``, the map from a pixel's
              index (x, y) in the input to its index in the output; boxes and masks move with it. Its arguments alone
              have to determine it: it is called once for the same ones;
            - ``'patch'``: ``function(magnitude, height, width, boxes, rng) -> Region | None``, a rectangle to be
              filled; it may reach beyond the image.
        kind: One of the above.
        level_to_magnitude: What a level (0..10) means; None where the operation has no level.
        signed: The magnitude's sign is drawn with probability 1/2 per image.
        draws: An affine map's function gets so many numbers drawn uniformly from [0, 1), for a place for instance.
        per_box: Acts on the content of every box, as an image of its own, with probability ``box_prob`` each.
            Boxes stay as they are.
        in_pixels: The magnitude is a length in pixels, made for images of about 640 pixels; it stays as it is unless
            a ``reference_size`` is asked for.
        image_size: The magnitude is a length in pixels of an image of this size, always scaled to the image at hand.
        interpolation: How an affine map samples pixels, whatever is asked for; None: as is asked for.
        whole_pixels: Boxes that an affine map moves are truncated to whole pixels first, as Zoph et al.'s are.
        fill: The colour of patches, and of pixels that an affine map leaves uncovered.
        tasks: The search-space families that list it.
    """

    name: str
    function: Callable
    kind: str = 'colour'
    level_to_magnitude: Callable[[float], float] | None = None
    signed: bool = False
    draws: int = 0
    per_box: bool = False
    in_pixels: bool = False
    image_size: int | None = None
    interpolation: str | None = None
    whole_pixels: bool = False
    fill: Fill = FILL
    tasks: tuple[str, ...] = ('detection',)

    def __post_init__(self) -> None:
        for field, known in (('kind', list(_KINDS)), ('interpolation', [None, *INTERPOLATIONS])):
            if getattr(self, field) not in known:
                raise ValueError(
                    f'Operation {self.name!r}: {field} is {getattr(self, field)!r}, expected one of {known}'
                )

    @property
    def takes_level(self) -> bool:
        return self.level_to_magnitude is not None

    @property
    def moves_boxes(self) -> bool:
        return self.kind == 'affine' and not self.per_box

    def check_level(self, level: float | None) -> None:
        """Raise ValueError where ``level`` does not fit the operation."""
        if self.takes_level and not (isinstance(level, (int, float)) and 0 <= level <= MAX_LEVEL):
            raise ValueError(
                f'Operation {self.name!r} needs a level (a number from 0 to {MAX_LEVEL}, usually up to 10), '
                f'got {level!r:.80}'
            )
        if not self.takes_level and level is not None:
            raise ValueError(f'Operation {self.name!r} takes no level, got {level!r:.80}; write None')


OPERATIONS: dict[str, Operation] = {}


def register(*operations: Operation) -> None:
    """Add operations to the table, so that search spaces and policies can name them.

    Raises:
        ValueError: A name is taken.
    """
    for operation in operations:
        if operation.name in OPERATIONS:
            raise ValueError(f'An operation named {operation.name!r} is registered already; choose another name')
        OPERATIONS[operation.name] = operation


def get(name: str) -> Operation:
    """Return the operation of that name; ValueError with the known ones otherwise."""
    if name not in OPERATIONS:
        raise ValueError(
            f'Unknown operation {name!r:.80}. Known: {", ".join(OPERATIONS)}. '
            'Register your own operations with mmddas.ops.register, in every process.'
        )
    return OPERATIONS[name]


def list_ops(task: str = 'detection') -> list[Operation]:
    """List the operations of a task, in the table's order.

    Raises:
        ValueError: No operation belongs to ``task``.
    """
    found = [operation for operation in OPERATIONS.values() if task in operation.tasks]
    if not found:
        known = sorted({task for operation in OPERATIONS.values() for task in operation.tasks})
        raise ValueError(f'No operation belongs to task {task!r}; tasks are {known}')
    return found


def check_candidates(candidates: Iterable) -> None:
    """Raise ValueError at the first candidate whose operation is unknown or whose level does not fit it."""
    for candidate in candidates:
        get(candidate.op).check_level(candidate.level)


_Action = tuple[Operation, tuple[float, ...], np.ndarray, np.random.Generator, int]
"""An operation with its magnitude (or none), boxes, generator, interpolation; a plain tuple, made in a tenth of a named
one's time: operations on small images take 2 to 10 us."""


def _colour(action: _Action, image: np.ndarray) -> tuple[np.ndarray, None]:
    return action[0].function(image, *action[1]), None


@functools.lru_cache(maxsize=1024)
def _matrix(function: Callable, *arguments: float) -> np.ndarray:
    """Return an affine map's matrix; on small images, making it takes as long as moving the pixels."""
    matrix = np.array(function(*arguments), float)
    matrix.flags.writeable = False
    return matrix


def _affine(action: _Action, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    operation, magnitudes, _, rng, interpolation = action
    if operation.draws:
        draws = rng.random(operation.draws).tolist()
        matrix = np.array(operation.function(*magnitudes, *draws, *image.shape[:2]), float)
    else:
        matrix = _matrix(operation.function, *magnitudes, *image.shape[:2])
    return warp(image, matrix, operation.fill, interpolation), matrix


def _patch(action: _Action, image: np.ndarray) -> tuple[np.ndarray, None]:
    operation, magnitudes, boxes, rng, _ = action
    patch = operation.function(*magnitudes, *image.shape[:2], boxes, rng)
    if patch is None:
        return image, None
    x1, y1, x2, y2 = (max(edge, 0) for edge in patch)
    image = image.copy()
    image[y1:y2, x1:x2] = operation.fill
    return image, None


# Each returns the changed image and, where pixels have moved, the matrix.
_KINDS = {'colour': _colour, 'affine': _affine, 'patch': _patch}


def box_region(box: Sequence[float], height: int, width: int) -> Region | None:
    """Return the pixels of a box, its last row and column included as in the reference; None without an area."""
    if box[0] >= box[2] or box[1] >= box[3]:
        return None
    x1, y1 = max(int(box[0]), 0), max(int(box[1]), 0)
    x2, y2 = min(int(box[2]), width - 1) + 1, min(int(box[3]), height - 1) + 1
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def _check(image: np.ndarray, boxes: np.ndarray | None) -> np.ndarray:
    if not (isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3):
        found = f'{image.dtype} {image.shape}' if isinstance(image, np.ndarray) else type(image).__name__
        raise TypeError(f'image must be an array (H, W, 3) of uint8 in BGR order, got {found}')
    if image.size == 0:
        raise ValueError(f'image has no pixels: shape {image.shape}')
    if boxes is None:
        return np.zeros((0, 4), np.float32)
    boxes = np.asarray(boxes, np.float32)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f'boxes must be (N, 4) as x1, y1, x2, y2 in pixels, got shape {boxes.shape}')
    if not np.isfinite(boxes).all():
        raise ValueError('boxes must be finite numbers; drop the annotations that hold NaN or infinity')
    return boxes


def apply_with_moves(
    name: str,
    image: np.ndarray,
    boxes: np.ndarray | None,
    level: float | None,
    rng: np.random.Generator,
    options: Options | tuple[float, str, int | None],
    sign: int | None = None,
) -> tuple[np.ndarray, np.ndarray, list[Move]]:
    """Do as :func:`apply` does; return the moves of pixels too, in order, for whatever else has to follow them."""
    operation = get(name)
    operation.check_level(level)
    boxes = _check(image, boxes)
    box_prob, interpolation, reference_size = options
    height, width = image.shape[:2]

    magnitudes = ()
    if operation.takes_level:
        magnitude = operation.level_to_magnitude(level)
        made_for = operation.image_size or (operation.in_pixels and reference_size)
        if made_for:
            magnitude = int(magnitude * max(height, width) / made_for)
        if operation.signed:
            magnitude *= (-1 if rng.random() < 0.5 else 1) if sign is None else sign
        magnitudes = (magnitude,)
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f'interpolation must be one of {sorted(INTERPOLATIONS)}, got {interpolation!r:.80}')
    act = _KINDS[operation.kind]
    action = operation, magnitudes, boxes, rng, INTERPOLATIONS[operation.interpolation or interpolation]

    if not operation.per_box:
        result, matrix = act(action, image)
        if matrix is None:
            return result, boxes, []
        return result, warp_boxes(boxes, matrix, height, width, operation.whole_pixels), [Move(matrix, None)]

    result, moves = image.copy(), []
    # One draw per box, whether or not it has pixels: which boxes are chosen does not depend on their places.
    for box, chosen in zip(boxes.tolist(), (rng.random(len(boxes)) < box_prob).tolist(), strict=True):
        region = box_region(box, height, width) if chosen else None
        if region is None:
            continue
        x1, y1, x2, y2 = region
        content = result[y1:y2, x1:x2]
        content[:], matrix = act(action, content)
        if matrix is not None:
            moves.append(Move(matrix, region))
    return result, boxes, moves


def apply(
    name: str,
    image: np.ndarray,
    boxes: np.ndarray | None = None,
    *,
    level: float | None = None,
    sign: int | None = None,
    box_prob: float = 1 / 3,
    rng: np.random.Generator | None = None,
    interpolation: str = 'nearest',
    reference_size: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Apply one operation to an image and its boxes.

    Args:
        name: An operation of :func:`list_ops`.
        image: ``(H, W, 3)`` uint8, BGR. Never changed in place.
        boxes: ``(N, 4)`` x1, y1, x2, y2 in pixels; None means none.
        level: 0..10, for the operations that take one; None for the others.
        sign: +1 or -1 forces the random sign of a signed operation.
        rng: Where all randomness comes from; a fresh one if None.
        box_prob, interpolation, reference_size: See :class:`Options`.

    Returns:
        The image, uint8 of the same shape (the same object where nothing changed), and the boxes as float32,
        ``(N, 4)``, same order and count, clipped by an operation that moves them; a vanished box has no area.

    Raises:
        ValueError: Unknown operation, a level that does not fit it, boxes that are not ``(N, 4)`` or not finite.
        TypeError: An image that is not ``(H, W, 3)`` uint8.

    Source: Zoph et al., Learning Data Augmentation Strategies for Object Detection, appendix.
    """
    rng = np.random.default_rng() if rng is None else rng
    options = box_prob, interpolation, reference_size  # a plain tuple, as above
    result, boxes, _ = apply_with_moves(name, image, boxes, level, rng, options, sign)
    return result, boxes


def move_mask(mask: np.ndarray, *moves: Move, fill: int = 0) -> np.ndarray:
    """Move a mask or label map ``(H, W)`` as the image was moved; uncovered pixels become ``fill``."""
    for matrix, region in moves:
        if region is None:
            mask = warp(mask, matrix, fill)
        else:
            x1, y1, x2, y2 = region
            content = warp(np.ascontiguousarray(mask[y1:y2, x1:x2]), matrix, fill)
            mask = mask.copy()
            mask[y1:y2, x1:x2] = content
    return mask


def homography(move: Move) -> np.ndarray:
    """Return a move of the image as a ``(3, 3)`` matrix on pixel-edge coordinates, MMDetection's convention."""
    return np.vstack([on_edges(move.matrix), [0.0, 0.0, 1.0]])
