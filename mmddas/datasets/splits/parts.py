"""Split a data set into train, val and test, each class in its proportion, by a seed."""

from __future__ import annotations

import json
import math
import os
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from mmddas.datasets.class_counts import ClassCounts
from mmddas.files import atomic_path, same_content

from .class_folders import is_image, read_class_folders, visible_files
from .coco import check_format, check_loadable, completed, name_some, read_annotations
from .stratified import rarest_classes, stratified_order
from .voc import read_voc_folder

PARTS = ('train', 'val', 'test')
_WANTED = (
    'give a COCO file, a folder with Pascal-VOC XML files and images, or a folder with a folder of images per class'
)
_OF_A_SPLIT = {'train', 'training', 'val', 'valid', 'validation', 'test', 'testing'}


class Split(NamedTuple):
    """A data set in parts.

    Args:
        kind: ``'coco'``, ``'voc'`` or ``'folders'``.
        classes: Their names, by label.
        images: The folder from which the images' paths start; None where it has not been found.
        contents: Of each part its file's content: COCO's annotations, or an annotation list's (path, label) pairs.
        notes: Remarks on the source for a user, a sentence each.
    """

    kind: str
    classes: list[str]
    images: Path | None
    contents: dict[str, dict | list[tuple[str, int]]]
    notes: list[str]

    def counts(self) -> dict[str, ClassCounts]:
        """Count images and objects of each class, by part."""
        return {part: _counts(content, self.classes) for part, content in self.contents.items()}


def part_sizes(total: int, val: float, test: float) -> dict[str, int]:
    """Compute how many images each part gets; a share below 1 is of ``total``, other numbers are counts.

    Raises:
        ValueError: A number is negative or not whole, a part that is asked for would have none, or train would.
    """
    sizes = {}
    for part, asked in (('val', val), ('test', test)):
        if not math.isfinite(asked) or asked < 0 or asked >= 1 and asked != int(asked):
            raise ValueError(f'{part} is {asked:g}: a share below 1, or a number of images, is expected')
        sizes[part] = round(asked * total) if asked < 1 else int(asked)
        if asked and not sizes[part]:
            raise ValueError(f'{part} is {asked:g} of {total} images, which is none: ask for more')
    train = total - sum(sizes.values())
    if train < 1:
        raise ValueError(
            f'val and test are {sizes["val"]} and {sizes["test"]} of {total} images: none is left to train'
        )
    return {part: size for part, size in dict(train=train, **sizes).items() if size}


def split(
    source: str | os.PathLike,
    val: float = 0.2,
    test: float = 0.2,
    seed: int = 0,
    images: str | os.PathLike | None = None,
) -> Split:
    """Draw train, val and test.

    A sample with objects of several classes is drawn as one of the rarest; samples without objects have their share,
    too. Files that are copies of each other stay in one part. ``val`` does not change test.

    Args:
        source: A COCO annotation file; a folder of Pascal-VOC XML files and their images; or a folder of class folders.
        val: Share (below 1) or number of images of val; 0 for none.
        test: The same of test.
        seed: At least 0; same seed, same parts.
        images: Of COCO, the folder from which ``file_name`` starts; by default it is looked for beside the file.

    Raises:
        FileNotFoundError: There is no such file or folder, or images are missing.
        ValueError: It is none of the three, is malformed, or the numbers do not fit.
    """
    source = Path(source)
    if not source.exists():
        raise FileNotFoundError(f"there is no '{source}': {_WANTED}")
    if seed < 0:
        raise ValueError(f'seed is {seed}; it must be at least 0')
    kind = _kind(source)
    if images is not None and kind != 'coco':
        raise ValueError(f'an image folder is for COCO annotations alone; the images of {kind} lie in {source}')
    if kind == 'folders':
        return _split_folders(source, val, test, seed)
    if kind == 'voc':
        annotations, unlabelled, without_area = read_voc_folder(source)
        root, notes = source, []
        if unlabelled:
            notes.append(f'{len(unlabelled)} images have no XML file and are left out: {name_some(unlabelled)}')
        if without_area:
            notes.append(f'{len(without_area)} boxes have no area and are left out: {name_some(without_area)}')
    else:
        annotations = read_annotations(source)
        try:
            check_format(annotations)
            check_loadable(annotations)
        except ValueError as error:
            raise ValueError(f"'{source}': {error}") from error
        root, notes = _image_root(source, annotations, images)
        annotations, added = completed(annotations)
        notes += added
    if not annotations['images']:
        raise ValueError(f"'{source}' has no images")
    return _split_coco(kind, annotations, root, notes, (val, test, seed))


