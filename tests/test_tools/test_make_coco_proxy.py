"""The proxy split: disjoint, reproducible, faithful to its source, clear about what is wrong with a file."""

import copy
import json
import random
from pathlib import Path

import pytest
from make_coco_proxy import absent_classes, describe, split_coco, write_search_split

TOOL = Path(__file__).parents[2] / 'tools' / 'dataset_tools' / 'make_coco_proxy.py'
NUM_IMAGES, NUM_EMPTY, NUM_CROWD_ONLY = 60, 6, 4


@pytest.fixture
def source():
    """60 images with ids 100, 103, ...: the first 6 empty, the next 4 with a crowd region only."""
    images = [{'id': 100 + 3 * i, 'file_name': f'{i:04d}.jpg', 'width': 8, 'height': 8} for i in range(NUM_IMAGES)]
    annotations = []
    for i, image in enumerate(images[NUM_EMPTY:]):
        for k in range(1 + i % 3):
            annotation = {
                'id': 7000 + len(annotations),
                'image_id': image['id'],
                'category_id': 1 + (i + k) % 2,
            }
            annotations.append({**annotation, 'bbox': [0, 0, 2, 2], 'area': 4, 'iscrowd': int(i < NUM_CROWD_ONLY)})
    return {
        'info': {'year': 2017},
        'licenses': [{'id': 1, 'name': 'CC'}],
        'categories': [{'id': 1, 'name': 'cat'}, {'id': 2, 'name': 'dog'}, {'id': 9, 'name': 'yeti'}],
        'images': images,
        'annotations': annotations,
    }


def ids(subset):
    return [image['id'] for image in subset['images']]


def test_subsets_are_disjoint_and_of_the_sizes_asked_for(source):
    train, val = split_coco(source, 30, 15, seed=0)
    assert len(set(ids(train))) == len(train['images']) == 30
    assert len(set(ids(val))) == len(val['images']) == 15
    assert not set(ids(train)) & set(ids(val))


def test_all_images_can_be_used(source):
    train, val = split_coco(source, 30, 20, seed=0)
    assert set(ids(train)) | set(ids(val)) == {i['id'] for i in source['images'][NUM_EMPTY + NUM_CROWD_ONLY :]}


def test_the_same_seed_draws_the_same_images_and_another_seed_others(source):
    first, again, other = (split_coco(source, 20, 10, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert set(ids(first[0])) != set(ids(other[0])) and set(ids(first[1])) != set(ids(other[1]))


def test_the_draw_does_not_depend_on_the_order_of_the_source(source):
    shuffled = {key: copy.copy(source[key]) for key in reversed(source)}
    random.Random(0).shuffle(shuffled['images'])
    random.Random(1).shuffle(shuffled['annotations'])
    ordered = [set(ids(subset)) for subset in split_coco(source, 20, 10, seed=3)]
    assert ordered == [set(ids(subset)) for subset in split_coco(shuffled, 20, 10, seed=3)]


def test_a_larger_val_leaves_train_as_it_was(source):
    assert split_coco(source, 20, 5, seed=1)[0] == split_coco(source, 20, 25, seed=1)[0]


def test_images_and_annotations_keep_the_source_order_and_content(source):
    for subset in split_coco(source, 20, 10, seed=0):
        chosen = set(ids(subset))
        assert subset['images'] == [image for image in source['images'] if image['id'] in chosen]
        assert subset['annotations'] == [a for a in source['annotations'] if a['image_id'] in chosen]


def test_everything_else_is_kept_and_the_draw_is_recorded(source):
    before = copy.deepcopy(source)
    train, val = split_coco(source, 20, 10, seed=4)
    assert source == before
    for subset, role in ((train, 'S_train'), (val, 'S_val')):
        assert subset['licenses'] == source['licenses'] and subset['categories'] == source['categories']
        assert subset['info'] == {'year': 2017, 'search_subset': {'role': role, 'seed': 4}}


def test_images_without_objects_are_drawn_only_on_request(source):
    useless = {image['id'] for image in source['images'][: NUM_EMPTY + NUM_CROWD_ONLY]}
    train, val = split_coco(source, 30, 20, seed=0)
    assert not useless & set(ids(train) + ids(val))
    train, val = split_coco(source, 40, 20, seed=0, keep_empty=True)
    assert useless <= set(ids(train) + ids(val))


def test_ids_may_be_names(source):
    for image in source['images']:
        image['id'] = f'im{image["id"]}'
    for annotation in source['annotations']:
        annotation['image_id'] = f'im{annotation["image_id"]}'
    assert len(split_coco(source, 20, 10)[0]['images']) == 20


def test_too_few_images_are_counted_with_advice(source):
    with pytest.raises(ValueError, match=r'55 images are asked for; there are 60 images, 50 .*--keep-empty'):
        split_coco(source, 40, 15)
    with pytest.raises(ValueError, match=r'61 images are asked for; there are 60 images: ask for fewer$'):
        split_coco(source, 40, 21, keep_empty=True)


def test_repeated_image_ids_are_named(source):
    source['images'].append(source['images'][5])
    with pytest.raises(ValueError, match='unique.*: 115'):
        split_coco(source, 20, 10)


@pytest.mark.parametrize('key', ['images', 'annotations', 'categories'])
def test_a_missing_key_is_named(source, key):
    del source[key]
    with pytest.raises(ValueError, match=f"'{key}' is missing"):
        split_coco(source, 20, 10)


@pytest.mark.parametrize(('key', 'field'), [('images', 'id'), ('annotations', 'image_id'), ('categories', 'name')])
def test_a_missing_field_is_named_with_its_place(source, key, field):
    del source[key][2][field]
    with pytest.raises(ValueError, match=rf"'{field}' is missing in {key}\[2\]"):
        split_coco(source, 20, 10)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'images': {}}, "'images' is dict, not a list"),
        ({'annotations': [3]}, r'annotations\[0\] is int'),
        ({'info': 'COCO'}, "'info' is str"),
    ],
)
def test_a_wrong_type_is_named(source, change, message):
    with pytest.raises(ValueError, match=message):
        split_coco({**source, **change}, 20, 10)
    with pytest.raises(ValueError, match='not list'):
        split_coco([], 20, 10)


