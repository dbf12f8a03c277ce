"""PolicyTransform does what DDASAugment does, to whatever a training in PyTorch passes around."""

import pickle
import warnings
from collections import defaultdict

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from mmddas import PolicyTransform
from mmddas.core import Candidate, PolicyFileError
from mmddas.datasets import DDASAugment

HEIGHT, WIDTH = 48, 64
BOXES = np.array([(10, 8, 30, 28), (40, 20, 60, 44), (2, 2, 8, 40)], np.float32)


def image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def masks() -> np.ndarray:
    found = np.zeros((len(BOXES), HEIGHT, WIDTH), np.uint8)
    for layer, (x1, y1, x2, y2) in zip(found, BOXES.astype(int), strict=True):
        layer[y1:y2, x1:x2] = 1
    return found


def only(op: str, level: float | None = None) -> dict:
    """A policy of one candidate, on every image."""
    return dict(num_ops=1, candidates=[dict(op=op, level=level)], epochs=[dict(total_prob=1.0, op_probs=[1.0])])


def transform(policy, seed: int = 0, **options) -> PolicyTransform:
    return PolicyTransform(policy, generator=torch.Generator().manual_seed(seed), **options)


AWAY = only('TranslateX_BBox', 10.0)  # 100 pixels of 64: everything leaves


@pytest.mark.parametrize('space', ['detection', 'cifar'])
def test_it_has_the_pixels_and_boxes_of_ddas_augment(space):
    """On the same draw, of every candidate of a preset in pairs."""
    ours, theirs = transform(f'uniform:{space}'), DDASAugment(policy=f'uniform:{space}', channel_order='rgb')
    draws = np.random.default_rng(0)
    changed = 0
    for number in range(1000):
        sub_policy = ours.draw(ours.snapshot, draws)
        numbers = [np.random.default_rng(number) for _ in range(2)]
        sample = dict(img=image(number), gt_bboxes=BOXES.copy(), gt_bboxes_labels=np.arange(3))
        expected = theirs.augment(sample, sub_policy, numbers[0])
        given = image(number), dict(boxes=torch.from_numpy(BOXES), labels=torch.arange(3))
        found, target = ours.augment(given, sub_policy, numbers[1])
        np.testing.assert_array_equal(found, expected['img'])
        np.testing.assert_array_equal(target['boxes'], expected['gt_bboxes'])
        np.testing.assert_array_equal(target['labels'], expected['gt_bboxes_labels'])
        changed += not np.array_equal(found, image(number))
    assert changed > 500


def test_every_kind_of_image_has_the_same_pixels_and_keeps_its_type():
    array = image()
    kinds = dict(
        array=array,
        pil=Image.fromarray(array),
        tensor=torch.from_numpy(array).permute(2, 0, 1),
        tv=tv_tensors.Image(torch.from_numpy(array).permute(2, 0, 1)),
    )
    policy = only('Rotate_BBox', 8.0)
    expected = transform(policy)(array)
    assert not np.array_equal(expected, array)
    for given in kinds.values():
        found = transform(policy)(given)
        assert type(found) is type(given)
        pixels = found.permute(1, 2, 0).numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
        np.testing.assert_array_equal(pixels, expected)
    bgr = transform(policy, channel_order='bgr')(np.ascontiguousarray(array[..., ::-1]))
    np.testing.assert_array_equal(bgr[..., ::-1], expected)
    pil = transform(only('Color', 9.0), channel_order='bgr')(kinds['pil'])
    np.testing.assert_array_equal(np.asarray(pil), transform(only('Color', 9.0))(array))


@pytest.mark.parametrize('box_format', ['XYXY', 'XYWH', 'CXCYWH'])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.int64])
def test_boxes_come_back_in_their_format_and_dtype(box_format, dtype):
    corners = tv_tensors.BoundingBoxes(torch.from_numpy(BOXES), format='XYXY', canvas_size=(HEIGHT, WIDTH))
    given = v2.functional.convert_bounding_box_format(corners, new_format=box_format).to(dtype)
    given = tv_tensors.wrap(given, like=given)
    policy = only('TranslateY_BBox', 1.0)
    expected = transform(policy)(image(), dict(boxes=corners))[1]['boxes']
    found = transform(policy)(dict(image=image(), target=dict(boxes=given)))['target']['boxes']
    assert (type(found), found.dtype, found.canvas_size) == (tv_tensors.BoundingBoxes, dtype, (HEIGHT, WIDTH))
    assert found.format == given.format
    back = v2.functional.convert_bounding_box_format(found.double(), given.format, tv_tensors.BoundingBoxFormat.XYXY)
    torch.testing.assert_close(
        back.as_subclass(torch.Tensor), expected.double().as_subclass(torch.Tensor), atol=1, rtol=0
    )
    assert not torch.equal(expected, corners)


