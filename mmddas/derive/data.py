"""S_train and S_val from a training's data set, whatever wraps it."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, TRANSFORMS, init_default_scope

from mmddas.config_nodes import inner_nodes, leaves, training_dataset, type_class, type_name
from mmddas.datasets.samples import check_sample

from .placing import Place, mixes

# Images that are looked at for their size.
_PROBED = 8
# Lengths of the operations are those of images of this size (COCO's); images of less than two thirds of that, or more
# than twice as much, get them in proportion. Of 320x240 photos, lengths that were not would move the boxes out of the
# image in 6% of the draws.
REFERENCE_SIZE = 640
# Up to this size images are taken for CIFAR's kind.
SMALL = 64
# Wrappers that repeat samples: an epoch's length, or how often a class is seen, is nothing to a search.
_REPEATING = ('RepeatDataset', 'ClassBalancedDataset')
# Transforms that want images of floats.
_OF_FLOATS = ('RandomCenterCropPad',)
# Transforms of MMDetection, MMPretrain and torchvision, and base classes of such, that change colours, hide parts or
# move things: an image without them is as good for the network. Crops stay, since they may bring it to its size.
_AUGMENTING = {
    *('DDASAugment', 'AutoAugment', 'RandAugment', 'BaseAugTransform', 'ColorTransform', 'GeomTransform', 'Corrupt'),
    *('PhotoMetricDistortion', 'YOLOXHSVRandomAug', 'ColorJitter', 'Lighting', 'RandomGrayscale', 'RandomErasing'),
    *('CutOut', 'Albu', 'Albumentations', 'InstaBoost', 'RandomAffine', 'RandomShift', 'Expand', 'MinIoURandomCrop'),
    *('TrivialAugmentWide', 'AugMix', 'GaussianBlur', 'RandomRotation', 'RandomPerspective', 'ElasticTransform'),
    *('RandomInvert', 'RandomPosterize', 'RandomSolarize', 'RandomEqualize', 'RandomAutocontrast'),
    *('RandomAdjustSharpness', 'RandomPhotometricDistort', 'RandomZoomOut', 'RandomIoUCrop'),
}


class Probe(NamedTuple):
    """What a data set's images are like where the operations get them.

    Args:
        images: How many there are.
        longer_side: Of an image, in pixels, the median of some.
        rgb: The data set brings images, which are RGB then; files are read as BGR.
        classes: How many it tells apart; None where it does not say.
        dataset: The data set, with the transforms before the operations.
    """

    images: int
    longer_side: int
    rgb: bool
    classes: int | None
    dataset: BaseDataset

    def files(self) -> Iterator[str]:
        """The images' files; of those that the data set brings itself there are none."""
        for index in range(self.images):
            path = self.dataset.get_data_info(index).get('img_path')
            if path is not None:
                yield path if '://' in path else os.path.abspath(path)


def probe(leaf: dict, index: int) -> Probe:
    """Build a data set and look at some of its images behind the first ``index`` transforms.

    Raises:
        ValueError: It has no samples, or operations could not work on one: its file or what is wrong is named.
    """
    config = copy.deepcopy(leaf)
    config['pipeline'] = config.get('pipeline', [])[:index]
    dataset = DATASETS.build(config)
    dataset.full_init()
    if not len(dataset):
        raise ValueError(f'The {type_name(leaf)} of the training has no samples')
    sides, rgb = [], False
    for sample in np.linspace(0, len(dataset) - 1, _PROBED).astype(int).tolist():
        info = dataset.get_data_info(sample)
        rgb = rgb or 'img' in info
        results = dataset.pipeline(info)
        if results is None:
            continue  # a filter's
        if 'img' not in results:
            raise ValueError(
                f'The transforms {[type_name(step) for step in config["pipeline"]]} of {type_name(leaf)} load no '
                'image: a transform of your own that loads has a name that begins with Load, or a base class that does'
            )
        try:
            check_sample(results)
        except ValueError as error:
            raise ValueError(f'{results.get("img_path", f"sample {sample}")}: {error}') from error
        sides.append(max(results['img'].shape[:2]))
    if not sides:
        raise ValueError(f'The pipeline of {type_name(leaf)} rejects all of its samples that were tried')
    classes = dataset.metainfo.get('classes')
    return Probe(len(dataset), int(np.median(sides)), rgb, None if classes is None else len(classes), dataset)


def look_at(config: Config, places: list[Place]) -> list[Probe]:
    """:func:`probe` of every data set of a training, in the order of :func:`leaves`."""
    init_default_scope(config.get('default_scope') or 'mmengine')
    found = []
    for leaf in leaves(training_dataset(config)):
        steps = leaf.get('pipeline') or []
        # Where the operations come in a wrapper's pipeline, the data set's own comes wholly before them.
        index = next((place.index for place in places if place.pipeline is steps), len(steps))
        found.append(probe(leaf, index))
    return found