def write_split(found: Split, out_dir: str | os.PathLike, overwrite: bool = False) -> dict[str, Path]:
    """Write a file a part, and for class folders ``classes.txt``; all of them or none.

    Returns:
        The files, by part; ``'classes'``, too, for class folders.

    Raises:
        FileExistsError: A file is there with other content, and ``overwrite`` is not given: parts that were drawn at
            different times can share images.
    """
    if found.kind == 'folders':
        texts = {part: ''.join(f'{path} {label}\n' for path, label in rows) for part, rows in found.contents.items()}
        texts['classes'] = ''.join(f'{name}\n' for name in found.classes)
    else:
        texts = {part: json.dumps(content) for part, content in found.contents.items()}
    suffix = 'txt' if found.kind == 'folders' else 'json'
    files = {part: Path(out_dir, f'{part}.{suffix}') for part in texts}
    possible = [Path(out_dir, f'{part}.{suffix}') for part in PARTS for suffix in ('json', 'txt')]
    stale = [file for file in possible if file.exists() and file not in files.values()]
    others = [
        file
        for part, file in files.items()
        if file.exists() and file.read_text(encoding='utf-8', errors='replace') != texts[part]
    ] + stale
    if others and not overwrite:
        raise FileExistsError(
            f'{name_some(others)} is of another split: name another folder with --out-dir, or --overwrite it. What has '
            'been trained on the other one must not be tested on this one'
        )
    with ExitStack() as stack:  # no file is replaced before all are written
        for part, file in files.items():
            stack.enter_context(atomic_path(file)).write_text(texts[part], encoding='utf-8')
    for file in stale:
        file.unlink()
    return files


def _kind(source: Path) -> str:
    """Tell a source's kind by its content."""
    if source.is_file():
        if source.suffix.lower() == '.xml':
            raise ValueError(f"'{source}' is one XML file: give the folder that has all of them and their images")
        if is_image(source):
            raise ValueError(f"'{source}' is one image: {_WANTED}")
        return 'coco'
    below = visible_files(source)
    if any(path.suffix.lower() == '.xml' for path in below):
        return 'voc'
    files = [path for path in below if path.suffix.lower() == '.json']
    if files:
        raise ValueError(
            f"'{source}' is a folder with JSON files: give the annotation file: {name_some(files)}. If its "
            'folders are classes, move these files away'
        )
    entries = [path for path in source.iterdir() if not path.name.startswith('.')]
    if not entries:
        raise ValueError(f"'{source}' is empty: {_WANTED}")
    folders = {path.name.lower() for path in entries if path.is_dir()}
    loose = [path.name for path in entries if is_image(path)]
    if loose and not folders:
        raise ValueError(f"'{source}' has images ({name_some(loose)}) and nothing that says what is on them: {_WANTED}")
    if folders and folders <= _OF_A_SPLIT:
        raise ValueError(
            f"'{source}' is split already, into {', '.join(sorted(folders))}: give the folder of its training images"
        )
    return 'folders'


def _image_root(source: Path, annotations: dict, images: str | os.PathLike | None) -> tuple[Path | None, list[str]]:
    """Find the folder that COCO's ``file_name``s start from; return it and notes for a user."""
    names = [image['file_name'] for image in annotations['images']]
    if images is not None:
        missing = [name for name in names if not Path(images, name).is_file()]
        if missing:
            raise FileNotFoundError(
                f"{len(missing)} of {len(names)} images are not in '{images}': {name_some(missing)}"
            )
        return Path(images), []
    if _has_all(source.parent, names):
        return source.parent, []
    above = source.parent / '..' if source.parent.name in ('', '..') else source.parent.parent
    places = [path for folder in (source.parent, above) for path in sorted(folder.iterdir())]
    found = [place for place in places if _has_all(place, names)]
    # Parts may number their files alike: annotations/train.json is of train/, not of test/.
    found = [place for place in found if place.name in source.stem] or found
    if len(found) > 1:
        raise ValueError(f'the images of {source.name} are in {name_some(found)}: --images says in which')
    if found:
        return found[0], [f"its images are those in '{found[0]}'"]
    return None, [
        'its images are not beside the annotation file, so copies are not looked for: name their folder, --images'
    ]


