"""What operations cost, beside MMDetection's RandAugment and beside PIL.

On an image of 800 x 1333 pixels with 12 boxes: two random operations of the preset ``detection`` as ``DDASAugment``
applies them, beside MMDetection's ``RandAugment(aug_num=2)``, and every single one, beside MMDetection's transform of
the same kind where there is one, and beside torchvision's, Albumentations' and Kornia's, where these are installed. On
images of 32 x 32: two random operations of the preset ``cifar``, beside the same through PIL. All in turn, on one
thread.

    pip install -r requirements/benchmarks.txt       # the other libraries; not needed
    python tools/benchmarks/operations.py
    python tools/benchmarks/operations.py --check    # ends with an error where a ratio is above its limit
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from itertools import groupby

import cv2
import numpy as np
import other_libraries
import pil_operations
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.registry import TRANSFORMS, init_default_scope
from PIL import Image

from mmddas import ops
from mmddas.core import SearchSpace
from mmddas.datasets import DDASAugment

HEIGHT, WIDTH, BOXES, SMALL = 800, 1333, 12, 32
DRAWS = 300  # of two operations on small images, between two looks at the clock's noise
# Largest ratios that --check lets pass: of two random operations, and of a single one that MMDetection lacks, to
# RandAugment(aug_num=2); and of two random ones on a small image to PIL.
TWO, SINGLE, TWO_SMALL = 0.2, 0.06, 0.5
# Of a single one to MMDetection's transform of the same kind, which a slow or busy machine slows down alike: ratios to
# RandAugment, made of other work, double between machines for warps.
THEIRS = {
    'AutoContrast': ('AutoContrast', 0.12),
    'Equalize': ('Equalize', 0.12),
    'Posterize': ('Posterize', 0.45),
    'Solarize': ('Solarize', 0.3),
    'SolarizeAdd': ('SolarizeAdd', 0.2),
    'Color': ('Color', 0.3),
    'Contrast': ('Contrast', 0.12),
    'Brightness': ('Brightness', 0.2),
    'Sharpness': ('Sharpness', 0.65),
    'Rotate_BBox': ('Rotate', 0.8),
    'TranslateX_BBox': ('TranslateX', 0.25),
    'TranslateY_BBox': ('TranslateY', 0.25),
    'ShearX_BBox': ('ShearX', 0.35),
    'ShearY_BBox': ('ShearY', 0.8),
}


def seconds(function: Callable, *args) -> float:
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def drawn_sample(rng: np.random.Generator) -> dict:
    """What MMDetection's pipelines hand on after LoadAnnotations: a smooth image with boxes."""
    coarse = rng.integers(0, 256, (HEIGHT // 16, WIDTH // 16, 3), dtype=np.uint8)
    corners = rng.uniform(0, (WIDTH * 0.8, HEIGHT * 0.8), (BOXES, 2))
    boxes = np.hstack([corners, corners + rng.uniform(30, 260, (BOXES, 2))]).clip(0, (WIDTH, HEIGHT) * 2)
    return dict(
        img=cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC),
        img_shape=(HEIGHT, WIDTH),
        gt_bboxes=HorizontalBoxes(boxes.astype(np.float32)),
        gt_bboxes_labels=np.zeros(BOXES, np.int64),
        gt_ignore_flags=np.zeros(BOXES, bool),
    )


def copied(sample: dict) -> dict:
    """A sample to work on; what it costs to copy is not part of the measurement."""
    return {key: value.clone() if key == 'gt_bboxes' else np.copy(value) for key, value in sample.items()}


def detection(repeats: int) -> list[tuple[str, float, float]]:
    """Prints the table; returns what was checked: name, ratio, limit."""
    rng = np.random.default_rng(0)
    sample = drawn_sample(rng)
    space, augment = SearchSpace.preset('detection', num_ops=2), DDASAugment()
    rand_augment = TRANSFORMS.build(dict(type='RandAugment', aug_num=2))
    image, boxes = sample['img'], sample['gt_bboxes'].numpy()
    candidates = [list(levels) for _, levels in groupby(space.candidates, key=lambda candidate: candidate.op)]
    # Theirs have levels from 0 to 10, ours 2, 4, ..., 10: the same strengths.
    their_own = {
        (name, level): TRANSFORMS.build(dict(type=kind, prob=1.0, level=10 if level is None else level))
        for name, level in space.candidates
        for kind, _ in [THEIRS.get(name, (None, None))]
        if kind is not None
    }
    times = {levels[0].op: [] for levels in candidates}
    beside = {name: [] for name in THEIRS}
    theirs, ours = [], []
    np.random.seed(0)  # RandAugment's draws, which vary from 20 to 30 ms with the share of its two dearest operations
    for _ in range(repeats):
        for _ in range(10):
            sub_policy = [space.candidates[k] for k in rng.integers(len(space), size=2)]
            theirs.append(seconds(rand_augment, copied(sample)))
            ours.append(seconds(augment.augment, copied(sample), sub_policy, rng))
        for levels in candidates:
            for op, level in levels:
                times[op].append(seconds(functools.partial(ops.apply, op, image, boxes, level=level, rng=rng)))
                if op in beside:
                    beside[op].append(seconds(their_own[op, level], copied(sample)))
    # Means, since both are random: what an epoch takes.
    yardstick, two = statistics.mean(theirs), statistics.mean(ours)
    print(f'\n{HEIGHT} x {WIDTH} pixels, {BOXES} boxes, one thread\n')
    print(f'{"RandAugment(aug_num=2)":24}{yardstick * 1e3:8.2f} ms   mean of {len(theirs)}')
    print(f'{"two of detection":24}{two * 1e3:8.2f} ms   mean of {len(ours)}   ratio {two / yardstick:.3f}')
    checked = [('two of detection', two / yardstick, TWO)]

    print(f"\n{'medians':24}{'ours':>8}      MMDetection's, ratio   RandAugment, ratio")
    for name, measured in times.items():
        median = statistics.median(measured)
        ratio, limit, own = median / yardstick, SINGLE, ' ' * 19
        if name in THEIRS:
            counterpart = statistics.median(beside[name])
            own = f'{counterpart * 1e3:8.2f} ms   {median / counterpart:5.3f}'
            ratio, limit = median / counterpart, THEIRS[name][1]
        print(f'{name:24}{median * 1e3:8.2f} ms   {own}   {median / yardstick:15.3f}')
        checked.append((name, ratio, limit))
    return checked


def beside_other_libraries(repeats: int) -> None:
    """Prints the table: medians over levels and repeats, and ours over theirs."""
    rng = np.random.default_rng(0)
    sample = drawn_sample(rng)
    image, boxes = sample['img'], sample['gt_bboxes'].numpy()
    libraries = other_libraries.installed(image, boxes)
    there = {key for runs in libraries.values() for key in runs}
    keys = [key for key in dict.fromkeys(SearchSpace.preset('detection').candidates) if tuple(key) in there]
    times = {name: {} for name in ('mmddas', *libraries)}
    for _ in range(repeats):
        for op, level in keys:
            ours = functools.partial(ops.apply, op, image, boxes, level=level, rng=rng)
            runs = dict(mmddas=ours) | {name: library.get((op, level)) for name, library in libraries.items()}
            for name, run in runs.items():
                if run is not None:
                    times[name].setdefault(op, []).append(seconds(run))
    medians = {name: {op: statistics.median(found) for op, found in by_op.items()} for name, by_op in times.items()}
    print(f'\nmedians in ms, ours over theirs{"":13}{"mmddas":>8}' + ''.join(f'{name:>24}' for name in libraries))
    for op, ours in medians['mmddas'].items():
        cells = ''
        for name in libraries:
            theirs = medians[name].get(op)
            cells += f'{"":24}' if theirs is None else f'{theirs * 1e3:15.2f}{ours / theirs:9.3f}'
        print(f'{op:44}{ours * 1e3:8.2f}{cells}')


def cifar(repeats: int) -> list[tuple[str, float, float]]:
    """As :func:`detection`."""
    rng = np.random.default_rng(0)
    space = SearchSpace.preset('cifar', num_ops=2)
    image = rng.integers(0, 256, (SMALL, SMALL, 3), dtype=np.uint8)
    picture = Image.fromarray(image)

    def ours(sub_policy: list) -> None:
        result = image
        for op, level in sub_policy:
            result, _ = ops.apply(op, result, level=level, rng=rng)

    def through_pil(sub_policy: list, given: Image.Image | None = None) -> None:
        result = given or Image.fromarray(image)
        for op, level in sub_policy:
            result = pil_operations.apply(op, result, level)
        if given is None:
            np.asarray(result)

    functions = [ours, through_pil, functools.partial(through_pil, given=picture)]
    blocks = []
    for _ in range(repeats):
        times = [0.0, 0.0, 0.0]
        for _ in range(DRAWS):
            sub_policy = [space.candidates[k] for k in rng.integers(len(space), size=2)]
            times = [total + seconds(function, sub_policy) for total, function in zip(times, functions, strict=True)]
        blocks.append(np.array(times) / DRAWS * 1e6)
    own, arrays, images = np.median(blocks, axis=0)
    to_arrays, to_images = (statistics.median(block[0] / block[i] for block in blocks) for i in (1, 2))
    print(f'\n{SMALL} x {SMALL} pixels, two operations of cifar, median of {repeats} means of {DRAWS} draws\n')
    print(f'{"mmddas, array to array":36}{own:6.1f} us')
    print(f'{"PIL, array to array":36}{arrays:6.1f} us   ratio {to_arrays:.3f}')
    print(f'{"PIL alone, without conversions":36}{images:6.1f} us   ratio {to_images:.3f}')
    return [('two of cifar', to_arrays, TWO_SMALL)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--repeats', type=int, default=20, help='measurements of every candidate')
    parser.add_argument('--check', action='store_true', help='end with an error where a ratio is above its limit')
    args = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    init_default_scope('mmdet')
    checked = detection(args.repeats)
    beside_other_libraries(args.repeats)
    checked += cifar(args.repeats)
    above = [f'{name}: {ratio:.3f}, at most {limit:g}' for name, ratio, limit in checked if ratio > limit]
    print('\nabove their limits: ' + '; '.join(above) if above else '\nall ratios are within their limits')
    if above and args.check:
        raise SystemExit(1)


if __name__ == '__main__':
    main()
