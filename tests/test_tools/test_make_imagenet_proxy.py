"""The proxy split of classes: disjoint, reproducible, read by MMPretrain, clear about what is wrong with a source."""

import os
import random
from pathlib import Path

import pytest
from make_imagenet_proxy import (
    CLASSES_FILE,
    TRAIN_FILE,
    VAL_FILE,
    read_annotation_list,
    split_classes,
    write_class_split,
)

from mmddas.datasets.splits.class_folders import read_class_folders

TOOL = Path(__file__).parents[2] / 'tools' / 'dataset_tools' / 'make_imagenet_proxy.py'
NUM_CLASSES, PER_CLASS = 12, 10
SIZES = {'num_classes': 5, 'train_per_class': 4, 'val_per_class': 3}


def image_table():
    """12 classes of 10 images each; the names have spaces, and their sorted order is not that of the numbers."""
    return {f'n{c}': [f'n{c}/image {i} (a).JPEG' for i in range(PER_CLASS)] for c in range(NUM_CLASSES)}


@pytest.fixture
def images():
    return image_table()


@pytest.fixture(scope='module')
def tree(tmp_path_factory):
    """The same as a folder, with its list, whose labels are not in sorted order; neither is for writing."""
    data_root = tmp_path_factory.mktemp('imagenet')
    lines = []
    for label, paths in enumerate(image_table().values()):
        (data_root / 'train' / f'n{label}').mkdir(parents=True)
        for path in paths:
            (data_root / 'train' / path).touch()
            lines.append(f'{path} {label}\n')
    (data_root / 'train.txt').write_text(''.join(lines))
    return data_root


def paths_of(samples):
    return [path for path, _ in samples]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def write_list(folder, *lines):
    ann_file = folder / 'list.txt'
    ann_file.write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return ann_file


@pytest.mark.parametrize('seed', range(5))
def test_each_class_has_the_images_asked_for_and_the_subsets_are_disjoint(images, seed):
    split = split_classes(images, **SIZES, seed=seed)
    assert len(set(split.classes)) == 5
    for samples, per_class in ((split.train, 4), (split.val, 3)):
        assert len(set(paths_of(samples))) == len(samples)
        assert [label for _, label in samples] == [label for label in range(5) for _ in range(per_class)]
    assert not set(paths_of(split.train)) & set(paths_of(split.val))


def test_labels_are_the_places_of_the_sorted_classes(images):
    split = split_classes(images, **SIZES)
    assert split.classes == sorted(split.classes)
    for path, label in split.train + split.val:
        assert path in images[split.classes[label]]


def test_all_images_can_be_used(images):
    split = split_classes(images, NUM_CLASSES, 6, 4)
    assert split.classes == sorted(images)
    assert set(paths_of(split.train + split.val)) == {path for paths in images.values() for path in paths}


