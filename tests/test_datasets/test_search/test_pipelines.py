"""What stands before and after DDASAugment in a search, and what cannot."""

import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, TRANSFORMS
from torch.utils.data import BatchSampler, DataLoader

from mmddas.core import SearchSpace
from mmddas.datasets import SearchDataset, policy_loader, search_loader
from mmddas.datasets.search import SampleKey

SPACE = SearchSpace([('Solarize', 0)], num_ops=1)


@DATASETS.register_module()
class BoxedImages(BaseDataset):
    """Eight grey images with a box."""

    METAINFO = dict(classes=('thing',))

    def load_data_list(self) -> list[dict]:
        return [dict(number=number) for number in range(8)]

    def get_cat_ids(self, idx: int) -> list[int]:
        return [0]


@TRANSFORMS.register_module()
class MakeImage(BaseTransform):
    def transform(self, results: dict) -> dict:
        results['img'] = np.full((16, 16, 3), 10 * results['number'], np.uint8)
        results['img_shape'] = (16, 16)
        results['gt_bboxes'] = np.array([[2, 2, 9, 9]], np.float32)
        results['gt_bboxes_labels'] = np.zeros(1, np.int64)
        results['gt_ignore_flags'] = np.zeros(1, bool)
        return results


@TRANSFORMS.register_module()
class RejectNegatives(BaseTransform):
    def transform(self, results: dict) -> dict | None:
        return None if results['img'].max() > 127 else results


@TRANSFORMS.register_module()
class AddOne(BaseTransform):
    def transform(self, results: dict) -> dict:
        results['img'] = results['img'] + 1
        return results


