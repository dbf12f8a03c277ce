"""Batches come out of data workers as they went in, in one piece of shared memory."""

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.structures import InstanceData
from torch.utils.data import DataLoader, Dataset

from mmddas.datasets.search import end_workers
from mmddas.datasets.search.packing import PackedBatch

TENSORS = {
    'uint8': torch.arange(60, dtype=torch.uint8).reshape(3, 4, 5),
    'float64': torch.randn(7, dtype=torch.float64),
    'bfloat16': torch.randn(5).bfloat16(),
    'bool': torch.tensor([True, False]),
    'scalar': torch.tensor(3),
    'empty': torch.zeros(0, 4),
    'transposed': torch.arange(12.0).reshape(3, 4).T,
    'broadcast': torch.ones(1).expand(4),
    'strided': torch.arange(20)[::3],
}


def received(packed: PackedBatch) -> object:
    make, arguments = packed.__reduce__()
    return make(*arguments)


def sent(batch: object) -> object:
    return received(PackedBatch(batch))


@pytest.mark.parametrize('name', TENSORS)
def test_tensors_keep_contents_type_and_shape(name):
    tensor = TENSORS[name]
    found = sent([tensor])[0]
    assert found.dtype is tensor.dtype and found.shape == tensor.shape and torch.equal(found, tensor)


def test_gradients_conjugates_and_subclasses_are_left_to_pickle():
    with_gradient = torch.nn.Parameter(torch.randn(3))
    conjugate = torch.tensor([1 + 2j]).conj()
    found = sent(dict(a=with_gradient, b=conjugate))
    assert type(found['a']) is torch.nn.Parameter and torch.equal(found['a'], with_gradient)
    assert torch.equal(found['b'].resolve_conj(), conjugate.resolve_conj())


def sample(seed: int) -> dict:
    """What PackDetInputs makes of an image."""
    generator = torch.Generator().manual_seed(seed)
    data_sample = DetDataSample(metainfo=dict(scale_factor=(1.0, 2.0), homography_matrix=np.eye(3, dtype=np.float32)))
    boxes = HorizontalBoxes(torch.rand(seed, 4, generator=generator))
    data_sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.arange(seed))
    inputs = torch.randint(0, 256, (3, 16, 24), dtype=torch.uint8, generator=generator)
    return dict(inputs=inputs, data_samples=data_sample)


def assert_same(found: dict, expected: dict) -> None:
    assert torch.equal(found['inputs'], expected['inputs'])
    ours, theirs = found['data_samples'], expected['data_samples']
    assert torch.equal(ours.gt_instances.bboxes.tensor, theirs.gt_instances.bboxes.tensor)
    assert torch.equal(ours.gt_instances.labels, theirs.gt_instances.labels)
    assert ours.scale_factor == theirs.scale_factor
    assert np.array_equal(ours.homography_matrix, theirs.homography_matrix)


class Samples(Dataset):
    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> dict:
        return sample(index)


@pytest.mark.parametrize(('workers', 'context'), [(2, 'fork'), pytest.param(1, 'spawn', marks=pytest.mark.slow)])
def test_a_loader_gives_what_its_dataset_has(workers, context):
    loader = DataLoader(Samples(), 2, num_workers=workers, collate_fn=PackedBatch, multiprocessing_context=context)
    for _ in range(2):
        batches = iter(loader)
        for index, found in enumerate(found for batch in batches for found in batch):
            assert_same(found, sample(index))
        assert index == 5
        end_workers(batches)


def test_a_batch_travels_as_one_tensor_that_all_others_lie_in():
    packed = PackedBatch([sample(seed) for seed in range(5)])
    assert packed.block.is_shared()
    first, last = packed.block.data_ptr(), packed.block.data_ptr() + len(packed.block)
    for found in received(packed):
        for tensor in (found['inputs'], found['data_samples'].gt_instances.labels):
            assert tensor.numel() == 0 or first <= tensor.data_ptr() < last
            assert tensor.data_ptr() % 16 == 0 or tensor.numel() == 0


def test_what_is_unpacked_outlives_its_block():
    found = sent([torch.arange(1000)])[0]
    found[0] = 5  # and can be written to
    assert torch.equal(found[1:], torch.arange(1, 1000)) and found[0] == 5
