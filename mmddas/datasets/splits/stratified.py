"""Stratified subsets of a data set, without a file: S_train and S_val of a search."""

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
from mmengine.registry import DATASETS
from torch.utils.data import Dataset


def stratified_order(labels: np.ndarray, seed: int) -> np.ndarray:
    """Draw all indices in a random order of which every stretch holds the classes in their proportions.

    Args:
        labels: ``(N,)`` class numbers.
        seed: The order's.

    Returns:
        Indices ``(N,)``. Where all C classes are of one size, the first ``n C`` hold n of each.
    """
    rng = np.random.default_rng(seed)
    labels = np.asarray(labels)
    quantiles = np.empty(len(labels))
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        quantiles[members] = (np.arange(len(members)) + 0.5) / len(members)
    shuffled = rng.permutation(len(labels))  # ties between classes in random order
    return shuffled[np.argsort(quantiles[shuffled], kind='stable')]


def rarest_classes(classes: Sequence[Collection[int]]) -> np.ndarray:
    """Return the rarest class of each sample, ``(N,)``: that which fewest samples have; -1 without any.

    Drawn by it, rare classes are shared out in proportion; frequent ones, which most samples have, come along.
    """
    having = Counter(label for found in classes for label in set(found))
    return np.array([min(found, key=lambda label: (having[label], label), default=-1) for found in classes], int)


def strata(dataset: Dataset) -> np.ndarray:
    """Return the class that each sample is drawn by, ``(N,)``: its label, or the rarest of several."""
    if hasattr(dataset, 'get_gt_labels') and np.isscalar(dataset.get_data_info(0).get('gt_label', 0)):
        return np.asarray(dataset.get_gt_labels())
    try:
        return rarest_classes([dataset.get_cat_ids(index) for index in range(len(dataset))])
    except NotImplementedError:  # BaseDataset's own: nothing is known of classes
        return np.full(len(dataset), -1)


@DATASETS.register_module()
class StratifiedSubset(Dataset):
    """Some samples of a data set, each class in its proportion, drawn by a seed.

    Subsets of one seed are stretches of one order: S_train as the first 2,000 samples and S_val as the next 2,000
    (``skip=2000``) are disjoint, and the first 4,000 are both together. A sample with objects of several classes is
    drawn as one of the rarest; those without objects have their share, too.

    Args:
        dataset: A data set of MMDetection's or MMPretrain's (an MMEngine ``BaseDataset`` with ``get_cat_ids(index)`` or
            ``get_gt_labels()``), or its config.
        num_samples: How many.
        skip: How many samples of the order come before the first one.
        seed: The draw's; it need not be the run's.

    Raises:
        ValueError: More samples than there are, or none.
        TypeError: It is no ``BaseDataset``: a wrapper, whose inner data set is to be wrapped, or none of MMEngine's.

    Example:
        >>> train_dataloader = dict(batch_size=32, dataset=dict(
        ...     type='StratifiedSubset', num_samples=2000,
        ...     dataset=dict(type='CIFAR10', data_root='data/cifar10', split='train', pipeline=[...])))
    """

    def __init__(self, dataset: Dataset | dict, num_samples: int, skip: int = 0, seed: int = 0) -> None:
        dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        if not hasattr(dataset, 'get_subset') or hasattr(dataset, 'dataset') or hasattr(dataset, 'datasets'):
            raise TypeError(
                f'StratifiedSubset cannot take samples of {type(dataset).__name__}: it takes an MMEngine BaseDataset; '
                'of wrappers (RepeatDataset, ConcatDataset, ...) wrap the inner data sets'
            )
        dataset.full_init()
        total = len(dataset)
        if num_samples < 1 or skip < 0 or skip + num_samples > total:
            raise ValueError(
                f'StratifiedSubset: {num_samples} samples after the first {skip} are asked for, the data set has '
                f'{total}: num_samples + skip must be at most that, num_samples at least 1'
            )
        order = stratified_order(strata(dataset), seed)
        self.indices = order[skip : skip + num_samples]
        # A data set of its own, so that what replaces a rejected sample is of the subset too.
        self.dataset = dataset.get_subset(self.indices.tolist())

    @property
    def metainfo(self) -> dict:
        return self.dataset.metainfo

    @property
    def pipeline(self) -> object:
        """The data set's pipeline, which some hooks switch."""
        return self.dataset.pipeline

    @pipeline.setter
    def pipeline(self, pipeline: object) -> None:
        self.dataset.pipeline = pipeline

    def full_init(self) -> None:
        """Do nothing: it is done at construction, and the Runner asks for it."""

    def get_gt_labels(self) -> np.ndarray:
        return self.dataset.get_gt_labels()

    def get_data_info(self, index: int) -> dict:
        return self.dataset.get_data_info(index)

    def get_cat_ids(self, index: int) -> list[int]:
        return self.dataset.get_cat_ids(index)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> object:
        return self.dataset[index]