def test_what_belongs_to_a_box_that_leaves_leaves_with_it():
    """And what does not, stays."""
    target = dict(
        boxes=torch.tensor([[10.0, 8, 30, 28], [55, 20, 60, 44], [2, 2, 8, 40]]),
        labels=torch.arange(3),
        masks=tv_tensors.Mask(torch.from_numpy(masks())),
        area=[400.0, 480.0, 228.0],
        iscrowd=np.array([0, 1, 0]),
        image_id=torch.tensor([7]),
        size=[HEIGHT, WIDTH, 3],
    )
    for seed in range(4):
        found = transform(only('TranslateX_BBox', 2.0), seed)(image(), target)[1]
        if len(found['boxes']) < 3:
            break
    number = len(found['boxes'])
    assert 0 < number < 3
    kept = found['labels'].tolist()
    assert found['area'] == [target['area'][label] for label in kept]
    assert found['iscrowd'].tolist() == [target['iscrowd'][label] for label in kept]
    assert found['masks'].shape == (number, HEIGHT, WIDTH) and type(found['masks']) is tv_tensors.Mask
    assert found['image_id'].tolist() == [7] and found['size'] == [HEIGHT, WIDTH, 3]
    for layer, (x1, _, x2, _) in zip(found['masks'], found['boxes'].tolist(), strict=True):
        if kept != [1]:
            columns = layer.sum(dim=0).nonzero()
            assert (columns.min() >= x1 - 1) and (columns.max() <= x2)
    assert target['labels'].tolist() == [0, 1, 2] and len(target['boxes']) == 3


def test_a_sample_without_boxes_left_is_empty_and_well_formed():
    boxes = tv_tensors.BoundingBoxes(torch.from_numpy(BOXES), format='XYWH', canvas_size=(HEIGHT, WIDTH))
    target = dict(boxes=boxes, labels=torch.arange(3), masks=torch.from_numpy(masks()))
    found = transform(AWAY)(image(), target)[1]
    assert found['boxes'].shape == (0, 4) and found['boxes'].canvas_size == (HEIGHT, WIDTH)
    assert found['labels'].shape == (0,) and found['masks'].shape == (0, HEIGHT, WIDTH)
    again = transform(AWAY)(image(), found)[1]
    assert again['boxes'].shape == (0, 4)


def test_coco_style_objects_of_lists():
    objects = dict(bbox=[[10, 8, 20, 20], [40, 20, 20, 24]], category=[1, 2], area=[400, 480], id=[5, 6])
    sample = dict(image=Image.fromarray(image()), image_id=3, objects=objects)
    found = transform(only('TranslateX_BBox', 0.0))(sample)
    assert found['objects'] == objects and found['image_id'] == 3 and isinstance(found['image'], Image.Image)
    found = transform(AWAY)(sample)
    assert found['objects'] == dict(bbox=[], category=[], area=[], id=[])
    found = transform(only('TranslateY_BBox', 1.0))(sample)['objects']
    assert all(isinstance(number, int) for box in found['bbox'] for number in box)
    assert [box[2] for box in found['bbox']] == [20, 20]


def test_label_maps_follow_the_pixels():
    label_map = torch.zeros(HEIGHT, WIDTH, dtype=torch.int64)
    label_map[8:28, 10:30] = 1000
    marked = image() // 4
    marked[8:28, 10:30] = 255
    for given in (label_map, label_map[None]):
        found, moved = transform(only('ShearX_BBox', 6.0))(marked, tv_tensors.Mask(given))
        assert (moved.dtype, moved.shape, type(moved)) == (torch.int64, given.shape, tv_tensors.Mask)
        inside = (found == 255).all(axis=2)
        np.testing.assert_array_equal(moved.reshape(HEIGHT, WIDTH).numpy() == 1000, inside)
        assert set(moved.unique().tolist()) <= {0, 255, 1000}


