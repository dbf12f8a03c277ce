"""PolicyTransform on images of any size and layout, with boxes anywhere, in whatever they come."""

import numpy as np
import torch
from any_image import any_boxes, any_image
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from long_forms import examples
from PIL import Image
from torchvision import tv_tensors

from mmddas import PolicyTransform

POLICIES = ['uniform:detection_wide:total_prob=1', 'uniform:cifar:total_prob=1', 'zoph_v3']


def as_image(image: np.ndarray, kind: str) -> object:
    if kind == 'array':
        return image
    if kind == 'pil':
        return Image.fromarray(image)
    # Of a part, reversed or not: PyTorch has no negative strides.
    tensor = torch.from_numpy(image if min(image.strides) > 0 else image.copy()).permute(2, 0, 1)
    return tv_tensors.Image(tensor) if kind == 'tv' else tensor


def as_boxes(boxes: np.ndarray, kind: str, size: tuple[int, int]) -> object:
    if kind == 'list':
        return boxes.tolist()
    if kind == 'array':
        return boxes
    tensor = torch.from_numpy(boxes)
    box_format = {'xyxy': 'XYXY', 'xywh': 'XYWH', 'cxcywh': 'CXCYWH'}.get(kind)
    return tv_tensors.BoundingBoxes(tensor, format=box_format, canvas_size=size) if box_format else tensor


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.tuples(*[st.one_of(st.integers(1, 12), st.integers(1, 200))] * 2),
    layout=st.sampled_from(['contiguous', 'part', 'strided', 'reversed', 'transposed']),
    kind=st.sampled_from(['array', 'pil', 'tensor', 'tv']),
    box_kind=st.sampled_from(['list', 'array', 'tensor', 'xyxy', 'xywh', 'cxcywh']),
    policy=st.sampled_from(POLICIES),
)
def test_structure_types_and_inputs_are_as_they_were(seed, size, layout, kind, box_kind, policy):
    rng = np.random.default_rng(seed)
    pixels, whole = any_image(rng, *size, layout)
    height, width = pixels.shape[:2]
    numbers = any_boxes(rng, height, width)
    masks = rng.integers(0, 2, (len(numbers), height, width)).astype(bool)
    given_image, boxes = as_image(pixels, kind), as_boxes(numbers, box_kind, (height, width))
    target = dict(boxes=boxes, labels=torch.arange(len(numbers)), masks=torch.from_numpy(masks), image_id=seed)
    before = whole.copy(), numbers.copy(), masks.copy()

    generator = torch.Generator().manual_seed(seed)
    image, found = PolicyTransform(policy, generator=generator)(given_image, target)

    assert type(image) is type(given_image)
    if kind == 'pil':
        assert (image.size, image.mode) == ((width, height), 'RGB')
    else:
        assert image.shape == given_image.shape and image.dtype == given_image.dtype
    assert list(found) == list(target) and found['image_id'] == seed
    assert type(found['boxes']) is type(boxes)
    assert len(found['boxes']) == len(found['labels']) == len(found['masks']) <= len(numbers)
    assert found['masks'].dtype == torch.bool and found['masks'].shape[1:] == (height, width)
    assert set(found['labels'].tolist()) <= set(range(len(numbers)))
    for now, then in zip((whole, numbers, masks), before, strict=True):
        assert np.array_equal(now, then), 'an input has changed'
