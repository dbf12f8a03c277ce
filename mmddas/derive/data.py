"""Draw S_train and S_val from a training's data set, whatever wraps it."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, TRANSFORMS, init_default_scope

from mmddas.config_nodes import inner_nodes, leaves, nodes, training_dataset, type_class, type_name, with_inner_nodes
from mmddas.datasets.samples import check_sample

from .placing import Place, mixes

_PROBED = 8  # images of a data set that are loaded to learn their size
# The operations' lengths are for images of this size (COCO's). Smaller images (below two thirds) and larger ones (above
# twice) get them in proportion: on 320x240 photos, unscaled ones would move boxes out of the image in 6% of the draws.
REFERENCE_SIZE = 640
SMALL = 64  # up to this size, the search space is CIFAR's
# Wrappers that repeat samples: a search has no use for an epoch's length, or for balanced classes.
_REPEATING = ('RepeatDataset', 'ClassBalancedDataset')
# Transforms that need float images.
_OF_FLOATS = ('RandomCenterCropPad',)
# Transforms of MMDetection, MMPretrain and torchvision, and base classes of such, that change colours, hide parts or
# move things: the network can do without. Crops stay, since they may bring an image to the network's size.
_AUGMENTING = {
    *('DDASAugment', 'AutoAugment', 'RandAugment', 'BaseAugTransform', 'ColorTransform', 'GeomTransform', 'Corrupt'),
    *('PhotoMetricDistortion', 'YOLOXHSVRandomAug', 'ColorJitter', 'Lighting', 'RandomGrayscale', 'RandomErasing'),
    *('CutOut', 'Albu', 'Albumentations', 'InstaBoost', 'RandomAffine', 'RandomShift', 'Expand', 'MinIoURandomCrop'),
    *('TrivialAugmentWide', 'AugMix', 'GaussianBlur', 'RandomRotation', 'RandomPerspective', 'ElasticTransform'),
    *('RandomInvert', 'RandomPosterize', 'RandomSolarize', 'RandomEqualize', 'RandomAutocontrast'),
    *('RandomAdjustSharpness', 'RandomPhotometricDistort', 'RandomZoomOut', 'RandomIoUCrop'),
}


class Probe(NamedTuple):
    """A built data set, and what its images are like where the operations get them.

    Args:
        dataset: The data set, with the transforms before the operations.
        longer_side: Of an image, in pixels: the median of some.
        rgb: Whether the data set brings images, which are RGB then; files are read as BGR.
    """

    dataset: BaseDataset
    longer_side: int
    rgb: bool

    @property
    def classes(self) -> int | None:
        """The number of classes; None where the data set does not say."""
        classes = self.dataset.metainfo.get('classes')
        return None if classes is None else len(classes)

    def files(self) -> Iterator[str]:
        """Yield the images' files; none for images that the data set brings itself."""
        for index in range(len(self.dataset)):
            path = self.dataset.get_data_info(index).get('img_path')
            if path is not None:
                yield path if '://' in path else os.path.abspath(path)