def test_masks_that_come_before_the_image_are_not_taken_for_it():
    found = transform(only('Invert'))(dict(masks=torch.from_numpy(masks()), image=torch.zeros(3, HEIGHT, WIDTH).byte()))
    assert (found['image'] == 255).all() and torch.equal(found['masks'], torch.from_numpy(masks()))


@pytest.mark.parametrize(('key', 'left'), [('masks', 0), ('mask', 255)])
def test_plain_masks_follow_without_boxes(key, left):
    given = np.ones((HEIGHT, WIDTH), np.uint8)
    target = {key: given[None] if key == 'masks' else given}
    found = transform(only('TranslateX_BBox', 1.0))(image(), target)[1][key]
    assert found.shape == target[key].shape and set(np.unique(found).tolist()) == {1, left}


@pytest.mark.parametrize('kind', [np.asarray, torch.from_numpy, lambda mask: tv_tensors.Mask(torch.from_numpy(mask))])
def test_masks_in_a_list_are_those_of_an_array(kind):
    policy = only('TranslateX_BBox', 2.0)
    for seed in range(4):
        target = dict(boxes=BOXES + np.float32([40, 0, 40, 0]), masks=masks())
        listed = dict(target, masks=[kind(mask) for mask in masks()])
        expected, found = (transform(policy, seed)(image(), given)[1] for given in (target, listed))
        np.testing.assert_array_equal(found['boxes'], expected['boxes'])
        assert type(found['masks']) is list and len(found['masks']) == len(expected['boxes'])
        for layer, mask in zip(expected['masks'], found['masks'], strict=True):
            assert type(mask) is type(kind(masks()[0]))
            np.testing.assert_array_equal(np.asarray(mask), layer)
    alone = transform(policy)(image(), dict(masks=listed['masks']))[1]['masks']
    np.testing.assert_array_equal(np.stack(alone), transform(policy)(image(), dict(masks=masks()))[1]['masks'])


def test_what_is_uncovered_of_a_boolean_map_is_false():
    given = np.zeros((HEIGHT, WIDTH), bool)
    for mask in (dict(mask=given), tv_tensors.Mask(torch.from_numpy(given))):
        found = transform(only('TranslateX_BBox', 1.0))(image(), mask)[1]
        assert not np.asarray(found['mask'] if isinstance(mask, dict) else found).any()


def test_what_holds_the_image_is_not_beside_the_boxes():
    boxes = tv_tensors.BoundingBoxes(torch.from_numpy(BOXES[:2]), format='XYXY', canvas_size=(HEIGHT, WIDTH))
    (_, name), left = transform(AWAY)((Image.fromarray(image()), 'a.jpg'), boxes)
    assert name == 'a.jpg' and len(left) == 0


def test_dicts_of_other_kinds_keep_it():
    target = defaultdict(list, boxes=torch.from_numpy(BOXES), labels=[0, 1, 2])
    found = transform(AWAY)(image(), target)[1]
    assert type(found) is defaultdict and found['labels'] == [] and found['more'] == []
    assert target['labels'] == [0, 1, 2]