def _has_all(place: Path, names: Sequence[str]) -> bool:
    try:
        return all((place / name).is_file() for name in names)
    except PermissionError:  # of another user's home, beside a file in one's own
        return False


def _split_coco(
    kind: str, annotations: dict, root: Path | None, notes: list[str], draw: tuple[float, float, int]
) -> Split:
    images = sorted(annotations['images'], key=lambda image: str(image['file_name']))
    classes_of = {image['id']: set() for image in images}
    labels = {category['id']: label for label, category in enumerate(annotations['categories'])}
    for annotation in annotations['annotations']:
        if annotation['image_id'] in classes_of and not annotation.get('iscrowd', 0):
            classes_of[annotation['image_id']].add(labels.get(annotation['category_id'], -1))
    files = [str(root / image['file_name']) if root else str(image['file_name']) for image in images]
    parts = _draw(files, [classes_of[image['id']] for image in images], root is not None, notes, *draw)
    contents = {}
    for part, indices in parts.items():
        ids = {images[index]['id'] for index in indices}
        contents[part] = {
            **annotations,
            'images': [image for image in annotations['images'] if image['id'] in ids],
            'annotations': [item for item in annotations['annotations'] if item['image_id'] in ids],
        }
    return Split(kind, [category['name'] for category in annotations['categories']], root, contents, notes)


def _split_folders(root: Path, *draw: float) -> Split:
    images = read_class_folders(root)
    empty = [name for name, paths in images.items() if not paths]
    if empty:
        raise ValueError(
            f"'{root}' has folders without images: {name_some(empty)}. Every folder is a class: remove these"
        )
    if len(images) < 2:
        raise ValueError(
            f"'{root}' has one class folder, {name_some(images)}, and a classifier tells at least two classes apart: "
            'give the folder that has a folder of images a class'
        )
    classes, notes = [*images], []
    samples = [(path, label) for label, name in enumerate(classes) for path in sorted(images[name])]
    files = [str(root / path) for path, _ in samples]
    parts = _draw(files, [{label} for _, label in samples], True, notes, *draw)
    contents = {part: [samples[index] for index in sorted(indices)] for part, indices in parts.items()}
    return Split('folders', classes, root, contents, notes)


def _draw(
    files: Sequence[str],
    classes: Sequence[set[int]],
    compare: bool,
    notes: list[str],
    val: float,
    test: float,
    seed: int,
) -> dict[str, list[int]]:
    """Draw the indices of each part's samples: test first, then val, so that neither depends on the next one's size."""
    sizes = part_sizes(len(files), val, test)
    group_of = {}
    for group in same_content(files) if compare else ():
        group_of |= dict.fromkeys(group, group[0])
    if group_of:
        copies = len(group_of) - len({*group_of.values()})
        notes.append(f'{copies} images are copies of others, and stay in one part with them')
    units: dict[str, list[int]] = {}
    for index, file in enumerate(files):
        units.setdefault(group_of.get(file, file), []).append(index)
    members = [*units.values()]
    of_units = rarest_classes([set().union(*(classes[index] for index in unit)) for unit in members])
    order = deque(stratified_order(of_units, seed).tolist())
    parts: dict[str, list[int]] = {}
    for part in ('test', 'val'):
        drawn = []
        while order and len(drawn) < sizes.get(part, 0):
            drawn += members[order.popleft()]
        parts[part] = drawn
    parts['train'] = [index for unit in order for index in members[unit]]
    if not parts['train']:
        raise ValueError('the images are copies of so few that none is left to train')
    return {part: parts[part] for part in PARTS if parts[part]}


def _counts(content: dict | list[tuple[str, int]], classes: Sequence[str]) -> ClassCounts:
    if isinstance(content, list):
        return ClassCounts(tuple(classes), len(content), None, Counter(label for _, label in content))
    labels = {category['id']: label for label, category in enumerate(content['categories'])}
    found: Mapping[object, list[int]] = {image['id']: [] for image in content['images']}
    for item in content['annotations']:
        if not item.get('iscrowd', 0) and item['category_id'] in labels:
            found[item['image_id']].append(labels[item['category_id']])
    objects = Counter(label for image in found.values() for label in image)
    images_of = Counter(label for image in found.values() for label in set(image))
    without = sum(not image for image in found.values())
    return ClassCounts(tuple(classes), len(found), objects, images_of, without)