def test_the_same_seed_draws_the_same_and_another_seed_other_classes_and_images(images):
    first, again, other = (split_classes(images, **SIZES, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first.classes != other.classes
    assert split_classes(images, 12, 4, 3, seed=3).train != split_classes(images, 12, 4, 3, seed=4).train


def test_classes_do_not_share_one_choice_of_images(images):
    split = split_classes(images, NUM_CLASSES, 5, 5)
    choices = {tuple(path.split('/')[1] for path, k in split.train if k == label) for label in range(NUM_CLASSES)}
    assert len(choices) > NUM_CLASSES // 2


def test_the_draw_does_not_depend_on_the_order_of_the_source(images):
    names = list(images)
    random.Random(0).shuffle(names)
    shuffled = {name: random.Random(name).sample(images[name], PER_CLASS) for name in names}
    assert split_classes(shuffled, **SIZES, seed=3) == split_classes(images, **SIZES, seed=3)


def test_another_val_size_leaves_train_as_it_was(images):
    other = min(set(images) - set(split_classes(images, **SIZES, seed=1).classes))
    images[other] = images[other][:6]  # large enough for the smallest val only
    splits = [split_classes(images, 5, 4, val, seed=1) for val in (1, 3, 6)]
    assert [split.too_small for split in splits] == [[], [other], [other]]
    assert splits[0].train == splits[1].train == splits[2].train
    assert len(splits[2].val) == 30


def test_more_classes_leave_the_images_of_the_others_as_they_were(images):
    few, many = (split_classes(images, num, 4, 3, seed=1) for num in (5, 9))
    assert set(paths_of(few.train)) < set(paths_of(many.train))
    assert set(paths_of(few.val)) < set(paths_of(many.val))


def test_small_classes_are_not_drawn_and_are_reported(images):
    images['n4'], images['n10'] = images['n4'][:6], []
    for seed in range(5):
        split = split_classes(images, 10, 4, 3, seed=seed)
        assert split.classes == sorted(set(images) - {'n4', 'n10'})
        assert split.too_small == ['n10', 'n4']


def test_too_few_classes_are_counted(images):
    images['n4'] = images['n4'][:6]
    with pytest.raises(ValueError, match=r'12 classes with 4 \+ 3 = 7 images .* there are 12 classes, 11 of them'):
        split_classes(images, 12, 4, 3)


@pytest.mark.parametrize('arguments', [{'num_classes': 0}, {'train_per_class': 0}, {'val_per_class': -1}, {'seed': -2}])
def test_wrong_requests_are_named(images, arguments):
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError, match=f'{name} is {value}; it must be at least'):
        split_classes(images, **{**SIZES, **arguments})


def test_the_folders_and_their_list_give_the_same_files(tree, tmp_path):
    for out_dir, ann_file in ((tmp_path / 'a', None), (tmp_path / 'b', tree / 'train.txt')):
        assert write_class_split(tree / 'train', ann_file, out_dir, **SIZES, seed=2)[0] == out_dir
    assert contents(tmp_path / 'a') == contents(tmp_path / 'b')
    assert sorted(contents(tmp_path / 'a')) == sorted([TRAIN_FILE, VAL_FILE, CLASSES_FILE])


def test_files_are_written_into_meta_beside_the_images_by_default(tree, tmp_path, monkeypatch):
    (tmp_path / 'train').symlink_to(tree / 'train')
    assert write_class_split(tmp_path / 'train', **SIZES)[0] == tmp_path / 'meta'
    before = contents(tmp_path / 'meta')
    monkeypatch.chdir(tmp_path / 'train')
    (tree / 'meta').mkdir()  # '..' of the current folder is its real parent
    assert write_class_split('.', **SIZES)[0] == Path('../meta')
    assert contents(tree / 'meta') == before


def test_mmpretrain_reads_the_result_with_the_right_labels(tree, tmp_path):
    custom = pytest.importorskip('mmpretrain.datasets')
    out_dir, split = write_class_split(tree / 'train', None, tmp_path, **SIZES, seed=2)
    for name, samples in ((TRAIN_FILE, split.train), (VAL_FILE, split.val)):
        dataset = custom.CustomDataset(
            data_root=str(tree),
            data_prefix='train',
            ann_file=str(out_dir / name),
            classes=str(out_dir / CLASSES_FILE),
            with_label=True,
        )
        assert len(dataset) == len(samples)
        assert list(dataset.CLASSES) == split.classes
        for i in range(len(dataset)):
            info = dataset.get_data_info(i)
            assert Path(info['img_path']).is_file()
            assert Path(info['img_path']).parent.name == dataset.CLASSES[info['gt_label']]


def test_only_visible_images_in_class_folders_are_found(tmp_path):
    found = ['cat/a.JPEG', 'cat/images/b.png', 'dog/c d.jpg']
    others = ['loose.jpg', 'cat/notes.txt', 'cat/._a.JPEG', 'dog/.trash/e.jpg', '.cache/f.jpg']
    for path in found + others:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / 'empty').mkdir()
    images = {name: sorted(paths) for name, paths in read_class_folders(tmp_path).items()}
    assert images == {'cat': found[:2], 'dog': found[2:], 'empty': []}


def test_the_last_field_of_a_line_is_the_label(tmp_path):
    ann_file = tmp_path / 'list.txt'
    ann_file.write_bytes(b'\xef\xbb\xbfa b/1 2.jpg 7\r\n\r\nc/x/3.jpg\t1\r\n')
    assert read_annotation_list(ann_file) == {'a b': ['a b/1 2.jpg'], 'c': ['c/x/3.jpg']}


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        (['a/1.jpg 0', 'a/2.jpg'], "line 2: 'a/2.jpg' does not end with a label"),
        (['', 'a/1.jpg -1'], 'line 2: .* does not end with a label'),
        (['a/1.jpg 0', '7'], 'line 2: .* does not end with a label'),
        (['1.jpg 0'], "line 1: the path '1.jpg' is not '<class>/<image>'"),
        (['/a/1.jpg 0'], "line 1: the path '/a/1.jpg'"),
        (['../a/1.jpg 0'], 'line 1: the path'),
        (['a/1.jpg 0', 'a/2.jpg 1'], "line 2: class folder 'a' has label 1 here but 0 above"),
        (['a/1.jpg 0', 'b/1.jpg 0'], "line 2: label 0 is class folder 'b' here but 'a' above"),
        (['a/1.jpg 0', 'a/2.jpg 0', 'a/1.jpg 0'], 'line 3: .* on line 1 already'),
        ([''], 'names no image'),
    ],
)
def test_a_wrong_line_is_named(tmp_path, lines, message):
    with pytest.raises(ValueError, match=rf"list\.txt'.*{message}"):
        read_annotation_list(write_list(tmp_path, *lines))


