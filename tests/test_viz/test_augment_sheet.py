"""Contact sheets: complete, of the right size, and harmless to what they show; and their command line."""

import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset

from mmddas import ops
from mmddas.cli import browse
from mmddas.core import PolicySchedule, PolicySnapshot, SearchSpace
from mmddas.datasets import DDASAugment
from mmddas.viz import augment_sheet
from mmddas.viz.augment_sheet import operation_sheet, policy_sheet, sample_sheet, write_image

TOOL = Path(__file__).parents[2] / 'tools' / 'analysis_tools' / 'browse_augment.py'
ENVIRONMENT = dict(os.environ, PYTHONPATH=str(TOOL.parents[2]))
SPACE = SearchSpace([('Solarize', 0), ('Rotate_BBox', 6)])
BOXES = np.array([[10, 10, 40, 40], [30, 20, 70, 50]], np.float32)


def noise(seed=0, height=60, width=80):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def written(monkeypatch):
    """The texts that are written into sheets."""
    texts = []
    original = augment_sheet._write
    monkeypatch.setattr(augment_sheet, '_write', lambda *args: (texts.append(args[1]), original(*args)))
    return texts


@pytest.fixture
def policy():
    return PolicySchedule(SPACE, [PolicySnapshot(0.0, np.array([0.5, 0.5])), PolicySnapshot(0.4, np.array([1.0, 0.0]))])


class Images(BaseDataset):
    """Four images of noise with two boxes each."""

    def load_data_list(self):
        return [dict(img_path=f'{i}.png', number=i) for i in range(4)]


def load(results):
    return dict(results, img=noise(results['number']), gt_bboxes=BOXES.copy(), gt_bboxes_labels=np.array([0, 1]))


def unreachable(results):
    raise AssertionError('What comes after DDASAugment must not run')


def test_every_operation_is_there_once_and_signed_ones_once_for_each_sign(written):
    operation_sheet(noise(), BOXES)
    for operation in ops.list_ops('detection'):
        names = [f'{operation.name} +', f'{operation.name} -'] if operation.signed else [operation.name]
        assert all([text.split('\n')[0] for text in written].count(name) == 1 for name in names)


def test_a_column_for_every_level(written):
    narrow, wide = operation_sheet(noise(), levels=(4,)), operation_sheet(noise(), levels=(2, 4, 8))
    assert narrow.shape[1] < wide.shape[1]
    assert {'level 2', 'level 4', 'level 8'} <= {text.split('\n')[-1] for text in written}
    with pytest.raises(ValueError, match='level'):
        operation_sheet(noise(), levels=())


def test_the_operation_sheet_is_reproducible_and_leaves_image_and_boxes_unchanged():
    image, boxes = noise(), BOXES.copy()
    first = operation_sheet(image, boxes, seed=3)
    assert first.dtype == np.uint8 and first.shape[2] == 3
    assert np.array_equal(first, operation_sheet(image, boxes, seed=3))
    assert np.array_equal(image, noise()) and np.array_equal(boxes, BOXES)


@pytest.mark.parametrize(('height', 'width'), [(4, 4), (300, 20), (20, 900)])
def test_images_of_any_shape_make_sheets(height, width):
    operation_sheet(noise(0, height, width), levels=(2,))
    samples = [dict(img=noise(0, height, width)), dict(img=noise(), gt_bboxes=BOXES, title='a\nb')]
    assert sample_sheet(samples, 2).shape[2] == 3


def test_samples_fill_rows_of_the_given_number_of_columns():
    sample = dict(img=noise(), gt_bboxes=BOXES, gt_bboxes_labels=np.array([0, 1]), title='title')
    one, three = sample_sheet([sample], 1), sample_sheet([sample] * 5, 3)
    assert three.shape == (2 * one.shape[0], 3 * one.shape[1], 3)
    assert np.array_equal(three[: one.shape[0], : one.shape[1]], one)
    for samples, columns in (([], 1), ([sample], 0)):
        with pytest.raises(ValueError, match='sample_sheet needs'):
            sample_sheet(samples, columns)


