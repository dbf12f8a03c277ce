"""DDASAugment keeps a sample consistent, and follows the schedule's probabilities."""

import copy
from collections import Counter

import numpy as np
import pytest
import torch
from mmcv.transforms import TransformBroadcaster
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks, PolygonMasks
from mmengine.registry import DefaultScope
from mmengine.runner import set_random_seed

from mmddas import ops
from mmddas.core import Candidate, PolicyFileError, PolicySchedule, PolicySnapshot, SearchSpace
from mmddas.datasets import DDASAugment
from mmddas.datasets.samples import check_sample


def inline(candidates, total_prob=1.0, op_probs=None, num_ops=1):
    probs = op_probs or [1 / len(candidates)] * len(candidates)
    return dict(
        num_ops=num_ops,
        candidates=[dict(op=op, level=level) for op, level in candidates],
        epochs=[dict(total_prob=total_prob, op_probs=probs)],
    )


def rectangles(boxes, height=100, width=140):
    masks = np.zeros((len(boxes), height, width), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = 1
    return masks


def make_sample(polygons=False):
    boxes = [(10, 20, 50, 60), (90, 30, 130, 80), (2, 2, 8, 90), (60, 5, 80, 25)]
    masks = rectangles(boxes)
    image = np.full((100, 140, 3), 30, np.uint8)
    label_map = np.full((100, 140), 9, np.uint8)
    for number, mask in enumerate(masks):
        image[mask == 1] = 60 + 40 * number
        label_map[mask == 1] = number
    corners = [[np.array([x1, y1, x2, y1, x2, y2, x1, y2], float)] for x1, y1, x2, y2 in boxes]
    return dict(
        img=image,
        img_shape=(100, 140),
        gt_bboxes=HorizontalBoxes(np.array(boxes, np.float32)),
        gt_bboxes_labels=np.arange(4),
        gt_ignore_flags=np.array([False, True, False, True]),
        gt_masks=PolygonMasks(corners, 100, 140) if polygons else BitmapMasks(masks, 100, 140),
        gt_seg_map=label_map,
    )


def augmented(policy, sample=None, **options):
    set_random_seed(0)
    return DDASAugment(policy=policy, **options)(sample or make_sample())


def test_boxes_that_leave_go_with_all_that_belongs_to_them():
    set_random_seed(1)
    for _ in range(6):
        results = DDASAugment(inline([('TranslateX_BBox', 4)]))(make_sample())
        count = len(results['gt_bboxes'])
        assert 0 < count < 4
        labels = results['gt_bboxes_labels']
        assert len(labels) == len(results['gt_ignore_flags']) == len(results['gt_masks']) == count
        assert np.array_equal(results['gt_ignore_flags'], labels % 2 == 1)
        sizes = results['gt_bboxes'].tensor[:, 2:] - results['gt_bboxes'].tensor[:, :2]
        assert (sizes >= 1).all()
        for label, mask in zip(labels, results['gt_masks'].masks, strict=True):
            assert np.array_equal(mask == 1, (results['img'] == 60 + 40 * label).all(axis=2))


def test_an_image_without_any_box_left_stays():
    results = augmented(inline([('TranslateX_BBox', 8)]))
    assert len(results['gt_bboxes']) == 0 and len(results['gt_masks']) == 0
    assert isinstance(results['gt_bboxes'], HorizontalBoxes)
    assert results['img'].shape == (100, 140, 3) and (results['img'] == 128).all()


@pytest.mark.parametrize('polygons', [False, True])
@pytest.mark.parametrize('op', [op for op in ops.list_ops('detection') if op.kind == 'affine'], ids=lambda op: op.name)
def test_masks_and_label_map_move_with_the_image(op, polygons):
    results = augmented(inline([(op.name, 4 if op.takes_level else None)]), make_sample(polygons), box_prob=1.0)
    masks = results['gt_masks']
    assert isinstance(masks, PolygonMasks if polygons else BitmapMasks)
    mixed = 0 if op.interpolation is None else 220  # pixels of edges, which nearest neighbours keep apart
    for label, mask in zip(results['gt_bboxes_labels'], masks.to_ndarray(), strict=True):
        shown = (results['img'] == 60 + 40 * label).all(axis=2)
        # A drawn polygon holds one more row and column of pixels, and not each that a pixel of the image has come to.
        assert (mask[shown] == 0).sum() <= (20 if polygons else 0)
        assert mask.sum() - shown.sum() <= (110 if polygons else 0) + mixed
        assert (results['gt_seg_map'][shown] == label).all()
        assert (results['gt_seg_map'] == label).sum() - shown.sum() <= mixed
    assert (results['gt_seg_map'][(results['img'] == 128).all(axis=2)] == 255).all()


def test_homography_composes_and_maps_points():
    sample = make_sample()
    sample['homography_matrix'] = np.diag([2.0, 2.0, 1.0]).astype(np.float32)
    policy = inline([('ShearX_BBox', 6), ('Rotate_BBox', 4)], num_ops=3)
    augment = DDASAugment(policy)
    rng = np.random.default_rng(0)
    drawn = [Candidate('ShearX_BBox', 6), Candidate('Rotate_BBox', 4)]
    results = augment.augment(copy.deepcopy(sample), drawn, rng)
    matrix = results['homography_matrix'] @ np.linalg.inv(sample['homography_matrix'])
    y, x = np.nonzero((sample['img'] == 60).all(axis=2))
    centre = matrix @ np.array([x.mean() + 0.5, y.mean() + 0.5, 1])
    y, x = np.nonzero((results['img'] == 60).all(axis=2))
    np.testing.assert_allclose(centre[:2], [x.mean() + 0.5, y.mean() + 0.5], atol=0.6)


def test_a_sample_without_annotations_is_augmented_too():
    image = make_sample()['img']
    results = augmented(inline([('Solarize', 0)]), dict(img=image))
    assert np.array_equal(results['img'], 255 - image) and 'gt_bboxes' not in results


@pytest.mark.parametrize('key', ['gt_keypoints', 'proposals', 'lines_array'])
def test_what_cannot_be_moved_is_refused_when_pixels_move(key):
    with pytest.raises(NotImplementedError, match=key):
        augmented(inline([('Rotate_BBox', 4)]), dict(make_sample(), **{key: np.zeros((1, 4))}))
    augmented(inline([('Solarize', 4)]), dict(make_sample(), **{key: np.zeros((1, 4))}))


def test_pixels_do_not_move_before_their_boxes_are_loaded():
    """LoadAnnotations behind DDASAugment would read them as they were."""
    sample = dict(img=make_sample()['img'], img_shape=(100, 140), instances=[dict(bbox=[10, 20, 50, 60], bbox_label=0)])
    with pytest.raises(ValueError, match='put it behind LoadAnnotations'):
        augmented(inline([('Rotate_BBox', 4)]), dict(sample))
    assert 'gt_bboxes' not in augmented(inline([('Solarize', 4)]), dict(sample))
    masks = dict(sample, gt_masks=make_sample()['gt_masks'])  # all that is wanted of the annotations
    augmented(inline([('Rotate_BBox', 4)]), masks)


@pytest.mark.parametrize('image', [np.full((9, 9, 3), 0.5, np.float32), np.zeros((9, 9), np.uint8)])
def test_images_of_another_kind_are_refused(image):
    with pytest.raises(ValueError, match='uint8'):
        augmented(inline([('Solarize', 4)]), dict(img=image))


def test_probabilities_of_the_schedule_are_followed():
    space = SearchSpace([('Solarize', 0), ('Brightness', 0), ('Posterize', 4)], num_ops=1)
    snapshots = [
        PolicySnapshot(0.6, np.array([0.7, 0.2, 0.1])),
        PolicySnapshot(0.2, np.array([0.0, 0.0, 1.0])),
    ]
    augment = DDASAugment(PolicySchedule(space, snapshots))
    image = make_sample()['img']
    outcomes = [ops.apply(candidate.op, image, level=candidate.level)[0].tobytes() for candidate in space.candidates]
    outcomes.append(image.tobytes())
    set_random_seed(0)
    for epoch, expected in ((0, [0.42, 0.12, 0.06, 0.4]), (1, [0, 0, 0.2, 0.8])):
        augment.set_progress(epoch, 2)
        found = [outcomes.index(augment(dict(img=image))['img'].tobytes()) for _ in range(1500)]
        np.testing.assert_allclose(np.bincount(found, minlength=4) / 1500, expected, atol=0.045)


def test_every_epoch_draws_anew_from_the_same_worker_stream():
    """MMEngine seeds short-lived workers alike in every epoch."""
    augment = DDASAugment(inline([('Rotate_BBox', level) for level in (2, 4, 6, 8, 10)]))
    drawn = []
    for epoch in (0, 1, 0):
        augment.set_progress(epoch, 2)
        set_random_seed(5)
        drawn.append([augment(make_sample())['img'].tobytes() for _ in range(10)])
    assert drawn[0] == drawn[2]
    assert sum(a == b for a, b in zip(drawn[0], drawn[1], strict=True)) < 6


def test_over_many_epochs_replayed_streams_give_hardly_fewer_sub_policies_than_fresh_ones():
    image, distinct = np.zeros((8, 8, 3), np.uint8), {}
    for replayed in (True, False):
        levels = [('Solarize', level / 5) for level in range(50)]
        augment = DDASAugment(inline(levels, total_prob=0.5, num_ops=2))
        drawn = []
        draw = augment.draw
        augment.draw = lambda *args, draw=draw, drawn=drawn: drawn.append(tuple(draw(*args))) or []
        for epoch in range(60):
            augment.set_progress(epoch, 60)
            set_random_seed(5 if replayed else epoch)
            for _ in range(25):
                augment(dict(img=image))
        assert len(drawn) == pytest.approx(750, abs=60)
        distinct[replayed] = len(set(drawn)) / len(drawn)
    assert distinct[True] > 0.8 * distinct[False] > 0.6


def test_a_schedule_that_nobody_drives_is_told():
    content = inline([('Solarize', 0)], total_prob=0.5)
    content['epochs'] *= 2
    augment = DDASAugment(content)
    with pytest.warns(UserWarning, match='PolicyScheduleHook'):
        augment(make_sample())


def test_searched_options_are_taken_over_unless_others_are_given():
    content = inline([('Solarize', 0)])
    content['meta'] = dict(operation_options=dict(interpolation='bilinear', reference_size=640))
    assert DDASAugment(content).options == dict(box_prob=1 / 3, interpolation='bilinear', reference_size=640)
    assert DDASAugment(content, reference_size=0, box_prob=1.0).options['reference_size'] == 0


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (dict(policy='nowhere.json'), FileNotFoundError, 'nowhere.json'),
        (dict(policy=dict(num_ops=1)), PolicyFileError, 'candidates'),
        (dict(policy=inline([('Spin', 3)])), ValueError, 'Unknown operation'),
        (dict(policy=inline([('Solarize', None)])), ValueError, 'needs a level'),
        (dict(interpolation='cubic'), ValueError, 'interpolation'),
        (dict(box_prob=1.5), ValueError, 'box_prob'),
        (dict(reference_size=-1), ValueError, 'reference_size'),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        DDASAugment(**arguments)


def test_without_a_policy_it_says_how_to_give_one():
    with pytest.raises(RuntimeError, match='policy_file'):
        DDASAugment()(make_sample())


def test_tensors_keep_their_type():
    results = augmented(inline([('Rotate_BBox', 4)]))
    assert results['gt_bboxes'].tensor.dtype == torch.float32
    assert results['img'].dtype == np.uint8


def moved(sub_policy: list, **sample) -> dict:
    given = dict(img=np.full((40, 60, 3), 90, np.uint8), **sample)
    return DDASAugment().augment(given, SearchSpace(sub_policy).candidates, np.random.default_rng(0))


@pytest.mark.parametrize('dtype', [np.int64, np.int32, np.uint8, np.int16])
def test_label_maps_keep_their_type(dtype):
    labels = np.arange(40 * 60).reshape(40, 60) % 7
    found = moved([('Rotate_BBox', 4), ('TranslateX_BBox', 2)], gt_seg_map=labels.astype(dtype))['gt_seg_map']
    assert found.dtype == dtype and set(np.unique(found)) <= {*range(7), 255, -1}


def test_polygons_move_by_their_corners():
    """They cover what moved bitmaps cover, and nothing is drawn for it."""
    polygons = PolygonMasks(
        [[np.array([10.0, 8, 50, 10, 45, 35, 12, 30])], [np.array([5.0, 5, 20, 5, 12, 20])]], 40, 60
    )
    moves = [('Rotate_BBox', 4), ('ShearX_BBox', 6), ('TranslateY_BBox', 0.2)]
    found = moved(moves, gt_masks=polygons)['gt_masks']
    expected = moved(moves, gt_masks=polygons.to_bitmap())['gt_masks']
    assert isinstance(found, PolygonMasks)
    drawn = found.to_bitmap().masks
    for ours, theirs in zip(drawn, expected.masks, strict=True):
        assert theirs.sum() > 50 and (ours & theirs).sum() / (ours | theirs).sum() > 0.9


def test_polygons_that_can_be_cut_are_traced_again():
    """Transforms that put samples together want masks of one kind, whatever has been drawn for each."""
    polygons = PolygonMasks([[np.array([10.0, 8, 50, 10, 45, 35, 12, 30])]], 40, 60)
    boxes = np.array([[10, 8, 50, 35]], np.float32)
    space = SearchSpace([('Rotate_Only_BBoxes', 8), ('Rotate_BBox', 2)])
    found, expected = (
        DDASAugment(box_prob=1.0).augment(
            dict(img=np.zeros((40, 60, 3), np.uint8), gt_masks=masks, gt_bboxes=boxes.copy()),
            space.candidates,
            np.random.default_rng(0),
        )['gt_masks']
        for masks in (polygons, polygons.to_bitmap())
    )
    assert isinstance(found, PolygonMasks) and expected.masks.sum() > 300
    assert np.array_equal(found.to_bitmap().masks, expected.masks)
    assert len(polygons.cat([polygons, found])) == 2


def test_what_leaves_the_image_is_cut_off_polygons_too():
    """Mosaics would else show it on the image beside this one; and moving back does not bring it back."""
    polygons = PolygonMasks(
        [[np.array([10.0, 8, 50, 10, 45, 35, 12, 30])], [np.array([5.0, 5, 20, 5, 12, 20])]], 40, 60
    )
    in_and_out = [('ZoomIn_BBox', 8), ('ZoomOut_BBox', 8)]
    for moves in (in_and_out, [('Rotate_BBox', 9), ('TranslateY_BBox', 1)], [('ZoomIn_BBox', 5)]):
        found = moved(moves, gt_masks=polygons)['gt_masks']
        expected = moved(moves, gt_masks=polygons.to_bitmap())['gt_masks'].masks
        for parts in found.masks:
            assert all(part[::2].min() >= 0 and part[::2].max() <= 60 for part in parts)
            assert all(part[1::2].min() >= 0 and part[1::2].max() <= 40 for part in parts)
        for ours, theirs in zip(found.to_bitmap().masks, expected, strict=True):
            assert np.logical_xor(ours, theirs).sum() <= 0.1 * theirs.sum() + 30


class TurnedBoxes:
    """As MMRotate's: five numbers a box, which can be converted to the box around them, or not."""

    box_dim = 5

    def __init__(self, around: np.ndarray | None) -> None:
        self.around = around

    def convert_to(self, kind: str) -> HorizontalBoxes:
        if self.around is None:
            raise TypeError('no such conversion')
        return HorizontalBoxes(self.around)


AROUND = np.array([[4, 4, 30, 30]], np.float32)


@pytest.mark.parametrize(
    ('candidate', 'around'),
    [
        (('Solarize', 0), None),
        (('Solarize', 0), AROUND),
        (('Cutout', 1), AROUND),
        (('BBox_Cutout', 8), AROUND),
        (('Solarize_Only_BBoxes', 0), AROUND),
    ],
)
def test_what_moves_no_pixel_leaves_boxes_of_any_kind_alone(candidate, around):
    boxes = TurnedBoxes(around)
    assert moved([candidate], gt_bboxes=boxes)['gt_bboxes'] is boxes


@pytest.mark.parametrize(
    ('candidate', 'around'),
    [(('Rotate_BBox', 4), AROUND), (('Flip_Only_BBoxes', None), AROUND), (('BBox_Cutout', 4), None)],
)
def test_what_would_have_to_know_them_is_refused(candidate, around):
    with pytest.raises(TypeError, match=f'cannot apply {candidate[0]} to TurnedBoxes.*leave the operations that move'):
        moved([candidate], gt_bboxes=TurnedBoxes(around))


def test_images_of_floats_are_told_where_they_come_from():
    for value in (0.5, -1, 256, np.nan):
        with pytest.raises(ValueError, match='float32 .*put DDASAugment before transforms that change its values'):
            check_sample(dict(img=np.full((4, 4, 3), value, np.float32)))
    with pytest.raises(ValueError, match='uint16 .*color_type'):
        check_sample(dict(img=np.zeros((4, 4, 3), np.uint16)))


@pytest.mark.parametrize('dtype', [np.float32, np.int64])
@pytest.mark.parametrize('order', ['bgr', 'rgb'])
def test_bytes_in_another_type_are_augmented_alike_and_keep_it(dtype, order):
    """As LoadImageFromFile(to_float32=True) and MMDetection's CopyPaste give them out."""
    policy = inline([('Color', 8), ('Rotate_BBox', 4), ('TranslateX_Only_BBoxes', 4)], num_ops=2)
    expected = augmented(policy, make_sample(), channel_order=order)
    sample = make_sample()
    sample['img'] = sample['img'].astype(dtype)
    found = augmented(policy, sample, channel_order=order)
    assert found['img'].dtype == dtype and np.array_equal(found['img'], expected['img'])
    assert np.array_equal(found['gt_bboxes'].tensor, expected['gt_bboxes'].tensor)


def test_a_sample_may_be_kept_from_losing_all_its_boxes():
    policy = dict(
        num_ops=1, candidates=[dict(op='TranslateX_BBox', level=10)], epochs=[dict(total_prob=1.0, op_probs=[1])]
    )
    augment = DDASAugment(policy)
    sample = dict(img=np.full((40, 60, 3), 90, np.uint8), gt_bboxes=AROUND.copy())
    assert len(augment.transform(dict(sample))['gt_bboxes']) == 0
    augment.keeps_some_box = True
    kept = augment.transform(dict(sample))
    assert kept['img'] is sample['img'] and np.array_equal(kept['gt_bboxes'], AROUND)


def test_listed_operations_in_boxes_have_their_probability_for_every_box():
    augment = DDASAugment(dict(sub_policies=[[dict(op='Solarize_Only_BBoxes', level=0, prob=0.6)]]))
    set_random_seed(0)
    changed, original = 0, make_sample()['img']
    for _ in range(400):
        image = augment(make_sample())['img']
        changed += sum((image[y, x] != original[y, x]).any() for x, y in ((30, 40), (110, 55), (5, 50), (70, 15)))
    assert abs(changed / 1600 - 0.6 / 3) < 0.04


def test_a_generated_policy_without_a_space_is_a_detectors():
    """A classifier's depends on the size of its images, which the commands look at."""
    with DefaultScope.overwrite_default_scope('mmdet'):
        assert DDASAugment('uniform').schedule.meta['name'] == 'uniform:detection'
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        assert DDASAugment('uniform:imagenet').schedule.meta['name'] == 'uniform:imagenet'
        for name in ('uniform', 'uniform:total_prob=0.5'):
            with pytest.raises(ValueError, match='uniform names no search space: write uniform:cifar'):
                DDASAugment(name)


def test_published_policies_are_applied_by_their_names():
    set_random_seed(0)
    for version in range(4):
        augment = DDASAugment(f'zoph_v{version}')
        changed = [(augment(make_sample())['img'] != make_sample()['img']).any() for _ in range(20)]
        assert 5 < sum(changed) <= 20


@pytest.mark.parametrize('name', ['zoph_v1', pytest.param('autoaugment_cifar10', marks=pytest.mark.slow), 'pba_svhn'])
def test_published_policies_are_drawn_as_their_tables_say(name):
    """Of 100,000 draws every candidate has its share, those in boxes their whole share, to be thinned box by box."""
    augment = DDASAugment(name)
    snapshot, rng = augment.schedule.snapshots[-1], np.random.default_rng(0)
    drawn = Counter()
    for _ in range(100_000):
        for item in augment.draw(snapshot, rng):
            drawn[Candidate(item.op, item.level)] += getattr(item, 'prob', 1.0)
    for candidate, share in zip(augment.schedule.space.candidates, snapshot.op_probs, strict=True):
        expected = share * snapshot.applied
        assert abs(drawn[candidate] / 100_000 - expected) < 4.5 * np.sqrt(expected * (1 + expected) / 100_000) + 1e-9


def test_frames_that_share_random_numbers_are_refused():
    """Each would get operations of its own."""
    frames = [make_sample()['img']] * 2
    broadcaster = TransformBroadcaster(
        [DDASAugment(inline([('Solarize', 0)]))], mapping=dict(img='img'), auto_remap=True, share_random_params=True
    )
    with pytest.raises(RuntimeError, match='DDASAugment.*not allowed'):
        broadcaster(dict(img=frames))


@pytest.mark.parametrize(
    ('scope', 'more', 'order', 'warned'),
    [
        ('mmpretrain', {}, None, True),
        ('mmpretrain', {}, 'rgb', False),
        ('mmpretrain', {}, 'bgr', False),
        ('mmpretrain', dict(img_path='1.png'), None, False),
        ('mmdet', {}, None, False),
    ],
)
def test_images_that_a_data_set_brings_may_be_rgb(scope, more, order, warned, recwarn):
    """MMPretrain's CIFAR10 does; files are read as BGR."""
    with DefaultScope.overwrite_default_scope(scope):
        augment = DDASAugment(inline([('Color', 2)]), channel_order=order)
    for _ in range(2):
        augment(dict(img=np.zeros((8, 8, 3), np.uint8), **more))
    messages = [str(warning.message) for warning in recwarn if 'come from no file' in str(warning.message)]
    assert len(messages) == warned
