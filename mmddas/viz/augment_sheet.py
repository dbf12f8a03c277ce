"""Draw contact sheets: an image under every operation, and samples of a data set under a policy."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mmddas import ops
from mmddas.datasets.augment import boxes_as_array
from mmddas.datasets.search import seeded
from mmddas.datasets.search.pipelines import SplitPoint
from mmddas.datasets.walk import augments_within, inner_datasets, transforms_of
from mmddas.files import atomic_path

DEFAULT_LEVELS = (2, 6, 10)
# Okabe and Ito's colours as BGR, for boxes in turn (by label where there are labels).
BOX_COLOURS = ((0, 159, 230), (233, 180, 86), (115, 158, 0), (66, 228, 240), (0, 94, 213), (167, 121, 204))
PAPER, INK = (255, 255, 255), (40, 40, 40)
CELL_WIDTH, SAMPLE_WIDTH, MAX_CELL_HEIGHT, GAP = 200, 280, 300, 4
FONT, FONT_SCALE, LINE = cv2.FONT_HERSHEY_SIMPLEX, 0.42, 16
# Sheets taller than this many rows continue in a second block at the right.
ROWS_PER_BLOCK = 14
BLOCK_GAP = 24


def operation_sheet(
    image: np.ndarray,
    boxes: np.ndarray | None = None,
    task: str = 'detection',
    levels: Sequence[float] = DEFAULT_LEVELS,
    seed: int = 0,
) -> np.ndarray:
    """Draw an image under every operation of a task: the image, operations without levels, then a row per operation.

    Columns are levels. Signed operations have a row for each sign. The ``*_Only_BBoxes`` operations act on every box
    here. Random places are the same in a row.

    Args:
        image: ``(H, W, 3)`` uint8 BGR; stays as it is.
        boxes: ``(N, 4)`` xyxy in pixels; each keeps its colour.
        task: Whose operations, see :func:`mmddas.ops.list_ops`.
        levels: The columns.
        seed: Same seed, same sheet.

    Returns:
        The sheet, uint8 BGR.

    Raises:
        ValueError: There are no levels, or the task is unknown.
    """
    if len(levels) == 0:
        raise ValueError('operation_sheet needs at least one level, got none')
    boxes = np.zeros((0, 4), np.float32) if boxes is None else boxes
    single, rows = [_cell(image, boxes, 'original', lines=2)], []
    for number, operation in enumerate(ops.list_ops(task)):
        for sign in (1, -1) if operation.signed else (None,):
            cells = []
            for level in levels if operation.takes_level else (None,):
                result, moved = ops.apply(
                    operation.name,
                    image,
                    boxes,
                    level=level,
                    sign=sign,
                    box_prob=1.0,
                    rng=np.random.default_rng((seed, number)),
                )
                name = '' if cells else operation.name + {1: ' +', -1: ' -', None: ''}[sign]
                cells.append(_cell(result, moved, name + ('' if level is None else f'\nlevel {level:g}'), lines=2))
            if operation.takes_level:
                rows.append(_row(cells, len(levels)))
            else:
                single += cells
    rows = [_row(single[i : i + len(levels)], len(levels)) for i in range(0, len(single), len(levels))] + rows
    return _blocks(rows)


def sample_sheet(samples: Sequence[dict], columns: int) -> np.ndarray:
    """Draw samples of a pipeline in a grid, row by row.

    Args:
        samples: Dicts with ``img`` ``(H, W, 3)`` uint8 BGR. Optional: ``gt_bboxes`` (an array or MMDetection's boxes),
            ``gt_bboxes_labels``, which colour the boxes, and ``title``, lines of text.
        columns: Samples in a row.

    Returns:
        The sheet, uint8 BGR.

    Raises:
        ValueError: There are no samples, or ``columns`` is below 1.
    """
    if not samples or columns < 1:
        raise ValueError(f'sample_sheet needs samples and at least one column, got {len(samples)} and {columns!r}')
    lines = max(_lines(sample.get('title', '')) for sample in samples)
    cells = [
        _cell(
            sample['img'],
            _as_array(sample.get('gt_bboxes')),
            sample.get('title', ''),
            sample.get('gt_bboxes_labels'),
            SAMPLE_WIDTH,
            lines,
        )
        for sample in samples
    ]
    width, height = max(cell.shape[1] for cell in cells), max(cell.shape[0] for cell in cells)
    cells = [_padded(cell, width, height) for cell in cells]
    cells += [_paper(width, height)] * (-len(cells) % columns)
    return np.vstack([np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)])


def policy_sheet(dataset: object, num: int = 8, draws: int = 4, seed: int = 0) -> np.ndarray:
    """Draw samples of a data set under its policy: a row per image, first the original, then augmented ones.

    Every draw is augmented, whatever p_tp: it shows a sub-policy from p_o, named above it.

    Args:
        dataset: A data set, or a wrapper, with DDASAugment in its pipeline. Its pipelines are cut there, so
            do not use it afterwards.
        num: Images, drawn at random.
        draws: Augmented versions of each.
        seed: Same seed, same sheet.

    Returns:
        The sheet, uint8 BGR.

    Raises:
        ValueError: There is no DDASAugment, or it is within another transform; the data set is empty; or ``num`` or
            ``draws`` is below 1.
    """
    if num < 1 or draws < 1:
        raise ValueError(f'policy_sheet needs num and draws of at least 1, got {num!r} and {draws!r}')
    if len(dataset) == 0:
        raise ValueError('The data set has no samples: check its annotations and its filters (filter_cfg)')
    _cut_pipelines(dataset)
    indices = np.random.default_rng(seed).permutation(len(dataset))[:num].tolist()
    samples = [sample for index in indices for sample in _drawn_samples(dataset, index, draws, seed)]
    return sample_sheet(samples, draws + 1)


def _cut_pipelines(dataset: object) -> None:
    """Cut every pipeline at its DDASAugment; transforms of outer data sets come after it, and go too."""
    transforms = transforms_of(dataset)
    found = list(augments_within(transforms))
    if not found:
        children = inner_datasets(dataset)
        if not children:
            raise ValueError(f"The pipeline of {type(dataset).__name__} has no dict(type='DDASAugment', policy=...)")
        for child in children:
            _cut_pipelines(child)
        transforms.clear()
        return
    if found[0] not in transforms:
        raise ValueError('DDASAugment must be a step of the pipeline itself, not within another transform')
    transforms[transforms.index(found[0]) :] = [SplitPoint(found[0], suffix=[])]


def _drawn_samples(dataset: object, index: int, draws: int, seed: int) -> list[dict]:
    """Load a sample as the policy gets it, and augment it ``draws`` times."""
    with seeded(seed, index):
        original = dataset[index]
    augment = original.pop(SplitPoint.KEY).augment
    augment.check(original)
    samples = [
        dict(original, img=augment.shown(original['img']), title=Path(original.get('img_path', f'sample {index}')).name)
    ]
    for draw in range(draws):
        rng = np.random.default_rng((seed, index, draw))
        sub_policy = augment.draw(augment.snapshot, rng)
        sample = augment.augment(copy.deepcopy(original), sub_policy, rng)
        samples.append(dict(sample, img=augment.shown(sample['img']), title='\n'.join(map(str, sub_policy))))
    return samples


def write_image(image: np.ndarray, path: str | os.PathLike) -> None:
    """Write an image atomically; the suffix gives the format.

    Raises:
        ValueError: OpenCV does not know the format, or the image is too large for it.
    """
    suffix = Path(path).suffix
    if not suffix or not cv2.haveImageWriter(f'image{suffix}'):
        raise ValueError(f'{str(path)!r}: the suffix gives the format; try .png or .jpg')
    with atomic_path(path) as temporary:
        written, content = cv2.imencode(suffix, image)
        if not written:
            raise ValueError(
                f'{str(path)!r}: {image.shape[1]} x {image.shape[0]} pixels are too many for {suffix}; try .png, or '
                'fewer samples (--num)'
            )
        temporary.write_bytes(content.tobytes())


def _as_array(boxes: object) -> np.ndarray:
    """Convert boxes (an array, MMDetection's, or None) to ``(N, 4)``; other shapes become the boxes around them."""
    found, _ = boxes_as_array(boxes)
    return np.zeros((0, 4), np.float32) if found is None else found


def _lines(text: str) -> int:
    return text.count('\n') + 1 if text else 0


def _paper(width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), PAPER, np.uint8)


def _padded(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Put the picture at the top left of white paper."""
    paper = _paper(width, height)
    paper[: picture.shape[0], : picture.shape[1]] = picture
    return paper


def _write(picture: np.ndarray, text: str, x: int, y: int) -> None:
    """Write lines of text, the base line of the first at ``y``. OpenCV's fonts are ASCII."""
    for number, line in enumerate(text.splitlines()):
        place = (x, y + number * LINE)
        ascii_line = line.encode('ascii', 'replace').decode()
        cv2.putText(picture, ascii_line, place, FONT, FONT_SCALE, INK, 1, cv2.LINE_AA)


def boxes_drawn(
    image: np.ndarray, boxes: object = None, labels: Sequence[int] | None = None, width: int = CELL_WIDTH
) -> np.ndarray:
    """Draw the image, at most ``width`` wide, with its boxes.

    Args:
        image: ``(H, W, 3)`` uint8 BGR.
        boxes: ``(N, 4)`` xyxy in pixels, an array or MMDetection's; those without area are left out.
        labels: Colour the boxes; by default each has the next colour.
        width: In pixels; the height is at most 300.

    Returns:
        The picture, uint8 BGR.
    """
    scale = min(width / image.shape[1], MAX_CELL_HEIGHT / image.shape[0])
    size = tuple(max(round(side * scale), 1) for side in image.shape[1::-1])
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
    boxes = _as_array(boxes)
    for number, (box, end) in enumerate(zip(boxes[:, :2], boxes[:, 2:], strict=True)):
        if (end > box).all():
            colour = BOX_COLOURS[(number if labels is None else int(labels[number])) % len(BOX_COLOURS)]
            corners = np.clip(np.rint(np.stack([box, end]) * scale).astype(int), 0, np.array(size) - 1).tolist()
            cv2.rectangle(small, *corners, colour, 1)
    return small


def _cell(
    image: np.ndarray,
    boxes: np.ndarray,
    title: str = '',
    labels: Sequence[int] | None = None,
    width: int = CELL_WIDTH,
    lines: int = 1,
) -> np.ndarray:
    """Draw a cell: the image at the sheet's scale with its boxes, below ``lines`` lines for the title."""
    small = boxes_drawn(image, boxes, labels, width)
    size = small.shape[1::-1]
    cell = _paper(max(size[0], width) + 2 * GAP, size[1] + lines * LINE + 2 * GAP)
    cell[-size[1] - GAP : -GAP, GAP : GAP + size[0]] = small
    _write(cell, title, GAP, GAP + LINE - 5)
    return cell


def _row(cells: list[np.ndarray], columns: int) -> np.ndarray:
    """Put cells side by side, padded to ``columns``."""
    height, width = cells[0].shape[:2]
    return np.hstack([*cells, *[_paper(width, height)] * (columns - len(cells))])


def _blocks(rows: list[np.ndarray]) -> np.ndarray:
    """Stack rows in blocks side by side, none taller than ``ROWS_PER_BLOCK``."""
    num_blocks = -(-len(rows) // ROWS_PER_BLOCK)
    per_block = -(-len(rows) // num_blocks)
    rows = rows + [np.full_like(rows[0], 255)] * (num_blocks * per_block - len(rows))
    blocks = [np.vstack(rows[i : i + per_block]) for i in range(0, len(rows), per_block)]
    gap = _paper(BLOCK_GAP, len(blocks[0]))
    return np.hstack([part for block in blocks for part in (block, gap)][:-1])
