"""Draw a small data set of shapes in COCO's format, to try a search without downloading anything.

It answers one question: does the search find the augmentation that the validation data ask for? `train` is
drawn plainly; `val` (S_val) and `test` (held out) get a *planted* change that one candidate operation undoes.
The default plant is the photographic negative, which Solarize at level 0 reproduces exactly.

For the plant to matter, the pictures must not look alike before and after it. Hence a fixed order of
brightness: dark holes that are no objects < background < objects. A network trained on plain pictures learns
"brighter than the ground"; on negatives it misses the objects and fires at the holes. Hue, texture and size
say nothing about the class.

    python tools/dataset_tools/make_shapes.py --out-dir data/shapes
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

SPLITS = ('train', 'val', 'test')
META_FILE = 'meta.json'
FORMAT = 'mmddas-shapes'
VERSION = 1  # raise it whenever the drawing changes, so that older data are redrawn

CROWDED_SHARE = 0.2
MAX_HOLES = 2
SENSOR_NOISE = 3.0
PLACING_ATTEMPTS = 40
MIN_SIZE = 32

# Ranges of mean brightness; they do not touch, so that negation swaps their order.
HOLE_TONES = (5, 40)
BACKGROUND_TONES = (55, 120)
OBJECT_TONES = (140, 240)
MAX_TINT = 50.0


class Layout(NamedTuple):
    """The arrangement of an image's objects; lengths are shares of the image side, counts are inclusive."""

    num_objects: tuple[int, int]
    radius: tuple[float, float]
    focus: tuple[float, float]  # range of the centre of the group
    spread: float  # largest distance, per axis, of an object from that centre
    min_visible: float  # share of each object that later ones leave uncovered


SPARSE = Layout(num_objects=(2, 5), radius=(0.09, 0.2), focus=(0.5, 0.5), spread=0.45, min_visible=0.9)
CROWDED = Layout(num_objects=(6, 10), radius=(0.08, 0.15), focus=(0.35, 0.65), spread=0.3, min_visible=0.45)


# Shapes: a class is one function that returns the corners (N, 2) of a shape of radius about 1.


def disc(rng: np.random.Generator) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def rectangle(rng: np.random.Generator) -> np.ndarray:
    half_height = rng.uniform(0.5, 0.9)
    return np.array([[-1, -half_height], [1, -half_height], [1, half_height], [-1, half_height]])


def triangle(rng: np.random.Generator) -> np.ndarray:
    angles = 2 * np.pi / 3 * np.arange(3) + rng.uniform(-0.3, 0.3, 3)
    return 1.2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)


SHAPES = {'disc': disc, 'rectangle': rectangle, 'triangle': triangle}


# Textures: scalar fields (size, size) in [0, 1] that blend two tones.


def smooth_noise(rng: np.random.Generator, size: int) -> np.ndarray:
    cells = int(rng.integers(3, 10))
    return cv2.resize(rng.random((cells, cells)), (size, size), interpolation=cv2.INTER_CUBIC).clip(0, 1)


def speckle(rng: np.random.Generator, size: int) -> np.ndarray:
    blurred = cv2.GaussianBlur(rng.random((size, size)), (3, 3), 0)
    return (0.5 + 1.5 * (blurred - 0.5)).clip(0, 1)


def gradient(rng: np.random.Generator, size: int) -> np.ndarray:
    return (0.5 + 0.7 * _ramp(rng.uniform(0, 2 * np.pi), size)).clip(0, 1)


def stripes(rng: np.random.Generator, size: int) -> np.ndarray:
    phase = 2 * np.pi * rng.uniform(3, 14) * _ramp(rng.uniform(0, np.pi), size)
    return 0.5 + 0.5 * np.sin(phase + rng.uniform(0, 2 * np.pi))


def checks(rng: np.random.Generator, size: int) -> np.ndarray:
    angle, frequency = rng.uniform(0, np.pi), rng.uniform(10, 30)
    across, along = _ramp(angle, size), _ramp(angle + np.pi / 2, size)
    return 0.5 + 0.5 * np.sign(np.sin(frequency * across) * np.sin(frequency * along))


TEXTURES = (smooth_noise, speckle, gradient, stripes, checks)


def _ramp(angle: float, size: int) -> np.ndarray:
    """Return positions along a direction, 0 in the middle of the image and about -0.5 to 0.5 across it."""
    steps = (np.arange(size) + 0.5) / size - 0.5
    return np.cos(angle) * steps[None, :] + np.sin(angle) * steps[:, None]


# Plants: what is done to val and test. They change pixels only: the boxes are not moved.


def unchanged(image: np.ndarray) -> np.ndarray:
    return image