class Composed:
    """Draws as what Albumentations composes does: from a generator of its own."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng()

    def set_random_seed(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)


@TRANSFORMS.register_module()
class OwnGenerator(BaseTransform):
    def __init__(self) -> None:
        self.aug = Composed()

    def transform(self, results: dict) -> dict:
        results['drawn'] = int(self.aug.rng.integers(1 << 30))
        return results


@TRANSFORMS.register_module()
class AddNoise(BaseTransform):
    def transform(self, results: dict) -> dict:
        results['img'] = results['img'] + np.random.randint(0, 9, results['img'].shape, np.uint8)
        return results


def search_dataset(*pipeline, **wrapper) -> SearchDataset:
    made = dict(type='BoxedImages', pipeline=[dict(type='MakeImage')] if wrapper else [*map(step, pipeline)])
    if wrapper:
        made = dict(type='MultiImageMixDataset', dataset=made, pipeline=[*map(step, pipeline)], **wrapper)
    return SearchDataset(DATASETS.build(made), SPACE, num_sub_policies=2, seed=0)


def step(name_or_step: str | dict) -> dict:
    return dict(type=name_or_step) if isinstance(name_or_step, str) else name_or_step


def views(dataset: SearchDataset, index: int = 3) -> list[dict]:
    return dataset[SampleKey(index, 0, 0)].sample.views


@pytest.mark.parametrize('name', ['CachedMosaic', 'CachedMixUp'])
@pytest.mark.parametrize('after', [True, False])
def test_transforms_that_remember_other_samples_are_refused(name, after):
    cached = dict(type=name, img_scale=(16, 16))
    steps = ['DDASAugment', cached] if after else [cached, 'DDASAugment']
    with pytest.raises(ValueError, match=f'{name} keeps images of earlier samples.*leave {name} out'):
        search_dataset('MakeImage', *steps)
    dataset = DATASETS.build(dict(type='BoxedImages', pipeline=[step('MakeImage'), cached]))
    with pytest.raises(ValueError, match=f'{name} keeps images'):
        policy_loader(DataLoader(dataset, batch_size=2), seed=0, start=0)


@pytest.mark.parametrize('mixing', ['Mosaic', 'MixUp', 'CopyPaste'])
def test_mixing_transforms_belong_before_the_views(mixing):
    scale = {} if mixing == 'CopyPaste' else dict(img_scale=(16, 16))
    with pytest.raises(ValueError, match=f'{mixing} mixes images, and comes after DDASAugment'):
        search_dataset('DDASAugment', dict(type=mixing, **scale), max_refetch=5)


def test_mixing_transforms_before_the_views_work():
    mosaic = dict(type='Mosaic', img_scale=(16, 16), pad_val=0)
    clean, first, second = views(search_dataset(mosaic, 'DDASAugment', max_refetch=5))
    assert clean['img'].shape == (32, 32, 3) and len(np.unique(clean['img'])) > 1
    assert np.array_equal(255 - clean['img'], first['img']) and np.array_equal(first['img'], second['img'])


def test_what_is_skipped_by_its_type_is_skipped_after_the_views_too():
    clean, *_ = views(search_dataset('DDASAugment', 'AddOne', max_refetch=5))
    assert clean['img'][0, 0, 0] == 31
    clean, *_ = views(search_dataset('DDASAugment', 'AddOne', max_refetch=5, skip_type_keys=('AddOne',)))
    assert clean['img'][0, 0, 0] == 30


def test_a_rejected_view_is_a_clean_one_of_its_own():
    """What changes one of them in place, as BatchSyncRandomResize changes boxes, does not change the other."""
    clean, first, second = views(search_dataset('MakeImage', 'DDASAugment', 'RejectNegatives'))
    for rejected in (first, second):
        assert np.array_equal(clean['img'], rejected['img']) and np.array_equal(clean['gt_bboxes'], [[2, 2, 9, 9]])
        rejected['gt_bboxes'] *= 2
        rejected['img'] += 1
    assert np.array_equal(clean['gt_bboxes'], [[2, 2, 9, 9]]) and clean['img'][0, 0, 0] == 30


@pytest.mark.parametrize(
    'switch',
    [
        lambda dataset: setattr(dataset, 'pipeline', []),
        lambda dataset: dataset.update_skip_type_keys(('Mosaic',)),
    ],
)
def test_a_pipeline_cannot_be_switched_under_a_search(switch):
    with pytest.raises(RuntimeError, match='a search keeps the one that it began with'):
        switch(search_dataset('MakeImage', 'DDASAugment'))
    assert torch.is_tensor(search_dataset('MakeImage', 'DDASAugment').sub_policies(0, 0)[0])


@pytest.mark.parametrize('place', [1, 2])
def test_generators_of_a_transforms_own_are_functions_of_the_key(place):
    """Before DDASAugment, where the views share what is drawn, and after it, where each draws."""
    steps = ['MakeImage', 'DDASAugment']
    steps.insert(place, 'OwnGenerator')
    first, second = search_dataset(*steps), search_dataset(*steps)
    views(second, 5)
    drawn = [[view['drawn'] for view in views(dataset)] for dataset in (first, second)]
    assert drawn[0] == drawn[1] and len(set(drawn[0])) == (1 if place == 1 else 3)
    assert drawn[0] != [view['drawn'] for view in views(first, 4)]


def test_an_image_that_a_batch_has_twice_is_augmented_twice():
    """As samplers for repeated augmentation want it."""
    made = dict(type='BoxedImages', pipeline=[*map(step, ['MakeImage', 'AddNoise', 'DDASAugment'])])
    found = []
    for _ in range(2):
        batches = BatchSampler([3, 3, 2, 3], 4, False)
        loader = DataLoader(DATASETS.build(made), batch_sampler=batches, collate_fn=lambda samples: samples)
        found.append(next(iter(search_loader(loader, SPACE, 2, 0)))['data']['views'])
    (clean, *_), again = found
    images = [sample['img'] for sample in clean]
    assert not any(np.array_equal(images[0], other) for other in images[1:])
    assert not np.array_equal(images[1], images[3])
    assert all(np.array_equal(image, sample['img']) for image, sample in zip(images, again[0], strict=True))
    assert np.array_equal(images[0], views(search_dataset('MakeImage', 'AddNoise', 'DDASAugment'))[0]['img'])