def check_no_subset(dataset: dict) -> None:
    """Raise ValueError for a training on a StratifiedSubset, of which no other can be drawn."""
    if type_name(dataset) == 'StratifiedSubset':
        raise ValueError(
            'the training is on a StratifiedSubset, and a search draws its own from the data set within: give that in '
            'a config of its own, with --num-train and --num-val, or write the search by hand (docs/search_config.md)'
        )
    for inner in inner_nodes(dataset):
        check_no_subset(inner)


def augment_settings(scope: str, probes: list[Probe]) -> dict:
    """Of DDASAugment, where the data say so.

    Lengths in pixels are scaled for detectors alone: a classifier's one operation that has such, CutoutAbs, has them
    as published, for images of CIFAR's and ImageNet's sizes.
    """
    settings = {}
    side = sorted(found.longer_side for found in probes)[len(probes) // 2]
    if scope == 'mmdet' and side > SMALL and not REFERENCE_SIZE * 2 / 3 <= side <= REFERENCE_SIZE * 2:
        settings['reference_size'] = REFERENCE_SIZE
    if any(found.rgb for found in probes):
        settings['channel_order'] = 'rgb'
    return settings


def preset_for(scope: str, probes: list[Probe]) -> str:
    """The search space of a task, and of its images."""
    if scope == 'mmdet':
        return 'detection'
    return 'cifar' if max(found.longer_side for found in probes) <= SMALL else 'imagenet'


def apportion(counts: list[int], wanted: int) -> list[int]:
    """``wanted`` samples of data sets of these sizes, in proportion: as many in all, and of none more than it has."""
    ends = np.round(np.cumsum(counts) / sum(counts) * wanted).astype(int)
    return np.diff(ends, prepend=0).tolist()


def take(dataset: dict, numbers: list[int], skips: list[int], seed: int) -> dict:
    """A copy of a data set's config with some samples of each data set within, in the order of :func:`leaves`.

    Args:
        dataset: With its wrappers.
        numbers: How many; a data set of which there are none is left out.
        skips: How many of the order come before them.
        seed: The order's.
    """
    parts = iter(zip(numbers, skips, strict=True))
    return _taken(copy.deepcopy(dataset), parts, seed)


def _taken(node: dict, parts: Iterator[tuple[int, int]], seed: int) -> dict | None:
    if not inner_nodes(node):
        number, skip = next(parts)
        subset = dict(type='StratifiedSubset', num_samples=number, skip=skip, seed=seed, dataset=node)
        return subset if number else None
    if isinstance(node.get('dataset'), dict):
        node['dataset'] = _taken(node['dataset'], parts, seed)
        return node if node['dataset'] else None
    node['datasets'] = [found for child in node['datasets'] if (found := _taken(child, parts, seed))]
    return node if node['datasets'] else None


def unrepeated(dataset: dict) -> dict:
    """Without the wrappers that repeat samples."""
    while type_name(dataset) in _REPEATING:
        dataset = dataset['dataset']
    if not inner_nodes(dataset):
        return dataset
    copied = dict(dataset)
    if isinstance(dataset.get('dataset'), dict):
        copied['dataset'] = unrepeated(dataset['dataset'])
    if dataset.get('datasets'):
        copied['datasets'] = [unrepeated(child) for child in dataset['datasets']]
    return copied


def plain(dataset: dict, scope: str | None) -> dict:
    """What S_val is loaded by: the training's transforms, but for DDASAugment and others that augment or mix images.

    Flips and crops stay. A MultiImageMixDataset gives way to its data set, whose pipeline gets its transforms that work
    on one image.
    """
    if type_name(dataset) == 'MultiImageMixDataset':
        inner = plain(dataset['dataset'], scope)
        single = [step for step in dataset['pipeline'] if not (_augments(step, scope) or _of_mixtures(step, scope))]
        for leaf in leaves(inner):
            leaf['pipeline'] = [*leaf['pipeline'], *copy.deepcopy(single)]
        return inner
    copied = copy.deepcopy(dataset)
    if copied.get('pipeline'):
        copied['pipeline'] = [step for step in copied['pipeline'] if not _augments(step, scope)]
        if any(type_name(step) in _OF_FLOATS for step in copied['pipeline']):
            for step in copied['pipeline']:
                if type_name(step) == 'LoadImageFromFile':
                    step['to_float32'] = True  # as transforms have made them that are left out
    for key in ('dataset', 'datasets'):
        if isinstance(copied.get(key), dict):
            copied[key] = plain(copied[key], scope)
        elif copied.get(key):
            copied[key] = [plain(child, scope) for child in copied[key]]
    return copied


def missing_steps(dataset: dict, other: dict) -> list[str]:
    """Names of the transforms that the first data set's pipelines have and the other's have not."""
    return [name for name in _steps(dataset) if name not in _steps(other)]


def _steps(dataset: dict) -> list[str]:
    found = [name for node in inner_nodes(dataset) for name in _steps(node)]
    return list(dict.fromkeys([*found, *map(type_name, dataset.get('pipeline') or ())]))


def _augments(step: dict, scope: str | None) -> bool:
    kind = type_class(TRANSFORMS, step, scope)
    names = {type_name(step).split('/')[-1]} | {base.__name__ for base in getattr(kind, '__mro__', ())}
    return bool(names & _AUGMENTING) and not _sizes([*step.values()])


def _sizes(node: object) -> bool:
    """Whether a transform holds one that brings images to a size, as DETR's AutoAugment did."""
    if isinstance(node, dict):
        name = type_name(node)
        return 'Resize' in name or 'Crop' in name or _sizes(list(node.values()))
    return isinstance(node, (list, tuple)) and any(map(_sizes, node))


def _of_mixtures(step: dict, scope: str | None) -> bool:
    kind = type_class(TRANSFORMS, step, scope)
    return kind is not None and mixes(kind)


def elsewhere(dataset: dict, ann_file: str | None, data_root: str | None, images: str | None = None) -> dict:
    """S_val's data set from other files: the first of the training's, with these in the place of its own.

    Args:
        dataset: The training's; stays as it is.
        ann_file, data_root, images: ``--val-ann``, ``--val-data-root`` and ``--val-images``; None: as in the training.

    Raises:
        FileNotFoundError: There is no such file or folder.
        ValueError: The annotation file is a folder, or the data set has no prefix of its images.
    """
    leaf = copy.deepcopy(next(leaves(dataset)))
    if data_root is not None:
        if not Path(data_root).is_dir():
            raise FileNotFoundError(f'--val-data-root: there is no folder {data_root!r}')
        leaf['data_root'] = data_root
        own = leaf.get('ann_file')
        if ann_file is None and isinstance(own, str) and not Path(data_root, own).exists():
            raise FileNotFoundError(f'--val-data-root: there is no {str(Path(data_root, own))!r}; --val-ann names it')
    if ann_file is not None:
        inside = Path(leaf.get('data_root') or '', ann_file)
        folder = next((path for path in (inside, Path(ann_file)) if path.is_dir()), None)
        if folder is not None:
            raise ValueError(
                f'--val-ann: {str(folder)!r} is a folder, and an annotation file is wanted; of images with other '
                'annotation files below another folder, --val-data-root names that'
            )
        if not inside.is_file() and not Path(ann_file).is_file():
            raise FileNotFoundError(f'--val-ann: there is no file {ann_file!r}, nor {str(inside)!r}')
        leaf['ann_file'] = ann_file if inside.is_file() else str(Path(ann_file).resolve())
    if images is not None:
        inside = Path(leaf.get('data_root') or '', images)
        if not inside.is_dir() and not Path(images).is_dir():
            raise FileNotFoundError(f'--val-images: there is no folder {images!r}, nor {str(inside)!r}')
        leaf['data_prefix'] = _prefix(leaf, images if inside.is_dir() else str(Path(images).resolve()))
    return leaf


def _prefix(leaf: dict, images: str) -> str | dict:
    """A data set's ``data_prefix`` with another folder of images."""
    prefix = leaf.get('data_prefix')
    if prefix is None or isinstance(prefix, str):
        return dict(img_path=images) if prefix is None else images
    key = next((key for key in ('img', 'img_path') if key in prefix), None)
    if key is None:
        raise ValueError(
            f'--val-images: data_prefix of {type_name(leaf)} is {dict(prefix)}, where no folder of images is named; '
            '--val-data-root names the folder below which S_val lies as the training images do below theirs'
        )
    return dict(prefix, **{key: images})


def look_elsewhere(leaf: dict, probes: list[Probe]) -> Probe:
    """:func:`probe` of :func:`elsewhere`.

    Args:
        probes: Of the training.

    Raises:
        FileNotFoundError: An image is not there.
        ValueError: Some are images of the training, or it has none.
    """
    hint = "--val-images names the folder of its images, by default the training's"
    try:
        found = probe(leaf, 1)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'S_val: {error}; {hint}') from error
    ours = set(found.files())
    shared = {path for other in probes for path in other.files() if path in ours} if ours else ()
    if shared:
        raise ValueError(
            f'{len(shared)} of the {found.images} images of S_val are images of the training, {min(shared)} for '
            'instance: the policy would be judged on what the network learns. If they have the same names, but lie in '
            f'another folder, {hint}'
        )
    return found