def negative(image: np.ndarray) -> np.ndarray:
    """Return the photographic negative, which Solarize at level 0 undoes."""
    return 255 - image


PLANTS = {'none': unchanged, 'negative': negative}


class DrawnObject(NamedTuple):
    """An object of a scene: its class, an index into ``SHAPES``, and its visible pixels (size, size) bool."""

    label: int
    visible: np.ndarray


def draw_scene(rng: np.random.Generator, size: int) -> tuple[np.ndarray, list[DrawnObject]]:
    """Draw one image.

    Returns:
        The image (size, size, 3) uint8 BGR, without any plant, and its objects, the rearmost first.
    """
    image = _paint(rng, size, BACKGROUND_TONES)
    for coverage in _draw_holes(rng, size):
        _blend(image, coverage, _paint(rng, size, HOLE_TONES))
    labels, coverages, owners = _place_objects(rng, size, CROWDED if rng.random() < CROWDED_SHARE else SPARSE)
    for coverage in coverages:
        _blend(image, coverage, _paint(rng, size, OBJECT_TONES))
    image += SENSOR_NOISE * rng.standard_normal(image.shape, np.float32)
    objects = [DrawnObject(label, owners == index) for index, label in enumerate(labels)]
    return image.round().clip(0, 255).astype(np.uint8), objects


def _paint(rng: np.random.Generator, size: int, tones: tuple[int, int]) -> np.ndarray:
    """Paint a textured sheet (size, size, 3) float32 between two colours whose brightness lies in ``tones``."""
    field = TEXTURES[rng.integers(len(TEXTURES))](rng, size).astype(np.float32)[..., None]
    first, second = _colour(rng, tones), _colour(rng, tones)
    return first + field * (second - first)


def _colour(rng: np.random.Generator, tones: tuple[int, int]) -> np.ndarray:
    """Draw a colour of any hue, whose mean over the channels lies in ``tones``."""
    tint = rng.normal(size=3)
    tint -= tint.mean()
    colour = rng.uniform(*tones) + rng.uniform(0, MAX_TINT) * tint / np.abs(tint).max()
    return colour.astype(np.float32)


def _blend(image: np.ndarray, coverage: np.ndarray, paint: np.ndarray) -> None:
    image += coverage[..., None] / np.float32(255) * (paint - image)


def _draw_holes(rng: np.random.Generator, size: int) -> list[np.ndarray]:
    """Draw dark patches of the objects' shapes, which are no objects, so that an outline alone does not make one."""
    outlines = list(SHAPES.values())
    holes = []
    for _ in range(rng.integers(MAX_HOLES + 1)):
        outline = outlines[rng.integers(len(outlines))](rng)
        corners = _pose(rng, outline, size * rng.uniform(*SPARSE.radius), size * rng.random(2))
        holes.append(_cover(corners, size))
    return holes


def _pose(rng: np.random.Generator, outline: np.ndarray, radius: float, centre: np.ndarray) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return radius * outline @ rotation.T + centre


def _cover(corners: np.ndarray, size: int) -> np.ndarray:
    """Return the coverage (size, size) uint8 of a polygon, 255 inside, with smooth edges."""
    coverage = np.zeros((size, size), np.uint8)
    fixed_point = np.round(corners * 256).astype(np.int32)  # 8 fractional bits
    cv2.fillPoly(coverage, [fixed_point], 255, lineType=cv2.LINE_AA, shift=8)
    return coverage


def _place_objects(
    rng: np.random.Generator, size: int, layout: Layout
) -> tuple[list[int], list[np.ndarray], np.ndarray]:
    """Put objects on top of each other, from the rearmost to the foremost.

    Returns:
        Their labels, their coverages and the map (size, size) of who is seen at a pixel, -1 being nobody.
    """
    labels, coverages, areas = [], [], []
    owners = np.full((size, size), -1)
    focus = rng.uniform(*layout.focus, size=2)
    for _ in range(rng.integers(layout.num_objects[0], layout.num_objects[1] + 1)):
        label = int(rng.integers(len(SHAPES)))
        coverage = _find_place(rng, label, layout, focus, owners, areas)
        if coverage is None:
            continue
        owners[coverage > 127] = len(labels)
        labels.append(label)
        coverages.append(coverage)
        areas.append(np.count_nonzero(coverage > 127))
    return labels, coverages, owners


