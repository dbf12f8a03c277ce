"""The drawn data set: reproducible, in COCO's format, and changed by its plant exactly where it says so."""

import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from make_shapes import CROWDED, META_FILE, PLANTS, SHAPES, SPARSE, SPLITS, coco_annotation, draw_scene, make_shapes

COUNTS = {'num_train': 30, 'num_val': 12, 'num_test': 8}
pytestmark = pytest.mark.filterwarnings('ignore:__array__ implementation:DeprecationWarning:pycocotools')
TOOL = Path(__file__).parents[2] / 'tools' / 'dataset_tools' / 'make_shapes.py'


@pytest.fixture(scope='module')
def shapes_dir(tmp_path_factory):
    out_dir = tmp_path_factory.mktemp('shapes')
    make_shapes(out_dir, **COUNTS)
    return out_dir


@pytest.fixture(scope='module')
def scenes():
    return [draw_scene(np.random.default_rng((0, 0, i)), 128) for i in range(150)]


def load(out_dir, split):
    return json.loads((out_dir / 'annotations' / f'{split}.json').read_text())


def read(out_dir, split):
    return np.stack([cv2.imread(str(path)) for path in sorted((out_dir / split).glob('*.png'))])


def contents(out_dir):
    return {path.relative_to(out_dir): path.read_bytes() for path in sorted(out_dir.rglob('*')) if path.is_file()}


def test_splits_have_the_images_their_annotations_name(shapes_dir):
    for split in SPLITS:
        images = load(shapes_dir, split)['images']
        assert len(images) == COUNTS[f'num_{split}']
        assert {image['file_name'] for image in images} == {p.name for p in (shapes_dir / split).iterdir()}
        assert read(shapes_dir, split).shape == (len(images), 128, 128, 3)
        assert all((image['width'], image['height']) == (128, 128) for image in images)


def test_ids_are_unique_and_refer_to_images_and_categories(shapes_dir):
    for split in SPLITS:
        data = load(shapes_dir, split)
        annotation_ids = [a['id'] for a in data['annotations']]
        assert len(set(annotation_ids)) == len(annotation_ids) and 0 not in annotation_ids
        assert {a['image_id'] for a in data['annotations']} == {image['id'] for image in data['images']}
        assert {a['category_id'] for a in data['annotations']} <= {c['id'] for c in data['categories']}
        assert [c['name'] for c in data['categories']] == list(SHAPES)


def test_pycocotools_loads_the_annotations(shapes_dir):
    coco_api = pytest.importorskip('pycocotools.coco')
    coco = coco_api.COCO(str(shapes_dir / 'annotations' / 'train.json'))
    assert len(coco.getImgIds()) == COUNTS['num_train']
    for annotation in coco.loadAnns(coco.getAnnIds()):
        mask = coco.annToMask(annotation)
        assert mask.sum() == annotation['area']
        assert cv2.boundingRect(mask) == tuple(annotation['bbox'])


def test_the_same_seed_draws_the_same_files_and_another_seed_others(tmp_path):
    for name, seed in (('a', 0), ('b', 0), ('c', 1)):
        make_shapes(tmp_path / name, 2, 2, 2, seed=seed)
    assert contents(tmp_path / 'a') == contents(tmp_path / 'b')
    for split in SPLITS:
        assert not np.array_equal(read(tmp_path / 'a', split), read(tmp_path / 'c', split))


def test_splits_do_not_repeat_each_other(tmp_path):
    make_shapes(tmp_path, 2, 2, 2, planted='none')
    train, val, test = (read(tmp_path, split)[0] for split in SPLITS)
    assert not np.array_equal(train, val) and not np.array_equal(val, test) and not np.array_equal(train, test)


def test_more_images_leave_the_first_ones_as_they_were(tmp_path):
    make_shapes(tmp_path / 'few', 2, 1, 1)
    make_shapes(tmp_path / 'many', 5, 3, 2)
    for split, count in zip(SPLITS, (2, 1, 1), strict=True):
        assert np.array_equal(read(tmp_path / 'few', split), read(tmp_path / 'many', split)[:count])


def test_negatives_are_the_exact_inverse_in_val_and_test_only(tmp_path):
    make_shapes(tmp_path / 'plain', 3, 3, 3, planted='none')
    make_shapes(tmp_path / 'negative', 3, 3, 3, planted='negative')
    assert np.array_equal(read(tmp_path / 'plain', 'train'), read(tmp_path / 'negative', 'train'))
    for split in ('val', 'test'):
        assert np.array_equal(255 - read(tmp_path / 'plain', split), read(tmp_path / 'negative', split))
        plain, planted = load(tmp_path / 'plain', split), load(tmp_path / 'negative', split)
        assert plain['annotations'] == planted['annotations']


def test_negation_swaps_the_order_of_object_and_background(scenes):
    for image, objects in scenes:
        covered = np.any([o.visible for o in objects], axis=0)
        assert image[covered].mean() > image[~covered].mean() + 20
        inverse = PLANTS['negative'](image)
        assert inverse[covered].mean() < inverse[~covered].mean() - 20


def test_no_brightness_gives_the_class_away(scenes):
    objects = [(o.label, image[o.visible].mean(axis=0)) for image, drawn in scenes for o in drawn]
    means = np.array([np.mean([c for label, c in objects if label == k], axis=0) for k in range(len(SHAPES))])
    spread = np.std([colour for _, colour in objects], axis=0)
    assert np.all(np.ptp(means, axis=0) < 0.5 * spread)


def test_all_classes_occur_about_equally_often(scenes):
    labels = np.array([o.label for _, objects in scenes for o in objects])
    shares = np.bincount(labels, minlength=len(SHAPES)) / len(labels)
    assert np.all(shares > 0.7 / len(SHAPES))


