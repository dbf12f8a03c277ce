"""Stratified subsets: proportions, disjointness, seeds."""

import numpy as np
import pytest

from mmddas.datasets import StratifiedSubset, find_augments, stratified_order


class Labelled:
    """A data set whose samples are their own indices."""

    metainfo = dict(classes=('a', 'b', 'c'))

    def __init__(self, labels):
        self.labels = np.asarray(labels)
        self.initialised = False

    def full_init(self):
        self.initialised = True

    def get_gt_labels(self):
        return self.labels

    def get_cat_ids(self, index):
        return [int(self.labels[index])]

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return index


EVEN = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 60))
UNEVEN = np.random.default_rng(1).permutation(np.repeat([0, 1, 2], [600, 90, 10]))


def test_equal_classes_are_drawn_equally():
    for num_samples in (10, 200, 600):
        subset = StratifiedSubset(Labelled(EVEN), num_samples)
        assert (np.bincount(subset.get_gt_labels(), minlength=10) == num_samples // 10).all()


@pytest.mark.parametrize('start', [0, 70, 210])
def test_every_stretch_holds_the_classes_in_their_proportions(start):
    labels = UNEVEN[stratified_order(UNEVEN, seed=3)[start : start + 140]]
    assert np.abs(np.bincount(labels, minlength=3) - [120, 18, 2]).max() <= 1


def test_training_and_validation_part_are_disjoint_halves_of_their_union():
    parts = [StratifiedSubset(Labelled(EVEN), 200, skip=skip) for skip in (0, 200)]
    union = StratifiedSubset(Labelled(EVEN), 400)
    first, second = (set(part.indices.tolist()) for part in parts)
    assert not first & second
    assert first | second == set(union.indices.tolist())


def test_the_seed_decides():
    first, same, other = (StratifiedSubset(Labelled(EVEN), 100, seed=seed).indices for seed in (0, 0, 1))
    assert np.array_equal(first, same) and set(first) != set(other)


def test_samples_and_labels_are_those_of_the_wrapped_data_set():
    subset = StratifiedSubset(Labelled(UNEVEN), 50)
    assert subset.dataset.initialised and len(subset) == 50 and subset.metainfo == Labelled.metainfo
    assert [subset[i] for i in range(50)] == subset.indices.tolist()
    assert subset.get_cat_ids(7) == [subset.get_gt_labels()[7]]


def test_everything_can_be_asked_for():
    assert sorted(StratifiedSubset(Labelled(UNEVEN), len(UNEVEN)).indices) == list(range(len(UNEVEN)))


@pytest.mark.parametrize('arguments', [dict(num_samples=601), dict(num_samples=400, skip=201), dict(num_samples=0)])
def test_more_than_there_is_is_refused(arguments):
    with pytest.raises(ValueError, match='has 600'):
        StratifiedSubset(Labelled(EVEN), **arguments)


def test_augmentation_is_found_inside():
    inner = Labelled(EVEN)
    assert find_augments(StratifiedSubset(inner, 10)) == []