def probe(leaf: dict, index: int) -> Probe:
    """Build a data set and load some of its images with its first ``index`` transforms.

    Raises:
        ValueError: It has no samples, or one that operations cannot work on, which is named.
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
                'image: give a loading transform of your own a name that begins with Load, or a base class with one'
            )
        try:
            check_sample(results)
        except ValueError as error:
            raise ValueError(f'{results.get("img_path", f"sample {sample}")}: {error}') from error
        sides.append(max(results['img'].shape[:2]))
    if not sides:
        raise ValueError(f'The pipeline of {type_name(leaf)} rejects all {_PROBED} samples that were tried')
    return Probe(dataset, int(np.median(sides)), rgb)


def look_at(config: Config, places: list[Place]) -> list[Probe]:
    """:func:`probe` every data set of a training, in the order of :func:`leaves`."""
    init_default_scope(config.get('default_scope') or 'mmengine')
    found = []
    for leaf in leaves(training_dataset(config)):
        steps = leaf.get('pipeline') or []
        # Where the operations stand in a wrapper's pipeline, all of the data set's own comes before them.
        index = next((place.index for place in places if place.pipeline is steps), len(steps))
        found.append(probe(leaf, index))
    return found


def check_no_subset(dataset: dict) -> None:
    """Raise ValueError for a training on a StratifiedSubset, from which no other can be drawn."""
    if any(type_name(node) == 'StratifiedSubset' for node in nodes(dataset)):
        raise ValueError(
            'the training is on a StratifiedSubset, and a search draws its own from the data set within: give a config '
            'of a training on that, with --num-train and --num-val, or write the search by hand (docs/search_config.md)'
        )


def augment_settings(scope: str, probes: list[Probe]) -> dict:
    """Return the settings of DDASAugment that the data ask for.

    Lengths in pixels are scaled for detectors alone: a classifier's one operation with such lengths, CutoutAbs, has
    them as published for images of CIFAR's and ImageNet's sizes.
    """
    settings = {}
    side = sorted(found.longer_side for found in probes)[len(probes) // 2]
    if scope == 'mmdet' and side > SMALL and not REFERENCE_SIZE * 2 / 3 <= side <= REFERENCE_SIZE * 2:
        settings['reference_size'] = REFERENCE_SIZE
    if any(found.rgb for found in probes):
        settings['channel_order'] = 'rgb'
    return settings


def preset_for(scope: str, probes: list[Probe]) -> str:
    """Return the name of the search space for a task and its images."""
    if scope == 'mmdet':
        return 'detection'
    return 'cifar' if max(found.longer_side for found in probes) <= SMALL else 'imagenet'


def apportion(counts: list[int], wanted: int) -> list[int]:
    """Divide ``wanted`` samples among data sets of these sizes, in proportion, and to none more than it has."""
    ends = np.round(np.cumsum(counts) / sum(counts) * wanted).astype(int)
    return np.diff(ends, prepend=0).tolist()


def take(dataset: dict, numbers: list[int], skips: list[int], seed: int) -> dict:
    """Return a copy of a data set's config with some samples of each data set within, in the order of :func:`leaves`.

    Args:
        dataset: The data set, with its wrappers.
        numbers: Samples of each; a data set with none is left out.
        skips: Samples that come before them in the order of ``seed``.
    """
    parts = iter(zip(numbers, skips, strict=True))
    return _taken(copy.deepcopy(dataset), parts, seed)


def _taken(node: dict, parts: Iterator[tuple[int, int]], seed: int) -> dict | None:
    if not inner_nodes(node):
        number, skip = next(parts)
        subset = dict(type='StratifiedSubset', num_samples=number, skip=skip, seed=seed, dataset=node)
        return subset if number else None
    node = with_inner_nodes(node, lambda child: _taken(child, parts, seed))
    if node.get('datasets'):
        node['datasets'] = [child for child in node['datasets'] if child]
    return node if inner_nodes(node) else None


def unrepeated(dataset: dict) -> dict:
    """Return a data set's config without the wrappers that repeat samples."""
    while type_name(dataset) in _REPEATING:
        dataset = dataset['dataset']
    return with_inner_nodes(dataset, unrepeated)


def plain(dataset: dict, scope: str | None) -> dict:
    """Return the training's data set without DDASAugment and other transforms that augment or mix images, for S_val.

    Flips and crops stay. A MultiImageMixDataset gives way to its data set, whose pipeline gets those of its transforms
    that work on one image.
    """
    if type_name(dataset) == 'MultiImageMixDataset':
        inner = plain(dataset['dataset'], scope)
        single = [step for step in dataset['pipeline'] if not (_augments(step, scope) or _mixes(step, scope))]
        for leaf in leaves(inner):
            leaf['pipeline'] = [*leaf['pipeline'], *copy.deepcopy(single)]
        return inner
    copied = copy.deepcopy(dataset)
    if copied.get('pipeline'):
        copied['pipeline'] = [step for step in copied['pipeline'] if not _augments(step, scope)]
        if any(type_name(step) in _OF_FLOATS for step in copied['pipeline']):
            for step in copied['pipeline']:
                if type_name(step) == 'LoadImageFromFile':
                    step['to_float32'] = True  # as a transform that is left out has made them
    return with_inner_nodes(copied, lambda child: plain(child, scope))