def test_most_images_hold_few_objects_and_some_are_crowded(scenes):
    numbers = np.array([len(objects) for _, objects in scenes])
    assert numbers.min() >= SPARSE.num_objects[0] and numbers.max() <= CROWDED.num_objects[1]
    crowded = np.mean(numbers > SPARSE.num_objects[1])
    assert 0.1 < crowded < 0.35


def test_objects_of_crowded_images_overlap(scenes):
    def boxes_overlap(objects):
        boxes = np.array([coco_annotation(o.visible)['bbox'] for o in objects])
        low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
        common = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
        return np.sum(np.all(common > 0, axis=-1)) > len(boxes)

    crowded = [objects for _, objects in scenes if len(objects) > SPARSE.num_objects[1]]
    assert np.mean([boxes_overlap(objects) for objects in crowded]) > 0.8


@pytest.mark.parametrize('size', [48, 128])
def test_boxes_are_tight_around_what_is_seen_and_inside_the_image(size):
    for i in range(20):
        _, objects = draw_scene(np.random.default_rng(i), size)
        for visible in (o.visible for o in objects):
            x, y, width, height = coco_annotation(visible)['bbox']
            inside = visible[y : y + height, x : x + width]
            assert x >= 0 and y >= 0 and x + width <= size and y + height <= size
            assert inside.sum() == visible.sum()
            assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()


def test_polygons_give_the_mask_back_with_holes_filled():
    mask_api = pytest.importorskip('pycocotools.mask')
    ring = np.zeros((40, 40), bool)
    ring[5:30, 8:39] = True
    ring[10:15, 20:22] = False
    ring[35, 0] = True  # a second part, one pixel large
    annotation = coco_annotation(ring)
    filled = ring.copy()
    filled[10:15, 20:22] = True
    decoded = mask_api.decode(mask_api.merge(mask_api.frPyObjects(annotation['segmentation'], 40, 40)))
    assert np.array_equal(decoded, filled)
    assert annotation['area'] == filled.sum()
    assert annotation['bbox'] == [0, 5, 39, 31]


def test_polygons_and_areas_follow_the_visible_pixels(scenes):
    mask_api = pytest.importorskip('pycocotools.mask')
    for _, objects in scenes[:30]:
        for visible in (o.visible for o in objects):
            annotation = coco_annotation(visible)
            decoded = mask_api.decode(mask_api.merge(mask_api.frPyObjects(annotation['segmentation'], *visible.shape)))
            assert decoded.sum() == annotation['area']
            assert np.all(decoded[visible])


def test_a_second_call_reuses_the_data_and_other_arguments_replace_them(tmp_path):
    (tmp_path / 'mine.txt').write_text('not to be touched')
    first = make_shapes(tmp_path, 4, 2, 2)
    stamp = (tmp_path / 'train' / '000001.png').stat().st_mtime_ns
    second = make_shapes(tmp_path, 4, 2, 2)
    assert not first.reused and second.reused
    assert first.num_objects == second.num_objects
    assert (tmp_path / 'train' / '000001.png').stat().st_mtime_ns == stamp
    assert not make_shapes(tmp_path, 3, 2, 2, seed=5).reused
    fresh = tmp_path / 'fresh'
    make_shapes(fresh, 3, 2, 2, seed=5)
    assert {p: d for p, d in contents(tmp_path).items() if p.parts[0] not in ('fresh', 'mine.txt')} == contents(fresh)
    assert (tmp_path / 'mine.txt').exists()


def test_data_with_a_missing_file_are_drawn_again(tmp_path):
    make_shapes(tmp_path, 2, 2, 2)
    (tmp_path / 'val' / '000002.png').unlink()
    assert not make_shapes(tmp_path, 2, 2, 2).reused
    (tmp_path / 'annotations' / 'test.json').unlink()
    assert not make_shapes(tmp_path, 2, 2, 2).reused
    assert make_shapes(tmp_path, 2, 2, 2).reused


def test_files_of_others_are_never_replaced(tmp_path):
    (tmp_path / 'train').mkdir()
    (tmp_path / 'train' / 'photo.png').write_bytes(b'precious')
    with pytest.raises(FileExistsError, match='holds train'):
        make_shapes(tmp_path, 1, 1, 1)
    assert (tmp_path / 'train' / 'photo.png').read_bytes() == b'precious'
    (tmp_path / META_FILE).write_text('{"format": "something else"}')
    with pytest.raises(FileExistsError, match=META_FILE):
        make_shapes(tmp_path, 1, 1, 1)


def test_a_failed_draw_leaves_the_old_data_and_no_debris(tmp_path, monkeypatch):
    make_shapes(tmp_path, 2, 2, 2)
    before = contents(tmp_path)
    monkeypatch.setitem(PLANTS, 'broken', lambda image: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make_shapes(tmp_path, 2, 2, 2, planted='broken')
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'num_val': 0}, 'num_val is 0'),
        ({'size': 8}, 'size is 8'),
        ({'seed': -1}, 'seed is -1'),
        ({'planted': 'sepia'}, "'sepia'; there are none, negative"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_shapes(tmp_path / 'out', **arguments)
    assert not (tmp_path / 'out').exists()


def test_the_tool_prints_one_line(tmp_path, monkeypatch, capsys):
    arguments = ['--out-dir', str(tmp_path), '--num-train', '2', '--num-val', '1']
    arguments += ['--num-test', '1', '--size', '64', '--planted', 'none']
    monkeypatch.setattr(sys, 'argv', [str(TOOL), *arguments])
    for verb in ('Drew', 'Found'):
        runpy.run_path(str(TOOL), run_name='__main__')
        printed = capsys.readouterr().out
        assert printed.startswith(verb) and printed.count('\n') == 1
