"""Every operation on images of any size and layout, with boxes anywhere: what it returns, and what it leaves alone."""

import numpy as np
import pytest
from any_image import any_boxes, any_image
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from long_forms import EXAMPLES, examples

from mmddas import ops


def check(operation: ops.Operation, level: float | None, image, boxes, seed: int, **options) -> None:
    result, moved = ops.apply(operation.name, image, boxes, level=level, rng=np.random.default_rng(seed), **options)
    assert result.shape == image.shape and result.dtype == np.uint8
    assert moved.shape == boxes.shape and moved.dtype == np.float32 and np.isfinite(moved).all()
    if operation.moves_boxes:
        height, width = image.shape[:2]
        assert (moved[:, 2:] >= moved[:, :2]).all(), 'a box of negative size'
        assert (moved >= 0).all() and (moved <= [width, height, width, height]).all()
    else:
        assert np.array_equal(moved, boxes)


@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.tuples(*[st.one_of(st.integers(1, 12), st.integers(1, 400))] * 2),
    layout=st.sampled_from(['contiguous', 'part', 'strided', 'reversed', 'transposed']),
    box_prob=st.sampled_from([0.0, 1 / 3, 1.0]),
    interpolation=st.sampled_from(list(ops.INTERPOLATIONS)),
    reference_size=st.sampled_from([0, 1, 640]),
)
def test_every_operation_keeps_its_promises(seed, size, layout, **options):
    rng = np.random.default_rng(seed)
    image, whole = any_image(rng, *size, layout)
    boxes = any_boxes(rng, *image.shape[:2])
    before = whole.copy(), image.copy(), boxes.copy()
    for operation in ops.OPERATIONS.values():
        if not operation.tasks:
            continue  # another test's
        # All of the scale in the long form; in the short one two, others in every example, and some from beyond it.
        levels = range(11) if EXAMPLES else rng.choice((*range(11), 2.5, 28, 100), 2)
        for level in levels if operation.takes_level else (None,):
            check(operation, None if level is None else float(level), image, boxes, seed, **options)
        for array, copied in zip((whole, image, boxes), before, strict=True):
            assert np.array_equal(array, copied), f'{operation.name} wrote into its input'


@pytest.mark.parametrize('shape', [(1, 40000), (40000, 1)])
def test_images_longer_than_a_warp_can_reach_raise_and_do_not_corrupt(shape):
    """OpenCV's warps end at 32,766 pixels."""
    image = np.zeros((*shape, 3), np.uint8)
    with pytest.raises(ValueError, match='at most 32766 pixels'):
        ops.apply('Rotate_BBox', image, level=4)
    assert ops.apply('Equalize', image)[0].shape == image.shape
