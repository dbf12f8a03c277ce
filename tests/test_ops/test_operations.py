"""Properties of the operations, and agreement with the reference implementation's outputs where they are at hand."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmddas import ops
from mmddas.core import Candidate, SearchSpace
from mmddas.ops import geometry

LEVELS = (0, 2, 4, 6, 8, 10)
GOLDEN = Path(__file__).parents[3] / 'shared' / 'golden' / 'zoph_ops_a.npz'
ALL_OPS = list({op.name: op for task in ('detection', 'classification') for op in ops.list_ops(task)}.values())
IMAGE_OPS = [op for op in ALL_OPS if not op.per_box]
BOX_OPS = [op for op in ALL_OPS if op.per_box]
CASES = [(op, level) for op in ALL_OPS for level in (LEVELS if op.takes_level else (None,))]


def case_name(value):
    return getattr(value, 'name', str(value))


def make_image(height=90, width=120, seed=0):
    rng = np.random.default_rng(seed)
    return cv2.resize(rng.integers(20, 236, (9, 12, 3), dtype=np.uint8), (width, height))


BOXES = np.array([[10, 10, 50, 40], [60, 20, 110, 80], [5, 50, 45, 85], [70, 5, 74, 9]], np.float32)


@pytest.mark.parametrize(('op', 'level'), CASES, ids=case_name)
@pytest.mark.parametrize('shape', [(90, 120), (1, 1), (2, 3), (40, 7)])
def test_image_and_boxes_keep_their_form(op, level, shape):
    image = make_image(*shape)
    boxes = np.clip(BOXES, 0, [shape[1], shape[0]] * 2).astype(np.float32)
    copies = image.copy(), boxes.copy()
    result, moved = ops.apply(op.name, image, boxes, level=level, box_prob=1.0, rng=np.random.default_rng(0))
    assert result.shape == image.shape and result.dtype == np.uint8
    assert moved.shape == boxes.shape and moved.dtype == np.float32 and np.isfinite(moved).all()
    assert (moved[:, 2:] >= moved[:, :2]).all() and (moved >= 0).all()
    assert (moved <= [shape[1], shape[0]] * 2).all()
    assert np.array_equal(image, copies[0]) and np.array_equal(boxes, copies[1]), 'inputs were changed'
    if not op.moves_boxes:
        assert np.array_equal(moved, boxes)


@pytest.mark.parametrize(('op', 'level'), CASES, ids=case_name)
def test_the_same_generator_gives_the_same_result(op, level):
    first, second = (
        ops.apply(op.name, make_image(), BOXES, level=level, rng=np.random.default_rng(7)) for _ in range(2)
    )
    assert np.array_equal(first[0], second[0]) and np.array_equal(first[1], second[1])


# Large enough for the longest shifts, 250 pixels in the image and 120 in a box.
# With noise, or smoothing would change nothing that rounding shows.
LARGE_IMAGE = cv2.add(make_image(480, 640), np.random.default_rng(1).integers(0, 20, (480, 640, 3), dtype=np.uint8))
LARGE_BOXES = np.array([[20, 30, 300, 220], [310, 200, 630, 470]], np.float32)


def outcome(candidate):
    image, boxes = ops.apply(
        candidate.op,
        LARGE_IMAGE,
        LARGE_BOXES,
        level=candidate.level,
        sign=1,
        box_prob=1.0,
        rng=np.random.default_rng(3),
    )
    return image.tobytes() + boxes.tobytes()


def test_no_two_candidates_of_the_preset_act_alike():
    """Which also shows that every candidate runs at its own level, and that none but Identity does nothing."""
    candidates = SearchSpace.preset('detection_wide').candidates
    ops.check_candidates(candidates)
    outcomes = {}
    for candidate in candidates:
        outcomes.setdefault(outcome(candidate), []).append(str(candidate))
    assert [names for names in outcomes.values() if len(names) > 1] == []
    assert outcomes[LARGE_IMAGE.tobytes() + LARGE_BOXES.tobytes()] == ['Identity']


def test_what_the_preset_leaves_out_acts_like_something_it_keeps():
    kept = {outcome(candidate) for candidate in SearchSpace.preset('detection_wide').candidates}
    everything = [(op.name, level) for op, level in CASES if 'detection' in op.tasks]
    assert {outcome(Candidate(*item)) for item in everything} == kept


@pytest.mark.parametrize('sign', [1, -1])
@pytest.mark.parametrize('op', [op for op in IMAGE_OPS if op.moves_boxes], ids=case_name)
@pytest.mark.parametrize('level', [2, 6])
def test_boxes_move_as_their_pixels_do(op, level, sign):
    """A bright rectangle, tightly boxed: after the operation the box is tight around what is bright, or a bit wider.

    The envelope of a rotated or sheared box is wider than its content only for content that does not fill the box;
    the box of a filled rectangle is the envelope of its pixels, to a pixel of truncation and one of sampling.
    """
    box = np.array([[150, 140, 210, 190]], np.float32)
    image = np.zeros((320, 360, 3), np.uint8)
    image[140:190, 150:210] = 255
    level = level if op.takes_level else None
    result, moved = ops.apply(op.name, image, box, level=level, sign=sign, rng=np.random.default_rng(level))
    rows, columns = np.nonzero((result == 255).all(axis=2))
    tight = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    np.testing.assert_allclose(moved[0], tight, atol=2.01)


@pytest.mark.parametrize('op', [op for op in IMAGE_OPS if op.moves_boxes and op.signed], ids=case_name)
def test_opposite_signs_undo_each_other_in_the_middle(op):
    image = np.kron(
        np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8), np.ones((10, 10, 1), np.uint8)
    )
    forth, _ = ops.apply(op.name, image, level=1, sign=1)
    back, _ = ops.apply(op.name, forth, level=1, sign=-1)
    middle = (slice(60, 140), slice(60, 140))
    assert (back[middle] == image[middle]).all(axis=2).mean() > 0.8


def test_signs_move_where_the_reference_moves():
    image = np.zeros((101, 101, 3), np.uint8)
    image[50, 80] = 255  # right of the centre
    y, x = np.nonzero(ops.apply('Rotate_BBox', image, level=10, sign=1)[0][..., 0] == 255)
    assert y[0] < 50, 'a positive rotation is counter-clockwise'
    y, x = np.nonzero(ops.apply('TranslateX_BBox', image, level=2, sign=1)[0][..., 0] == 255)
    assert (y[0], x[0]) == (50, 30)
    y, x = np.nonzero(ops.apply('TranslateY_BBox', image, level=2, sign=-1)[0][..., 0] == 255)
    assert (y[0], x[0]) == (100, 80)
    y, x = np.nonzero(ops.apply('ShearX_BBox', image, level=10, sign=1)[0][..., 0] == 255)
    assert (y[0], x[0]) == (50, 80 - 15)


def test_signs_are_drawn_evenly():
    image = make_image()
    ways = [ops.apply('Rotate_BBox', image, level=6, sign=sign)[0].tobytes() for sign in (1, -1)]
    rng = np.random.default_rng(0)
    drawn = [ways.index(ops.apply('Rotate_BBox', image, level=6, rng=rng)[0].tobytes()) for _ in range(200)]
    assert 70 < sum(drawn) < 130


@pytest.mark.parametrize('op', BOX_OPS, ids=case_name)
def test_operations_in_boxes_change_nothing_outside(op):
    image = make_image()
    level = 6 if op.takes_level else None
    result, _ = ops.apply(op.name, image, BOXES[:2], level=level, box_prob=1.0, rng=np.random.default_rng(0))
    outside = np.ones(image.shape[:2], bool)
    for x1, y1, x2, y2 in BOXES[:2].astype(int):
        outside[y1 : y2 + 1, x1 : x2 + 1] = False
    assert np.array_equal(result[outside], image[outside])
    assert not np.array_equal(result, image)


@pytest.mark.parametrize('level', [2, 10])
def test_zooming_out_keeps_all_of_the_image_at_a_uniform_place(level):
    image, rng, factor = np.full((60, 90, 3), 255, np.uint8), np.random.default_rng(0), 1 / (1 + 0.1 * level)
    places = []
    for _ in range(300):
        result, boxes = ops.apply('ZoomOut_BBox', image, np.array([[0, 0, 90, 60]]), level=level, rng=rng)
        np.testing.assert_allclose(boxes[0, 2:] - boxes[0, :2], (90 * factor, 60 * factor), rtol=1e-5)
        assert abs((result != 128).all(axis=2).sum() - 90 * 60 * factor**2) < 2 * (60 + 90)
        places.append(boxes[0, :2] / ((1 - factor) * np.array([90, 60])))
    assert np.abs(np.mean(places, axis=0) - 0.5).max() < 0.06
    assert np.abs(np.percentile(places, [10, 90], axis=0).T - [0.1, 0.9]).max() < 0.06


@pytest.mark.parametrize('level', [2, 10])
def test_zooming_in_shows_a_part_of_the_image_at_a_uniform_place_and_nothing_else(level):
    # Every pixel tells its place.
    places = np.dstack([*np.mgrid[0:60, 0:90], np.zeros((60, 90))]).astype(np.uint8)
    rng, factor, corners = np.random.default_rng(0), 1 + 0.1 * level, []
    for _ in range(300):
        result, _ = ops.apply('ZoomIn_BBox', places, level=level, rng=rng)
        inner = result[2:-2, 2:-2, :2].reshape(-1, 2).astype(float)
        assert (inner.max(axis=0) <= (59, 89)).all(), 'the ground is seen'
        np.testing.assert_allclose(np.ptp(inner, axis=0), np.array([55, 85]) / factor, atol=1.6)
        corners.append(inner.min(axis=0) / ((1 - 1 / factor) * np.array([60, 90])))
    assert np.abs(np.mean(corners, axis=0) - 0.5).max() < 0.5 / level + 0.06


@pytest.mark.parametrize(('out', 'into'), [('ZoomOut_BBox', 'ZoomIn_BBox')])
def test_zooms_are_as_strong_out_as_in(out, into):
    for level in LEVELS:
        factors = [ops.get(name).level_to_magnitude(level) for name in (out, into)]
        assert factors[0] * factors[1] == pytest.approx(1)


def test_boxes_are_chosen_with_their_probability():
    image, rng = make_image(), np.random.default_rng(0)
    boxes = np.array([[10 * i, 10, 10 * i + 8, 20] for i in range(12)], np.float32)
    changed = np.zeros(12)
    for _ in range(300):
        result, _ = ops.apply('Solarize_Only_BBoxes', image, boxes, level=0, rng=rng)
        changed += [(result[12, 10 * i + 4] != image[12, 10 * i + 4]).any() for i in range(12)]
    assert abs(changed.sum() / 3600 - 1 / 3) < 0.03


def test_a_flat_image_stays_where_only_differences_matter():
    flat = np.full((20, 30, 3), 77, np.uint8)
    for name in ('AutoContrast', 'Equalize'):
        assert np.array_equal(ops.apply(name, flat)[0], flat)
    for name in ('Contrast', 'Color', 'Sharpness'):
        assert np.abs(ops.apply(name, flat, level=8)[0].astype(int) - 77).max() <= 1


def test_solarize_at_level_0_is_the_negative_and_its_own_inverse():
    image = make_image()
    negative, _ = ops.apply('Solarize', image, level=0)
    assert np.array_equal(negative, 255 - image)
    assert np.array_equal(ops.apply('Solarize', negative, level=0)[0], image)


def test_equalize_flattens_the_histogram_of_every_channel():
    image = (np.random.default_rng(0).beta(2, 8, (200, 200, 3)) * 255).astype(np.uint8)
    cumulated = np.cumsum(np.bincount(ops.apply('Equalize', image)[0][..., 1].ravel(), minlength=256)) / 40_000
    assert np.abs(cumulated - np.arange(256) / 255).max() < 0.1


def test_grey_has_the_weights_of_its_channels():
    """Images are BGR: blue weighs least, green most."""
    for channel, weight in enumerate((0.114, 0.587, 0.2989)):
        image = np.zeros((9, 9, 3), np.uint8)
        image[..., channel] = 200
        grey = ops.apply('Color', image, level=0)[0][4, 4]
        assert abs(grey[(channel + 1) % 3] - 0.9 * 200 * weight) <= 1.5


@pytest.mark.parametrize(('size', 'level'), [((400, 640), 4), ((100, 160), 4)])
def test_lengths_scale_with_the_image_on_request(size, level):
    image = np.zeros((*size, 3), np.uint8)
    box = np.array([[size[1] / 2, 10, size[1] / 2 + 20, 30]], np.float32)
    _, moved = ops.apply('TranslateX_BBox', image, box, level=level, sign=1, reference_size=640)
    assert box[0, 0] - moved[0, 0] == 25 * level * size[1] // 640


def test_masks_move_with_the_pixels():
    image = np.zeros((90, 120, 3), np.uint8)
    image[30:60, 40:80] = 255
    for op in IMAGE_OPS + BOX_OPS:
        if op.kind != 'affine':
            continue
        level, rng = 6 if op.takes_level else None, np.random.default_rng(0)
        boxes, options = np.array([[30, 20, 90, 70]]), ops.Options(box_prob=1.0)
        result, _, moves = ops.apply_with_moves(op.name, image, boxes, level, rng, options, sign=1)
        mask = (image[..., 0] == 255).astype(np.uint8)
        for move in moves:
            mask = ops.move_mask(mask, move)
        bright, difference = result[..., 0] == 255, mask != (result[..., 0] == 255)
        if op.interpolation == 'bilinear':
            assert mask[bright].all(), op.name
            difference &= np.isin(result[..., 0], (0, 255))  # what lies between is an edge
        assert not difference.any(), op.name


@pytest.mark.parametrize(
    ('name', 'level', 'box'),
    [
        ('ShearX_BBox', 4, [40, 30, 80, 60]),
        ('ZoomOut_BBox', 10, [40.3, 30.6, 80.1, 60.9]),
        ('ZoomIn_BBox', 2, [50.3, 40.6, 60.1, 50.9]),
        ('FlipLR', None, [40.3, 30.6, 80.1, 60.9]),
        ('FlipUD', None, [40.3, 30.6, 80.1, 60.9]),
    ],
)
def test_homography_maps_box_corners(name, level, box):
    image, rng = np.zeros((90, 120, 3), np.uint8), np.random.default_rng(0)
    box = np.array([box], np.float32)
    _, moved, (move,) = ops.apply_with_moves(name, image, box, level, rng, ops.Options(), sign=1)
    (x1, y1, x2, y2), ones = box[0].tolist(), [1, 1, 1, 1]
    corners = ops.homography(move) @ np.array([[x1, x2, x2, x1], [y1, y1, y2, y2], ones])
    np.testing.assert_allclose(moved[0], [*corners[:2].min(axis=1), *corners[:2].max(axis=1)], atol=0.01)


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (dict(name='Rotat', level=2), ValueError, 'Unknown operation'),
        (dict(name='Equalize', interpolation='cubic'), ValueError, "one of .'bilinear', 'nearest'., got 'cubic'"),
        (dict(name='Rotate_BBox'), ValueError, 'needs a level'),
        (dict(name='Rotate_BBox', level=float('nan')), ValueError, 'needs a level'),
        (dict(name='Equalize', level=2), ValueError, 'takes no level'),
        (dict(name='Equalize', image=np.zeros((4, 4), np.uint8)), TypeError, 'uint8'),
        (dict(name='Equalize', image=np.zeros((4, 4, 3), np.float32)), TypeError, 'uint8'),
        (dict(name='Equalize', image=np.zeros((0, 4, 3), np.uint8)), ValueError, 'no pixels'),
        (dict(name='Equalize', boxes=np.zeros((4,))), ValueError, r'\(N, 4\)'),
        (dict(name='Equalize', boxes=np.full((1, 4), np.nan)), ValueError, 'finite'),
    ],
)
def test_wrong_input_is_refused(arguments, error, message):
    arguments.setdefault('image', make_image())
    with pytest.raises(error, match=message):
        ops.apply(arguments.pop('name'), **arguments)


def test_a_user_adds_an_operation_in_a_few_lines(monkeypatch):
    monkeypatch.setattr(ops.operation, 'OPERATIONS', dict(ops.OPERATIONS))

    def swap_red_and_blue(image):
        return image[..., ::-1].copy()

    ops.register(ops.Operation('SwapRedBlue', swap_red_and_blue))
    ops.register(
        ops.Operation(
            'SqueezeX',
            lambda factor, height, width: np.array([[factor, 0, 0], [0, 1, 0]]),
            kind='affine',
            level_to_magnitude=lambda level: 1 - 0.05 * level,
        )
    )
    image = make_image()
    assert np.array_equal(ops.apply('SwapRedBlue', image)[0], image[..., ::-1])
    _, boxes = ops.apply('SqueezeX', image, np.array([[20, 10, 60, 50]]), level=10)
    np.testing.assert_allclose(boxes, [[10, 10, 30, 50]], atol=0.6)
    with pytest.raises(ValueError, match='registered already'):
        ops.register(ops.Operation('SwapRedBlue', swap_red_and_blue))
    with pytest.raises(ValueError, match='kind'):
        ops.Operation('Other', swap_red_and_blue, kind='color')


def golden_cases():
    if not GOLDEN.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason='the reference outputs are not beside the checkout'))]
    with np.load(GOLDEN) as data:
        return [
            pytest.param(case, id=f'{case["op"]}-{case["level"]}-{case["sign"]}')
            for case in json.loads(str(data['meta']))
        ]


@pytest.fixture(scope='module')
def golden():
    with np.load(GOLDEN) as data:
        return dict(data)


@pytest.mark.parametrize('case', golden_cases())
def test_reference_implementation_is_followed(case, golden):
    """Colour within one grey level, warps equal in 99% of pixels, boxes within 1.5 pixels."""
    image = np.ascontiguousarray(golden['image'][..., ::-1])
    scale = np.array([*image.shape[:2]] * 2, np.float32)
    boxes = (golden['boxes'] * scale)[:, [1, 0, 3, 2]]
    result, moved = ops.apply(case['op'], image, boxes, level=case['level'], sign=case['sign'], box_prob=1.0)
    expected = golden[f'{case["key"]}_image'][..., ::-1].astype(int)
    expected_boxes = (golden[f'{case["key"]}_boxes'] * scale)[:, [1, 0, 3, 2]]
    difference = np.abs(result - expected).max(axis=2)
    if ops.get(case['op']).kind == 'affine':
        assert (difference == 0).mean() >= 0.99
    else:
        assert difference.max() <= 1
    # The reference widens what is narrower than 5% of the image; here it keeps its width, or none.
    widened = (expected_boxes[:, 2:] - expected_boxes[:, :2] <= 0.0501 * scale[[1, 0]]).any(axis=1)
    assert np.abs(moved - expected_boxes)[~widened].max(initial=0) <= 1.5


@pytest.mark.parametrize('channels', [(), (1,), (3,)])
def test_large_shears_are_those_of_opencv(monkeypatch, channels):
    """Rows that are copied have the pixels of a warp, whatever the slope, the offset and the size."""
    monkeypatch.setattr(geometry, 'MANY_VALUES', 0)
    rng = np.random.default_rng(0)
    fill = (1, 2, 3, 4)
    for slope in (*(0.03 * np.arange(-10, 11) * geometry.TIE_BREAK), *rng.uniform(-4, 4, 40)):
        height, width = rng.integers(1, 200, 2).tolist()
        image = rng.integers(0, 256, (height + 3, width + 5, *channels), np.uint8)[1:-2, 2:-3]
        matrix = np.array([[1.0, slope, rng.choice([0.0, rng.uniform(-20, 20)])], [0.0, 1.0, 0.0]])
        expected = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_NEAREST, borderValue=fill)
        np.testing.assert_array_equal(geometry.warp(image, matrix, fill), expected.reshape(image.shape))