@pytest.mark.parametrize('arguments', [{'num_train': 0}, {'num_val': -1}, {'seed': -2}])
def test_wrong_requests_are_named(source, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        split_coco(source, **{'num_train': 20, 'num_val': 10, **arguments})


def test_files_are_written_beside_the_source_or_elsewhere(source, tmp_path):
    ann_file = tmp_path / 'instances_train.json'
    ann_file.write_text(json.dumps(source))
    for out_dir in (None, tmp_path / 'new' / 'folder'):
        written = write_search_split(ann_file, out_dir, 20, 10, seed=2)
        folder = out_dir or tmp_path
        names = ['instances_train_search_train.json', 'instances_train_search_val.json']
        assert list(written) == [folder / name for name in names]
        for (path, subset), role in zip(written.items(), ('S_train', 'S_val'), strict=True):
            assert json.loads(path.read_text()) == subset
            record = {'role': role, 'seed': 2, 'source': 'instances_train.json'}
            assert subset['info']['search_subset'] == record
        assert not [path for path in folder.iterdir() if path.suffix == '.tmp']


def test_pycocotools_loads_the_subsets(source, tmp_path):
    coco_api = pytest.importorskip('pycocotools.coco')
    ann_file = tmp_path / 'a.json'
    ann_file.write_text(json.dumps(source))
    for path, subset in write_search_split(ann_file, None, 20, 10).items():
        assert sorted(coco_api.COCO(str(path)).getImgIds()) == sorted(ids(subset))


def test_file_errors_name_the_file(source, tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere.json'):
        write_search_split(tmp_path / 'nowhere.json')
    wrong = tmp_path / 'wrong.json'
    for content, message in (
        (b'{"images": [', 'is not JSON'),
        (b'\xff\xfe\x81', 'is not JSON'),
        (b'{}', "'images'"),
    ):
        wrong.write_bytes(content)
        with pytest.raises(ValueError, match=rf'wrong\.json.*{message}'):
            write_search_split(wrong)


def test_a_failed_write_leaves_the_old_file(source, tmp_path, monkeypatch):
    ann_file = tmp_path / 'a.json'
    ann_file.write_text(json.dumps(source))
    old = {path: path.read_bytes() for path in write_search_split(ann_file, None, 20, 10, seed=0)}
    monkeypatch.setattr('mmddas.datasets.splits.coco.os.replace', lambda *_: (_ for _ in ()).throw(OSError('disk')))
    with pytest.raises(OSError, match='disk'):
        write_search_split(ann_file, None, 20, 10, seed=1)
    assert {path: path.read_bytes() for path in old} == old
    assert len(list(tmp_path.iterdir())) == 3


def test_the_description_counts_classes_and_absent_ones_are_found(source):
    train, _ = split_coco(source, 30, 20, seed=0)
    counts = [sum(a['category_id'] == k and not a['iscrowd'] for a in train['annotations']) for k in (1, 2)]
    listed = f'cat {counts[0]}, dog {counts[1]}, yeti 0'
    assert describe(train) == f'30 images, {sum(counts)} boxes, 0 crowd regions ({listed})'
    assert absent_classes(train) == ['yeti']
    train['categories'] = [{'id': k, 'name': str(k)} for k in range(1, 81)]
    assert describe(train).endswith('2 of 80 classes')


def test_the_tool_summarises_and_warns_of_absent_classes(run_tool, source, tmp_path):
    ann_file = tmp_path / 'a.json'
    ann_file.write_text(json.dumps(source))
    arguments = [str(ann_file), '--num-train', '20', '--num-val', '10']
    result = run_tool(*arguments)
    assert result.returncode == 0, result.stderr
    assert 'S_train: 20 images' in result.stdout and 'S_val: 10 images' in result.stdout
    assert 'Warning' in result.stderr and 'yeti' in result.stderr
    arguments[-1] = '1000'
    result = run_tool(*arguments)
    assert result.returncode == 2 and 'Traceback' not in result.stderr and '1020 images' in result.stderr