@pytest.mark.parametrize('wrap', [lambda dataset: dataset, lambda dataset: ConcatDataset([dataset])])
def test_a_policy_sheet_names_its_draws_and_stops_at_the_augmentation(wrap, policy, written):
    policy = policy.static()
    dataset = wrap(Images(pipeline=[load, DDASAugment(policy), unreachable]))
    dataset_sheet = policy_sheet(dataset, num=3, draws=2)
    titles = [text for text in written if text]
    assert len(titles) == 9 and titles.count('Solarize 0\nSolarize 0') == 6
    assert {title for title in titles if title.endswith('.png')} <= {f'{i}.png' for i in range(4)}
    again = policy_sheet(wrap(Images(pipeline=[load, DDASAugment(policy), unreachable])), num=3, draws=2)
    assert np.array_equal(dataset_sheet, again)


def test_a_pipeline_without_ddas_augment_is_refused():
    with pytest.raises(ValueError, match='DDASAugment'):
        policy_sheet(Images(pipeline=[load]))


def test_images_are_written_whole_or_refused(tmp_path):
    write_image(noise(), tmp_path / 'sheet.png')
    assert np.array_equal(cv2.imread(str(tmp_path / 'sheet.png')), noise())
    for name in ('sheet', 'sheet.txt'):
        with pytest.raises(ValueError, match='suffix'):
            write_image(noise(), tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ['sheet.png']


@pytest.fixture
def coco(tmp_path):
    """A folder with two images, ``train.json``, a search's config and a training's config."""
    for number in range(2):
        cv2.imwrite(str(tmp_path / f'{number}.png'), noise(number))
    content = dict(
        images=[dict(id=i, file_name=f'{i}.png', width=80, height=60) for i in range(2)],
        annotations=[
            dict(id=i, image_id=i, category_id=1, bbox=[10, 10, 30, 30], area=900, iscrowd=0) for i in range(2)
        ],
        categories=[dict(id=1, name='thing')],
    )
    (tmp_path / 'train.json').write_text(json.dumps(content))
    dataset = dict(
        type='CocoDataset',
        data_root=f'{tmp_path}/',
        ann_file='train.json',
        data_prefix=dict(img=''),
        metainfo=dict(classes=('thing',)),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='DDASAugment'),
            dict(type='PackDetInputs'),
        ],
    )
    common = f'train_dataloader = dict(dataset={dataset!r})\n'
    search = "train_cfg = dict(type='DDASSearchLoop', search_space=[('Rotate_BBox', 4), 'Equalize'])\n"
    training = "train_cfg = dict(max_epochs=4)\ncustom_hooks = [dict(type='PolicyScheduleHook')]\n"
    (tmp_path / 'search.py').write_text(common + search)
    (tmp_path / 'training.py').write_text(common + training)
    return tmp_path


def test_the_tool_shows_an_image_under_every_operation(coco, run):
    run('--image', coco / '1.png', '--ann', coco / 'train.json', '--levels', 4, '--out', coco / 'out.png')
    boxes = np.array([[10, 10, 40, 40]], np.float32)
    assert np.array_equal(cv2.imread(str(coco / 'out.png')), operation_sheet(noise(1), boxes, levels=(4,)))
    run(coco / 'training.py', '--image', coco / '1.png', '--levels', 4, '--out', coco / 'same.png')
    assert (coco / 'same.png').read_bytes() == (coco / 'out.png').read_bytes()


def test_of_images_of_one_name_the_boxes_are_those_of_its_folder(tmp_path):
    images = [dict(id=number, file_name=f'cam{number}/a.png') for number in (1, 2)]
    boxes = [dict(id=number, image_id=number, bbox=[number, 0, 5, 5]) for number in (1, 2)]
    (tmp_path / 'all.json').write_text(json.dumps(dict(images=images, annotations=boxes)))
    data = type('Data', (list,), dict(get_data_info=list.__getitem__))(
        dict(img_path=str(tmp_path / entry['file_name']), instances=[dict(bbox=[entry['id'], 0, 5, 5])])
        for entry in images
    )
    for number in (1, 2):
        image = str(tmp_path / f'cam{number}' / 'a.png')
        assert browse.coco_boxes(str(tmp_path / 'all.json'), image)[0, 0] == number
        assert browse.dataset_boxes(data, image)[0, 0] == number
    with pytest.raises(ValueError, match='several images are named .*cam1.*cam2'):
        browse.dataset_boxes(data, str(tmp_path / 'a.png'))