def test_it_works_in_torchvisions_compose_and_passes_other_things_through():
    pipeline = v2.Compose([PolicyTransform('trivialaugment'), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    found, label, name = pipeline(Image.fromarray(image()), 3, 'a.jpg')
    assert found.shape == (3, HEIGHT, WIDTH) and (label, name) == (3, 'a.jpg')
    assert 'trivialaugment' in repr(pipeline)


def test_how_often_images_are_augmented_is_p_tp():
    augment = transform('uniform:cifar:total_prob=0.3')
    drawn = [augment.chosen(augment._uniform, augment._rng) is not None for _ in range(4000)]
    assert np.mean(drawn) == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize('own', [False, True], ids=['seed', 'generator'])
def test_draws_follow_pytorchs_seed_or_the_generator(own):
    def some(seed: int) -> np.ndarray:
        torch.manual_seed(0 if own else seed)
        augment = transform('trivialaugment', seed) if own else PolicyTransform('trivialaugment')
        return np.stack([augment(image()) for _ in range(5)])

    assert np.array_equal(some(1), some(1)) and not np.array_equal(some(1), some(2))


def test_a_copy_by_pickle_is_the_same():
    augment = pickle.loads(pickle.dumps(PolicyTransform('zoph_v1')))
    target = dict(boxes=torch.from_numpy(BOXES), labels=torch.arange(3))
    torch.manual_seed(5)
    found = augment(image(), target)
    torch.manual_seed(5)
    np.testing.assert_array_equal(found[0], PolicyTransform('zoph_v1')(image(), target)[0])


class Greys(Dataset):
    """Grey images; what comes back of each is whether it was augmented, and its worker's number."""

    def __init__(self, transform) -> None:
        self.transform = transform

    def __len__(self) -> int:
        return 32

    def __getitem__(self, index: int) -> tuple[int, int]:
        given = np.full((8, 8, 3), 100, np.uint8)
        return int(not np.array_equal(self.transform(given), given)), torch.utils.data.get_worker_info().id


def schedule() -> dict:
    """First nothing, then all images inverted."""
    candidates = [dict(op='Invert', level=None), dict(op='Solarize', level=0.0)]
    epochs = [dict(total_prob=prob, op_probs=[1.0, 0.0]) for prob in (0.0, 1.0)]
    return dict(num_ops=1, candidates=candidates, epochs=epochs)


@pytest.mark.parametrize('method', ['fork', pytest.param('spawn', marks=pytest.mark.slow)])
def test_the_epoch_reaches_workers_that_stay(method):
    augment = PolicyTransform(schedule(), epochs=4)
    loader = DataLoader(
        Greys(augment), batch_size=8, num_workers=2, persistent_workers=True, multiprocessing_context=method
    )
    for epoch, expected in enumerate([0, 0, 1, 1]):
        augment.set_epoch(epoch)
        assert all(bool((found == expected).all()) for found, _ in loader)


@pytest.mark.parametrize('own', [False, True], ids=['seed', 'generator'])
def test_workers_and_epochs_draw_differently(own):
    augment = (transform if own else PolicyTransform)('uniform:cifar:total_prob=0.5')
    loader = DataLoader(Greys(augment), batch_size=16, num_workers=2)
    epochs = []
    for _ in range(3):
        found = {worker[0].item(): tuple(changed.tolist()) for changed, worker in loader}
        assert found[0] != found[1]
        epochs.append(found)
    assert epochs[0] != epochs[1] != epochs[2]


def test_a_schedule_that_nobody_tells_the_epoch_says_so_once():
    augment = transform(schedule())
    with pytest.warns(UserWarning, match='Call set_epoch at the beginning'):
        augment(image())
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        augment(image())


FLOATS = torch.rand(3, HEIGHT, WIDTH)


@pytest.mark.parametrize(
    ('inputs', 'error', 'message'),
    [
        ((FLOATS,), ValueError, 'before transforms that make floats of it'),
        ((image() / 255,), ValueError, 'before transforms that make floats'),
        ((torch.zeros(2, 3, 8, 8, dtype=torch.uint8),), ValueError, 'one image at a time'),
        ((torch.zeros(1, 8, 8, dtype=torch.uint8),), ValueError, 'in colour'),
        ((np.zeros((0, 8, 3), np.uint8),), ValueError, 'no pixels'),
        ((Image.new('L', (8, 8)),), ValueError, r"found L: image.convert\('RGB'\)"),
        ((3, 'a'), TypeError, r"found no image among \['int', 'str'\]"),
        ((Image.new('RGB', (8, 8)), Image.new('RGB', (8, 8))), TypeError, r'one image a call, found 2, at inputs\[0\]'),
        ((image(), dict(boxes=torch.zeros(2, 5))), ValueError, r'must be numbers \(N, 4\), found float32 \(2, 5\)'),
        ((image(), dict(boxes=[[0, 0, float('nan'), 4]])), ValueError, 'not made of finite numbers'),
        (
            (image(), dict(boxes=torch.zeros(2, 4), labels=torch.zeros(3))),
            ValueError,
            'has 3 entries, and there are 2 boxes',
        ),
        (
            (image(), dict(boxes=torch.zeros(2, 4), bbox=torch.zeros(2, 4))),
            TypeError,
            'one set of boxes a call, found 2',
        ),
        (
            (image(), dict(boxes=torch.zeros(1, 4), keypoints=torch.zeros(1, 5, 3))),
            TypeError,
            'would leave keypoints or polygons',
        ),
        ((image(), dict(objects=dict(segmentation=[[[1, 2, 3, 4, 5, 6]]]))), TypeError, 'make masks of polygons'),
        ((image(), dict(masks=torch.zeros(1, 5, 5))), ValueError, r'the shape \(1, 5, 5\), and the image 48x64'),
        (
            (image(), tv_tensors.BoundingBoxes(torch.zeros(2, 5), format='XYWHR', canvas_size=(8, 8))),
            TypeError,
            'boxes of the format XYWHR',
        ),
        (
            (image(), tv_tensors.BoundingBoxes(torch.zeros(2, 4), format='XYXY', canvas_size=(8, 8)), torch.zeros(2)),
            ValueError,
            'put boxes and what belongs to them into one dict',
        ),
        (
            (
                image(),
                tv_tensors.BoundingBoxes(torch.zeros(2, 4), format='XYXY', canvas_size=(8, 8)),
                ['cat', 'dog'],
            ),
            ValueError,
            r'so has what is at inputs\[2\]: put boxes and what belongs to them into one dict',
        ),
        ((image(), dict(bboxes=torch.zeros(2, 4))), TypeError, r"inputs\[1\]\['bboxes'\] would stay .* box_formats="),
        ((image(), dict(boxes=torch.zeros(1, 4), masks=[[1, 2, 3, 4, 5, 6]])), TypeError, 'keypoints or polygons'),
    ],
)
def test_what_cannot_be_augmented_is_named(inputs, error, message):
    with pytest.raises(error, match=message):
        transform(AWAY)(*inputs)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(policy=None), 'needs a policy'),
        (dict(policy='zoph_v9'), 'zoph_v9'),
        (dict(policy='zoph_v1', epochs=0), 'epochs must be a whole number above 0'),
        (dict(policy='zoph_v1', channel_order='gbr'), "'bgr' or 'rgb'"),
        (dict(policy='zoph_v1', box_formats=dict(boxes='yolo')), "'xyxy', 'xywh' or 'cxcywh'"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises((ValueError, FileNotFoundError, PolicyFileError), match=message):
        PolicyTransform(**arguments)


@pytest.mark.parametrize('epoch', [-1, 1.5, True])
def test_wrong_epochs_are_named(epoch):
    with pytest.raises(ValueError, match='number of the epoch that begins'):
        PolicyTransform('zoph_v1').set_epoch(epoch)


@pytest.mark.parametrize(
    ('boxes', 'message'),
    [
        ([np.array([40.0, 5, 60, 30])], 'boxes must be .*, found ndarray at '),
        ([torch.tensor([40.0, 5, 60, 30])], 'found Tensor at '),
        ([['a', 'b', 'c', 'd']], 'found str at '),
    ],
)
def test_boxes_that_it_would_not_move_are_refused(boxes, message):
    with pytest.raises(TypeError, match=message):
        transform(AWAY)(image(), dict(boxes=boxes))


@pytest.mark.parametrize('sub_policy', ['Equalize', ['Equalize'], [('Solarize', 0)], Candidate('Equalize', None)])
def test_a_sub_policy_is_of_candidates(sub_policy):
    with pytest.raises(TypeError, match='a list of candidates'):
        transform(AWAY).augment(image(), sub_policy, np.random.default_rng(0))


def test_random_numbers_are_a_generator_of_numpy():
    with pytest.raises(TypeError, match='rng must be a generator'):
        transform(AWAY).augment(image(), [Candidate('Equalize', None)], 0)


@pytest.mark.parametrize('given', [image().astype(np.float32), image()[None], Image.fromarray(image()).convert('L')])
def test_an_image_of_another_kind_is_refused_also_where_nothing_is_drawn(given):
    with pytest.raises(ValueError, match='expected a'):
        transform(only('Equalize') | dict(epochs=[dict(total_prob=0.0, op_probs=[1.0])]))(given)
