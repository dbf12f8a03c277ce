"""Stratified subsets: proportions, disjointness, seeds."""

import numpy as np
import pytest
from mmengine.dataset import BaseDataset, Compose

from mmddas.datasets import DDASAugment, StratifiedSubset, find_augments, stratified_order


class Labelled(BaseDataset):
    """A data set whose samples are dicts of their own index and label."""

    METAINFO = dict(classes=('a', 'b', 'c'))

    def __init__(self, labels, pipeline=(), **kwargs):
        self.labels = labels
        super().__init__(pipeline=list(pipeline), lazy_init=True, **kwargs)

    def load_data_list(self):
        return [dict(number=number, gt_label=int(label)) for number, label in enumerate(self.labels)]

    def get_gt_labels(self):
        return np.array([self.get_data_info(i)['gt_label'] for i in range(len(self))])

    def get_cat_ids(self, index):
        return [self.get_data_info(index)['gt_label']]


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
    assert len(subset) == 50 and subset.metainfo['classes'] == ('a', 'b', 'c')
    assert [subset[i]['number'] for i in range(50)] == subset.indices.tolist()
    assert [subset[i]['gt_label'] for i in range(50)] == subset.get_gt_labels().tolist()
    assert subset.get_cat_ids(7) == [subset.get_gt_labels()[7]]


def test_what_replaces_a_rejected_sample_is_of_the_subset_too():
    accepted = []
    reject_most = Compose([])
    reject_most.transforms = [lambda results: results if results['number'] in accepted else None]
    dataset = Labelled(UNEVEN)
    dataset.pipeline = reject_most
    subset = StratifiedSubset(dataset, 60)
    accepted += subset.indices[:20].tolist()
    accepted += sorted(set(range(700)) - set(subset.indices.tolist()))
    assert {subset[i]['number'] for i in range(20, 60)} <= set(subset.indices[:20].tolist())


def test_a_hook_that_switches_the_pipeline_switches_that_of_the_data_set():
    """MMDetection's sets it on what the data loader has."""
    subset = StratifiedSubset(Labelled(EVEN), 5)
    subset.pipeline = Compose([])
    subset.pipeline.transforms = [lambda results: 'switched', DDASAugment()]
    assert find_augments(subset) == subset.pipeline.transforms[1:]
    del subset.pipeline.transforms[1]
    assert subset[0] == 'switched' and subset.dataset.pipeline is subset.pipeline


def test_everything_can_be_asked_for():
    assert sorted(StratifiedSubset(Labelled(UNEVEN), len(UNEVEN)).indices) == list(range(len(UNEVEN)))


@pytest.mark.parametrize('arguments', [dict(num_samples=601), dict(num_samples=400, skip=201), dict(num_samples=0)])
def test_more_than_there_is_is_refused(arguments):
    with pytest.raises(ValueError, match='has 600'):
        StratifiedSubset(Labelled(EVEN), **arguments)


def test_augmentation_is_found_inside():
    (augment,) = find_augments(StratifiedSubset(Labelled(EVEN, [DDASAugment()]), 10))
    assert isinstance(augment, DDASAugment)


@pytest.mark.parametrize('labels', [[[0], [0, 2], [0], [1, 0]] * 10, [[0, 1], [1, 2], [0, 1], [1, 0]] * 10])
def test_of_several_labels_the_rarest_is_shared_out(labels):
    class Several(Labelled):
        def load_data_list(self):
            return [dict(gt_label=found) for found in self.labels]

        def get_cat_ids(self, index):
            return self.get_data_info(index)['gt_label']

    parts = [StratifiedSubset(Several(labels), 20, skip=skip) for skip in (0, 20)]
    assert [sum(2 in part[index]['gt_label'] for index in range(20)) for part in parts] == [5, 5]