def test_missing_and_empty_sources_are_named(tree, tmp_path):
    with pytest.raises(FileNotFoundError, match="no image folder '.*nowhere'"):
        write_class_split(tmp_path / 'nowhere')
    with pytest.raises(FileNotFoundError, match="no annotation list '.*nowhere.txt'"):
        write_class_split(tree / 'train', tree / 'nowhere.txt')
    with pytest.raises(ValueError, match='has no class folders'):
        read_class_folders(tmp_path)
    (tmp_path / 'cat').mkdir()
    with pytest.raises(ValueError, match=r'1 folders \(cat\) but no image'):
        read_class_folders(tmp_path)
    (tmp_path / 'list.txt').write_bytes(b'caf\xe9/1.jpg 0\n')
    with pytest.raises(ValueError, match=r"list\.txt' is not UTF-8"):
        read_annotation_list(tmp_path / 'list.txt')


@pytest.mark.parametrize('name', [' a', 'a\nb', b'caf\xe9'])
def test_a_name_that_no_list_can_hold_is_named(tmp_path, name):
    folder = os.path.join(os.fsencode(tmp_path), os.fsencode(name))
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip('this file system refuses the name')
    open(os.path.join(folder, b'1.jpg'), 'wb').close()
    with pytest.raises(ValueError, match='1.jpg.*rename'):
        read_class_folders(tmp_path)


def test_a_list_of_another_folder_is_noticed_before_anything_is_written(tree, tmp_path):
    ann_file = write_list(tmp_path, *[f'cat/{i}.jpg 0' for i in range(5)])
    with pytest.raises(FileNotFoundError, match=r'5 of the 5 images drawn .* are not in .*: cat/'):
        write_class_split(tree / 'train', ann_file, tmp_path / 'out', 1, 3, 2)
    assert not (tmp_path / 'out').exists()


def test_a_list_is_not_replaced_by_what_is_drawn_from_it(tree, tmp_path):
    write_class_split(tree / 'train', None, tmp_path, **SIZES)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match='replace its source'):
        write_class_split(tree / 'train', tmp_path / TRAIN_FILE, tmp_path, 2, 2, 1)
    assert contents(tmp_path) == before


def test_a_failed_write_leaves_the_old_files(tree, tmp_path, monkeypatch):
    write_class_split(tree / 'train', None, tmp_path, **SIZES, seed=0)
    before = contents(tmp_path)
    written = Path.write_text

    def fail_at_the_last(path, text, **kwargs):
        if 'classes' in path.name:
            raise OSError('disk')
        return written(path, text, **kwargs)

    monkeypatch.setattr(Path, 'write_text', fail_at_the_last)
    with pytest.raises(OSError, match='disk'):
        write_class_split(tree / 'train', None, tmp_path, **SIZES, seed=1)
    assert contents(tmp_path) == before


def test_the_tool_summarises_and_reports_small_classes(run_tool, tree, tmp_path):
    lines = [line for line in (tree / 'train.txt').read_text().splitlines() if not line.startswith('n4/image 9')]
    sizes = ('--num-classes', 11, '--train-per-class', 6, '--val-per-class', 4, '--out-dir', tmp_path)
    result = run_tool(tree / 'train', '--ann-file', write_list(tmp_path, *lines), *sizes)
    assert result.returncode == 0, result.stderr
    assert 'S_train: 66 images of 11 classes' in result.stdout and 'S_val: 44 images' in result.stdout
    assert 'Note: 1 class(es) have fewer than 10 images' in result.stderr and 'n4' in result.stderr
    assert len((tmp_path / TRAIN_FILE).read_text().splitlines()) == 66


def test_the_tool_ends_with_one_sentence_by_default_sizes(run_tool, tree):
    result = run_tool(tree / 'train')
    assert result.returncode == 2 and 'Traceback' not in result.stderr
    assert '120 classes with 50 + 20 = 70 images each are asked for; there are 12 classes' in result.stderr
