"""Draw the search's S_train and S_val from ImageNet's training images, or another tree of class folders, as lists.

    python tools/dataset_tools/make_imagenet_proxy.py data/imagenet/train
    python tools/dataset_tools/make_imagenet_proxy.py data/imagenet/train --ann-file data/imagenet/meta/train.txt

A search needs few images (the paper, on ImageNet: 120 classes with 50 training and 20 validation images each). Both
subsets come from the *training* images, so that the evaluation images stay unseen. Images are not copied: the new
annotation lists name the old ones, as MMPretrain reads them::

    dict(
        type='CustomDataset',
        data_root='data/imagenet',
        data_prefix='train',
        ann_file='meta/search_train.txt',
        classes='data/imagenet/meta/search_classes.txt',  # MMPretrain does not put data_root before it
        with_label=True,
    )
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmddas.cli import wrong_input_ends
from mmddas.datasets.splits.class_folders import read_class_folders
from mmddas.datasets.splits.coco import name_some
from mmddas.files import atomic_path

TRAIN_FILE, VAL_FILE, CLASSES_FILE = 'search_train.txt', 'search_val.txt', 'search_classes.txt'


@dataclass(frozen=True)
class ClassSplit:
    """The S_train and S_val of a classification search.

    Args:
        classes: Names of the drawn classes, sorted; a name's index is its label.
        train: Images of S_train and their labels, by label and path.
        val: The same of S_val.
        too_small: Names of the source's classes that have too few images to be drawn, sorted.
    """

    classes: list[str]
    train: list[tuple[str, int]]
    val: list[tuple[str, int]]
    too_small: list[str]


def split_classes(
    images: Mapping[str, Sequence[str]],
    num_classes: int = 120,
    train_per_class: int = 50,
    val_per_class: int = 20,
    seed: int = 0,
) -> ClassSplit:
    """Draw classes that have enough images, and of each disjoint images for S_train and S_val.

    The draw depends on the seed, the class names and the paths only, not on the order of the source.
    ``val_per_class`` does not change S_train, unless it makes one of the drawn classes too small.

    Args:
        images: The paths of each class's images, by class name.
        num_classes: Classes to draw.
        train_per_class: Images of each class in S_train.
        val_per_class: Images of each class in S_val.
        seed: At least 0.

    Raises:
        ValueError: A number is too low, or too few classes have ``train_per_class + val_per_class`` images.
    """
    _check_request(num_classes, train_per_class, val_per_class, seed)
    names = sorted(images)
    per_class = train_per_class + val_per_class
    too_small = [name for name in names if len(images[name]) < per_class]
    if len(names) - len(too_small) < num_classes:
        raise ValueError(
            f'{num_classes} classes with {train_per_class} + {val_per_class} = {per_class} images each are asked for; '
            f'there are {len(names)} classes, {len(names) - len(too_small)} of them with that many: '
            'ask for fewer classes or fewer images per class'
        )
    # all classes are ranked, the small ones too: which ones are small must not change the order of the others
    ranked = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    classes = sorted([name for name in ranked if len(images[name]) >= per_class][:num_classes])
    train, val = [], []
    for label, name in enumerate(classes):
        paths = sorted(images[name])
        # a generator of its own: a class's images do not depend on the other classes
        order = np.random.default_rng([seed, *name.encode()]).permutation(len(paths))
        train += [(paths[i], label) for i in sorted(order[:train_per_class])]
        val += [(paths[i], label) for i in sorted(order[train_per_class:per_class])]
    return ClassSplit(classes, train, val, too_small)


def write_class_split(
    root: str | os.PathLike,
    ann_file: str | os.PathLike | None = None,
    out_dir: str | os.PathLike | None = None,
    num_classes: int = 120,
    train_per_class: int = 50,
    val_per_class: int = 20,
    seed: int = 0,
) -> tuple[Path, ClassSplit]:
    """Write ``search_train.txt``, ``search_val.txt`` and ``search_classes.txt``; see :func:`split_classes`.

    Args:
        root: The folder of the training images, ``<root>/<class>/<image>``; the lists' paths start from it.
        ann_file: Draw from the images that this list names (see :func:`read_annotation_list`) instead of all
            that are in the folders.
        out_dir: Where to write, made if missing; by default ``meta`` beside ``root``.
        num_classes: Classes to draw.
        train_per_class: Images of each class in S_train.
        val_per_class: Images of each class in S_val.
        seed: At least 0.

    Returns:
        The folder of the new files and what they hold.

    Raises:
        FileNotFoundError: ``root``, ``ann_file`` or a drawn image does not exist.
        ValueError: There are too few classes or images, or the list is malformed; the message names the source.
    """
    _check_request(num_classes, train_per_class, val_per_class, seed)  # before minutes of listing folders
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"there is no image folder '{root}'")
    out_dir = Path(os.path.normpath(root / '..' / 'meta')) if out_dir is None else Path(out_dir)
    paths = [out_dir / name for name in (TRAIN_FILE, VAL_FILE, CLASSES_FILE)]
    if ann_file is not None and Path(ann_file).resolve() in [path.resolve() for path in paths]:
        raise ValueError(f"the result would replace its source '{ann_file}': choose another output folder")
    images = read_class_folders(root) if ann_file is None else read_annotation_list(ann_file)
    try:
        split = split_classes(images, num_classes, train_per_class, val_per_class, seed)
    except ValueError as error:
        raise ValueError(f"'{root if ann_file is None else ann_file}': {error}") from error
    if ann_file is not None:
        _check_presence(root, ann_file, split)
    contents = (_list_lines(split.train), _list_lines(split.val), split.classes)
    with ExitStack() as stack:  # no file is replaced before all are written
        for path, lines in zip(paths, contents, strict=True):
            stack.enter_context(atomic_path(path)).write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return out_dir, split


def read_annotation_list(ann_file: str | os.PathLike) -> dict[str, list[str]]:
    """Read the images of each class from a list with lines ``<class>/<image> <label>``.

    ImageNet's ``meta/train.txt`` is one. The label is the last field, for names may contain spaces. The first folder is
    the class. Blank lines are left out.

    Raises:
        FileNotFoundError: ``ann_file`` does not exist.
        ValueError: A line is malformed, an image is named twice, or classes and labels do not correspond one
            to one; the message has the line's number.
    """
    ann_file = Path(ann_file)
    if not ann_file.is_file():
        raise FileNotFoundError(f"there is no annotation list '{ann_file}'")
    images: dict[str, list[str]] = {}
    first_lines: dict[str, int] = {}  # of each image
    class_labels: dict[str, int] = {}
    label_classes: dict[int, str] = {}
    try:
        with open(ann_file, encoding='utf-8-sig') as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                path, label = _parse_line(line)
                name = path.split('/')[0]
                if class_labels.setdefault(name, label) != label:
                    raise ValueError(
                        f"class folder '{name}' has label {label} here but {class_labels[name]} above; a path's "
                        'first folder must be its class'
                    )
                if label_classes.setdefault(label, name) != name:
                    raise ValueError(
                        f"label {label} is class folder '{name}' here but '{label_classes[label]}' above; a path's "
                        'first folder must be its class'
                    )
                if first_lines.setdefault(path, number) != number:
                    raise ValueError(f"image '{path}' is on line {first_lines[path]} already: remove one of the two")
                images.setdefault(name, []).append(path)
    except UnicodeDecodeError as error:
        raise ValueError(f"'{ann_file}' is not UTF-8 text: {error}") from error
    except ValueError as error:
        raise ValueError(f"'{ann_file}', line {number}: {error}") from error
    if not images:
        raise ValueError(f"'{ann_file}' names no image; lines '<class>/<image> <label>' are expected")
    return images


def _check_request(num_classes: int, train_per_class: int, val_per_class: int, seed: int) -> None:
    numbers = {'num_classes': num_classes, 'train_per_class': train_per_class, 'val_per_class': val_per_class}
    for name, value in numbers.items():
        if value < 1:
            raise ValueError(f'{name} is {value}; it must be at least 1')
    if seed < 0:
        raise ValueError(f'seed is {seed}; it must be at least 0')


def _parse_line(line: str) -> tuple[str, int]:
    fields = line.strip().rsplit(maxsplit=1)
    if len(fields) != 2 or not (fields[1].isascii() and fields[1].isdigit()):
        raise ValueError(f"'{line.strip()}' does not end with a label; '<class>/<image> <label>' is expected")
    folders = fields[0].split('/')
    if len(folders) < 2 or any(folder in ('', '.', '..') for folder in folders):
        raise ValueError(f"the path '{fields[0]}' is not '<class>/<image>', which tells the image's class")
    return fields[0], int(fields[1])


def _check_presence(root: Path, ann_file: str | os.PathLike, split: ClassSplit) -> None:
    """Raise FileNotFoundError where drawn images are missing, since the list may belong to another folder."""
    drawn = [path for path, _ in split.train + split.val]
    missing = [path for path in drawn if not (root / path).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of the {len(drawn)} images drawn from '{ann_file}' are not in '{root}', where its paths "
            f'should start: {name_some(missing)}'
        )


def _list_lines(samples: list[tuple[str, int]]) -> list[str]:
    return [f'{path} {label}' for path, label in samples]


def parse_args() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(
        description='Draw random classes, and of each disjoint images for S_train and S_val, for a policy search on '
        f'classified images. Writes {TRAIN_FILE} and {VAL_FILE} (path and new label) and {CLASSES_FILE} (the '
        "classes' names in the order of the labels); images are not copied.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('root', help='folder of the training images, <root>/<class>/<image>')
    parser.add_argument(
        '--ann-file',
        help="draw from the images of this list, lines '<class>/<image> <label>' with paths from root; without it, "
        'from all images in the class folders',
    )
    parser.add_argument('--out-dir', help="folder of the new files; by default 'meta' next to root")
    parser.add_argument('--num-classes', type=int, default=120, help='classes to draw')
    parser.add_argument('--train-per-class', type=int, default=50, help='images of each class in S_train')
    parser.add_argument('--val-per-class', type=int, default=20, help='images of each class in S_val')
    parser.add_argument('--seed', type=int, default=0, help='same seed, same images')
    return parser, parser.parse_args()


def main() -> None:
    parser, args = parse_args()
    with wrong_input_ends(parser):
        out_dir, split = write_class_split(**vars(args))
    print(f'S_train: {len(split.train)} images of {len(split.classes)} classes -> {out_dir / TRAIN_FILE}')
    print(f'S_val: {len(split.val)} images of {len(split.classes)} classes -> {out_dir / VAL_FILE}')
    print(f'Classes: {name_some(split.classes)} -> {out_dir / CLASSES_FILE}')
    if split.too_small:
        print(
            f'Note: {len(split.too_small)} class(es) have fewer than {args.train_per_class + args.val_per_class} '
            f'images and could not be drawn: {name_some(split.too_small)}.',
            file=sys.stderr,
        )


if __name__ == '__main__':
    main()