def _find_place(
    rng: np.random.Generator,
    label: int,
    layout: Layout,
    focus: np.ndarray,
    owners: np.ndarray,
    areas: list[int],
) -> np.ndarray | None:
    """Return the coverage of a new object that hides no earlier one too much; None if there is no room.

    Every failed attempt makes the object a little smaller, so that failing altogether is very rare.
    """
    size = len(owners)
    outline = list(SHAPES.values())[label](rng)
    radius = size * rng.uniform(*layout.radius)
    for attempt in range(PLACING_ATTEMPTS):
        centre = size * (focus + layout.spread * rng.uniform(-1, 1, 2))
        corners = _pose(rng, outline, radius * 0.98**attempt, centre)
        coverage = _cover(corners, size)
        mask = coverage > 127
        inside = np.count_nonzero(mask) >= 0.6 * cv2.contourArea(corners.astype(np.float32))
        remaining = np.bincount(owners[~mask] + 1, minlength=len(areas) + 1)[1:]
        if inside and np.all(remaining >= layout.min_visible * np.array(areas)):
            return coverage
    return None


def coco_annotation(mask: np.ndarray) -> dict:
    """Return COCO's fields of visible pixels: ``bbox`` (x, y, width, height), ``area``, ``segmentation``.

    The box encloses the visible pixels tightly. Polygons, one per connected part, run a quarter of a pixel
    inside the border: rasterised by pycocotools they give the mask back, with its holes filled, since a
    polygon has none.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    doubled = cv2.resize(mask.astype(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(doubled, contours, -1, 1, cv2.FILLED)
    polygons = [cv2.approxPolyDP(contour, 0.5, closed=True) for contour in contours]
    return {
        'bbox': [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1],
        'area': np.count_nonzero(doubled) // 4,
        'segmentation': [((polygon.ravel() + 0.5) / 2).tolist() for polygon in polygons],
    }


@dataclasses.dataclass(frozen=True)
class ShapesSummary:
    """A data set in ``out_dir``: its images and objects per split, and whether it was there already."""

    out_dir: Path
    num_images: dict[str, int]
    num_objects: dict[str, int]
    reused: bool


def make_shapes(
    out_dir: str | os.PathLike,
    num_train: int = 160,
    num_val: int = 160,
    num_test: int = 160,
    size: int = 128,
    seed: int = 0,
    planted: str = 'negative',
) -> ShapesSummary:
    """Draw the data set into ``out_dir``, or reuse it if these very arguments made what lies there.

    Writes ``{train,val,test}/000001.png`` and so on, ``annotations/{train,val,test}.json`` in COCO's format,
    and last ``meta.json``. Data made with other arguments are replaced; anything else in ``out_dir`` is left
    alone. Each image depends on (seed, split, image number) only: more images leave the first ones as they
    were. PNG, not JPEG: the negative stays exact, and it loads in about a millisecond all the same.

    Args:
        out_dir: The folder to fill; made if missing.
        num_train: Images in `train`, never changed by the plant.
        num_val: Images in `val`, the S_val of a search.
        num_test: Images in `test`, held out.
        size: Side of the square images in pixels, at least 32.
        seed: At least 0.
        planted: What is done to `val` and `test`, a name in ``PLANTS``.

    Raises:
        ValueError: An argument is out of its range.
        FileExistsError: ``out_dir`` holds files of these names that this function did not write.
    """
    counts = {'train': num_train, 'val': num_val, 'test': num_test}
    _check_arguments(counts, size, seed, planted)
    out_dir = Path(out_dir)
    arguments = {'num_images': counts, 'size': size, 'seed': seed, 'planted': planted}
    found = _read_meta(out_dir)
    if found is not None and _is_complete(out_dir, found, arguments):
        return ShapesSummary(out_dir, counts, found['num_objects'], reused=True)
    _refuse_foreign_files(out_dir, found)

    out_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.drawing-', dir=out_dir) as staging:
        num_objects = _draw_splits(Path(staging), arguments)
        _move_into_place(Path(staging), out_dir)
    return ShapesSummary(out_dir, counts, num_objects, reused=False)


def _check_arguments(counts: dict[str, int], size: int, seed: int, planted: str) -> None:
    for split, count in counts.items():
        if count < 1:
            raise ValueError(f'num_{split} is {count}; at least 1 image is needed')
    if size < MIN_SIZE:
        raise ValueError(f'size is {size}; shapes are discernible from {MIN_SIZE} pixels on')
    if seed < 0:
        raise ValueError(f'seed is {seed}; it must not be negative')
    if planted not in PLANTS:
        raise ValueError(f"no plant is called '{planted}'; there are {', '.join(PLANTS)}")


def _read_meta(out_dir: Path) -> dict | None:
    """Read the record of an earlier call; None if there is none that this module wrote."""
    try:
        meta = json.loads((out_dir / META_FILE).read_text(encoding='utf-8'))
    except (FileNotFoundError, ValueError):
        return None
    return meta if isinstance(meta, dict) and meta.get('format') == FORMAT else None


def _is_complete(out_dir: Path, meta: dict, arguments: dict) -> bool:
    """Tell whether ``out_dir`` holds what ``arguments`` ask for, with no file missing."""
    if meta.get('version') != VERSION or meta.get('arguments') != arguments:
        return False
    return all(
        (out_dir / 'annotations' / f'{split}.json').is_file() and len(list((out_dir / split).glob('*.png'))) == count
        for split, count in arguments['num_images'].items()
    )


def _refuse_foreign_files(out_dir: Path, meta: dict | None) -> None:
    """Raise FileExistsError where files would be replaced that this module did not write."""
    present = [name for name in (*SPLITS, 'annotations', META_FILE) if (out_dir / name).exists()]
    if meta is None and present:
        raise FileExistsError(
            f"'{out_dir}' holds {', '.join(present)}, and no {META_FILE} of {FORMAT} says that they may be "
            'replaced; choose another folder or remove them'
        )


def _move_into_place(staging: Path, out_dir: Path) -> None:
    """Swap the new data in; ``meta.json``, which marks data as done, is removed first and comes last."""
    (out_dir / META_FILE).unlink(missing_ok=True)
    for name in (*SPLITS, 'annotations', META_FILE):
        if (out_dir / name).is_dir():
            shutil.rmtree(out_dir / name)
        os.replace(staging / name, out_dir / name)


def _draw_splits(folder: Path, arguments: dict) -> dict[str, int]:
    """Draw all splits and their record into an empty folder; returns the objects per split."""
    (folder / 'annotations').mkdir()
    num_objects = {}
    for split in SPLITS:
        annotations = _draw_split(folder / split, split, arguments)
        _write_json(folder / 'annotations' / f'{split}.json', annotations)
        num_objects[split] = len(annotations['annotations'])
    meta = {'format': FORMAT, 'version': VERSION, 'arguments': arguments, 'num_objects': num_objects}
    _write_json(folder / META_FILE, meta)
    return num_objects


def _draw_split(folder: Path, split: str, arguments: dict) -> dict:
    """Draw the images of a split; returns its COCO annotations."""
    folder.mkdir()
    size, seed = arguments['size'], arguments['seed']
    planted = 'none' if split == 'train' else arguments['planted']
    images, annotations = [], []
    for number in range(1, arguments['num_images'][split] + 1):
        rng = np.random.default_rng((seed, SPLITS.index(split), number - 1))
        image, objects = draw_scene(rng, size)
        file_name = f'{number:06d}.png'
        _write_image(folder / file_name, PLANTS[planted](image))
        images.append({'id': number, 'file_name': file_name, 'width': size, 'height': size})
        for label, visible in objects:
            ids = {'id': len(annotations) + 1, 'image_id': number, 'category_id': label + 1, 'iscrowd': 0}
            annotations.append({**ids, **coco_annotation(visible)})
    return {
        'info': {'description': f'{FORMAT} {split}', 'version': VERSION, 'seed': seed, 'planted': planted},
        'licenses': [],
        'categories': [{'id': i, 'name': name, 'supercategory': 'shape'} for i, name in enumerate(SHAPES, start=1)],
        'images': images,
        'annotations': annotations,
    }


def _write_image(path: Path, image: np.ndarray) -> None:
    # cv2.imwrite reports a full disk by its return value and fails on some non-ASCII paths
    path.write_bytes(cv2.imencode('.png', image, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes())


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content) + '\n', encoding='utf-8')


def parse_args() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(
        description='Draw a small COCO-format data set of discs, rectangles and triangles. Calling it again '
        'with the same arguments reuses the data; other arguments replace them.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('--out-dir', default='data/shapes', help='folder to fill; made if missing')
    parser.add_argument('--num-train', type=int, default=160, help='images in train, which the plant never changes')
    parser.add_argument('--num-val', type=int, default=160, help='images in val, the S_val of a search')
    parser.add_argument('--num-test', type=int, default=160, help='images in test, held out')
    parser.add_argument('--size', type=int, default=128, help='side of the square images, in pixels')
    parser.add_argument('--seed', type=int, default=0, help='same seed, same images')
    parser.add_argument(
        '--planted',
        choices=list(PLANTS),
        default='negative',
        help='change made to val and test, which the search should find',
    )
    return parser, parser.parse_args()


def main() -> None:
    parser, args = parse_args()
    try:
        summary = make_shapes(**vars(args))
    except (ValueError, OSError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')
    splits = ', '.join(
        f'{split} {count} images / {summary.num_objects[split]} objects' for split, count in summary.num_images.items()
    )
    verb = 'Found' if summary.reused else 'Drew'
    print(f'{verb} {summary.out_dir} (size {args.size}, seed {args.seed}, planted {args.planted}): {splits}')


if __name__ == '__main__':
    main()