def missing_steps(dataset: dict, other: dict) -> list[str]:
    """Return the names of the transforms that the first data set's pipelines have and the other's have not."""
    return [name for name in _steps(dataset) if name not in _steps(other)]


def _steps(dataset: dict) -> list[str]:
    found = [name for node in inner_nodes(dataset) for name in _steps(node)]
    return list(dict.fromkeys([*found, *map(type_name, dataset.get('pipeline') or ())]))


def _augments(step: dict, scope: str | None) -> bool:
    kind = type_class(TRANSFORMS, step, scope)
    names = {type_name(step).split('/')[-1]} | {base.__name__ for base in getattr(kind, '__mro__', ())}
    # One that holds a Resize or Crop brings images to their size, as DETR's AutoAugment does.
    sizes = any('Resize' in name or 'Crop' in name for name in map(type_name, nodes([*step.values()])))
    return bool(names & _AUGMENTING) and not sizes


def _mixes(step: dict, scope: str | None) -> bool:
    kind = type_class(TRANSFORMS, step, scope)
    return kind is not None and mixes(kind)


def elsewhere(dataset: dict, ann_file: str | None, data_root: str | None, images: str | None = None) -> dict:
    """Return S_val's data set from other files: the first of the training's, with these files instead of its own.

    Args:
        dataset: The training's; stays as it is.
        ann_file, data_root, images: ``--val-ann``, ``--val-data-root`` and ``--val-images``; None: as in the training.

    Raises:
        FileNotFoundError: There is no such file or folder.
        ValueError: The annotation file is a folder, or the data set names no folder of images.
    """
    leaf = copy.deepcopy(next(leaves(dataset)))
    if data_root is not None:
        if not Path(data_root).is_dir():
            raise FileNotFoundError(f'--val-data-root: there is no folder {data_root!r}')
        leaf['data_root'] = data_root
        own = leaf.get('ann_file')
        if ann_file is None and isinstance(own, str) and not Path(data_root, own).exists():
            raise FileNotFoundError(f'--val-data-root: there is no {str(Path(data_root, own))!r}; --val-ann names it')
    root = leaf.get('data_root') or ''
    if ann_file is not None:
        folder = next((path for path in (Path(root, ann_file), Path(ann_file)) if path.is_dir()), None)
        if folder is not None:
            raise ValueError(
                f'--val-ann: {str(folder)!r} is a folder, and an annotation file is wanted; --val-data-root names a '
                'folder below which images and annotations lie as in the training'
            )
        leaf['ann_file'] = _existing('--val-ann', ann_file, root, Path.is_file)
    if images is not None:
        leaf['data_prefix'] = _with_images(leaf, _existing('--val-images', images, root, Path.is_dir))
    return leaf


def _existing(option: str, path: str, root: str, exists: Callable[[Path], bool]) -> str:
    """Return the path by which a data set with this ``data_root`` finds a file or folder below that, or from here."""
    if exists(Path(root, path)):
        return path
    if exists(Path(path)):
        return str(Path(path).resolve())
    kind = 'file' if exists is Path.is_file else 'folder'
    raise FileNotFoundError(f'{option}: there is no {kind} {path!r}, nor {str(Path(root, path))!r}')


def _with_images(leaf: dict, images: str) -> str | dict:
    """Return a data set's ``data_prefix`` with another folder of images."""
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
    """:func:`probe` an S_val from :func:`elsewhere`.

    Args:
        probes: Those of the training.

    Raises:
        FileNotFoundError: An image is not there.
        ValueError: It has no samples, or some are images of the training.
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
            f'{len(shared)} of the {len(found.dataset)} images of S_val are images of the training, {min(shared)} for '
            'instance: the policy would be judged on what the network learns. If they have the same names, but lie in '
            f'another folder, {hint}'
        )
    return found