def test_a_sheet_that_its_format_cannot_hold_leaves_the_file_that_was_there(tmp_path):
    (tmp_path / 'sheet.jpg').write_bytes(b'before')
    with pytest.raises(ValueError, match='8 x 66000 pixels are too many for .jpg; try .png'):
        write_image(np.zeros((66000, 8, 3), np.uint8), tmp_path / 'sheet.jpg')
    assert (tmp_path / 'sheet.jpg').read_bytes() == b'before'


def test_the_tool_shows_training_data_under_a_policy(coco, policy, run):
    policy.save(coco / 'policy.json')
    # Epoch 2 of 4 belongs to the first of the two snapshots.
    shown = run(coco / 'training.py', '--policy', coco / 'policy.json', '--epoch', 2, '--out', coco / 'a.png')
    assert 'p_tp 0.000' in shown
    assert cv2.imread(str(coco / 'a.png')) is not None


def test_the_tool_finds_the_policy_that_the_config_names(coco, policy, run):
    policy.save(coco / 'policy.json')
    options = f'policy_file={coco / "policy.json"}'
    assert 'p_tp 0.400' in run(coco / 'training.py', '--out', coco / 'a.png', '--cfg-options', options)


@pytest.mark.parametrize(('setting', 'shown'), [('smoothing=3', 'p_tp 0.200'), ('static=True', 'p_tp 0.400')])
def test_the_tool_shows_what_the_hook_makes_of_a_schedule(coco, policy, run, setting, shown):
    policy.save(coco / 'policy.json')
    options = [f'policy_file={coco / "policy.json"}', f'custom_hooks.0.{setting}']
    assert shown in run(coco / 'training.py', '--epoch', 2, '--out', coco / 'a.png', '--cfg-options', *options)


def test_the_tool_shows_what_a_search_starts_from(coco, run):
    shown = run(coco / 'search.py', '--num', 1, '--draws', 2, '--out', coco / 'start.png')
    assert 'p_tp 0.350' in shown
    width = 3 * (augment_sheet.SAMPLE_WIDTH + 2 * augment_sheet.GAP)
    assert cv2.imread(str(coco / 'start.png')).shape[1] == width


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([], '--image'),
        (['training.py'], 'no policy'),
        (['training.py', '--policy', 'missing.json'], 'missing.json'),
        (['missing.py'], 'no config file'),
        (['--image', 'missing.png'], 'missing.png'),
        (['--image', 'train.json'], 'not an image'),
        (['--image', '1.png', '--ann', 'training.py'], 'not a COCO'),
        (['--image', 'other.png', '--ann', 'train.json'], 'no image is named'),
        (['training.py', '--image', 'other.png'], 'no image is named'),
    ],
)
def test_the_tool_says_what_is_wrong(coco, run, arguments, message, monkeypatch, capsys):
    cv2.imwrite(str(coco / 'other.png'), noise())
    monkeypatch.chdir(coco)
    with pytest.raises(SystemExit) as stopped:
        run(*arguments, '--out', 'out.png')
    assert stopped.value.code == 2 and message in capsys.readouterr().err
    assert not (coco / 'out.png').exists()


def test_the_tool_runs_from_the_command_line(coco):
    command = [sys.executable, TOOL, '--image', coco / '1.png', '--levels', '4', '--out', coco / 'out.png']
    result = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith('No boxes:')


@pytest.mark.parametrize(('size', 'space'), [(32, 'cifar'), (96, 'imagenet')])
def test_the_tool_shows_the_policy_that_a_training_would_have(tmp_path, size, space, monkeypatch):
    (tmp_path / 'cat').mkdir()
    cv2.imwrite(str(tmp_path / 'cat' / '1.png'), noise(0, size, size))
    pipeline = [dict(type='LoadImageFromFile'), dict(type='DDASAugment'), dict(type='PackInputs')]
    dataset = dict(type='CustomDataset', data_prefix=str(tmp_path), pipeline=pipeline)
    lines = "default_scope = 'mmpretrain'\n", f'train_dataloader = dict(dataset={dataset!r})\n'
    (tmp_path / 'training.py').write_text(''.join(lines))
    monkeypatch.setattr(browse, 'policy_sheet', lambda shown, *_: shown)
    args = Namespace(config=str(tmp_path / 'training.py'), policy='uniform', cfg_options=[], epoch=None)
    shown = browse.sheet_of_config(Namespace(**vars(args), num=1, draws=1, seed=0))
    (augment,) = browse.find_augments(shown)
    assert augment.schedule.space.candidates == SearchSpace.preset(space).candidates
