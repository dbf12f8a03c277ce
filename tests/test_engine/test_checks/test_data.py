"""S_train and S_val that cannot mean anything are refused before the first step, with what was found."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from mmengine.dataset import BaseDataset
from mmengine.runner import Runner

from mmddas.engine.checks.data import check_data, copies_under_other_names, summary

DATA = ('train_dataloader', 'train_cfg.policy_dataloader')


def data_of(config, name: str) -> dict:
    return config.train_dataloader.dataset if name == DATA[0] else config.train_cfg.policy_dataloader.dataset


def build_loop(config):
    runner = Runner.from_cfg(config)
    return runner.build_train_loop(runner._train_loop)


def log_of(config) -> str:
    return '\n'.join(path.read_text() for path in Path(config.work_dir).glob('*/*.log'))


@pytest.mark.parametrize(('name', 'called'), zip(DATA, ('S_train has 12', 'S_val has 8'), strict=True))
def test_classes_that_the_file_does_not_have_are_named_beside_those_that_it_has(search_config, name, called):
    """COCO's, which a data set without metainfo takes itself to have."""
    config = search_config()
    data_of(config, name).pop('metainfo')
    with pytest.raises(
        ValueError, match=rf"{called} images and no object: its classes 'person', .*\(80 in all\) do"
    ) as e:
        build_loop(config)
    assert "which has 'disc', 'rectangle', 'triangle'" in str(e.value)


@pytest.mark.parametrize(('name', 'called'), zip(DATA, ('S_train', 'S_val'), strict=True))
def test_mistyped_classes_whose_images_are_filtered_away_are_named_too(search_config, name, called):
    config = search_config()
    data_of(config, name).update(metainfo=dict(classes=('disk',)), filter_cfg=dict(filter_empty_gt=True))
    with pytest.raises(ValueError, match=f"{called} has no image that its filter leaves: its classes 'disk' do not"):
        build_loop(config)


def test_classes_in_another_order_are_other_classes(search_config):
    config = search_config()
    data_of(config, DATA[1]).metainfo = dict(classes=('triangle', 'disc', 'rectangle'))
    with pytest.raises(ValueError, match="S_train are 'disc', .* S_val 'triangle', 'disc', 'rectangle': give both"):
        build_loop(config)


def test_a_class_without_objects_is_warned_of(search_config):
    config = search_config()
    for name in DATA:
        data_of(config, name).metainfo = dict(classes=('disc', 'rectangle', 'triangel'))
    build_loop(config)
    assert "S_val has no object of 'triangel'" in log_of(config)


def test_images_without_any_object_are_refused(search_config, shapes, tmp_path):
    config = search_config()
    content = json.loads((shapes / 'annotations' / 'val.json').read_text())
    (tmp_path / 'empty.json').write_text(json.dumps(content | dict(annotations=[])))
    data_of(config, DATA[1]).ann_file = str(tmp_path / 'empty.json')
    with pytest.raises(ValueError, match='S_val has 8 images and no object: look at its annotations, .*empty.json'):
        build_loop(config)


def test_an_s_val_within_s_train_is_refused(search_config):
    config = search_config()
    data_of(config, DATA[1]).update(ann_file='annotations/train.json', data_prefix=dict(img='train/'), indices=5)
    with pytest.raises(ValueError, match='All 5 images of S_val are in S_train too'):
        build_loop(config)


def test_images_that_both_share_are_counted_loudly(search_config, shapes, tmp_path):
    contents = [json.loads((shapes / 'annotations' / f'{name}.json').read_text()) for name in ('train', 'val')]
    for content, folder in zip(contents, ('train', 'val'), strict=True):
        for image in content['images']:
            image['file_name'] = f'{folder}/{image["file_name"]}'
    images = contents[0]['images'][:2] + [image | dict(id=100 + image['id']) for image in contents[1]['images'][:3]]
    known = {image['id'] for image in images[:2]}
    annotations = [note for note in contents[0]['annotations'] if note['image_id'] in known]
    mixed = tmp_path / 'mixed.json'
    mixed.write_text(json.dumps(contents[0] | dict(images=images, annotations=annotations)))
    config = search_config()
    data_of(config, DATA[1]).update(ann_file=str(mixed), data_prefix=dict(img=''))
    build_loop(config)
    assert 'S_train and S_val share 2 of the 5 images of S_val' in log_of(config)


class Arrays(BaseDataset):
    """Images in memory, as CIFAR's."""

    METAINFO = dict(classes=('a', 'b'))

    def load_data_list(self) -> list[dict]:
        rng = np.random.default_rng(0)
        return [dict(img=rng.integers(0, 9, (2, 2, 3), dtype=np.uint8), gt_label=0) for _ in range(6)]


def test_images_in_memory_are_told_apart_by_their_pixels():
    with pytest.raises(ValueError, match='All 6 images of S_val'):
        check_data(Arrays(), Arrays())
    check_data(Arrays(indices=3), Arrays().get_subset([3, 4, 5]))
    assert summary(Arrays()).counts.objects is None


def test_copies_under_another_name_are_warned_of(search_config, shapes, tmp_path):
    shutil.copytree(shapes, tmp_path / 'copy')
    config = search_config()
    data_of(config, DATA[1]).update(
        data_root=f'{tmp_path}/copy/', ann_file='annotations/train.json', data_prefix=dict(img='train/')
    )
    build_loop(config)
    log = log_of(config)
    assert 'S_train and S_val share 12 images under other names, such as ' in log
    assert '/copy/train/' in log and f'{shapes}/train/' in log


def test_other_images_of_one_size_are_no_copies(search_config, tmp_path):
    for name, number in (('a', 1), ('b', 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'image.bin').write_bytes(bytes([number]) * 100)
    here, there = ({f'{tmp_path}/{name}/image.bin'} for name in 'ab')
    assert copies_under_other_names(here, there) == []
    (tmp_path / 'b' / 'image.bin').write_bytes(bytes([1]) * 100)
    assert copies_under_other_names(here, there) == [(*there, *here)]


def test_the_classes_of_both_are_a_table(search_config):
    config = search_config({'log_level': 'INFO'})
    build_loop(config)
    content = {}
    for split in ('train', 'val'):
        content[split] = json.loads(Path(data_of(config, DATA[0]).data_root, f'annotations/{split}.json').read_text())
    (line,) = [line.split() for line in log_of(config).splitlines() if line.strip().startswith('disc ')]
    expected = []
    for split in ('train', 'val'):
        label = next(c['id'] for c in content[split]['categories'] if c['name'] == 'disc')
        images = [a['image_id'] for a in content[split]['annotations'] if a['category_id'] == label]
        expected += [str(len(set(images))), str(len(images))]
    assert line[1:] == expected


@pytest.mark.parametrize(
    ('part', 'before'), [('S_val', 'Resize'), ('S_val', 'RandomFlip'), ('S_val', 'Pad'), ('S_train', 'Resize')]
)
def test_boxes_that_come_after_their_image_was_moved_are_refused(search_config, part, before):
    """As in MMDetection's pipelines for testing, whose evaluation takes boxes from elsewhere."""
    config = search_config()
    pipeline = data_of(config, DATA[part == 'S_val']).pipeline
    options = dict(Resize=dict(scale=(64, 64)), RandomFlip=dict(prob=0.5), Pad=dict(size_divisor=32))[before]
    pipeline.insert(1, dict(type=before, **options))
    if before == 'Pad':
        build_loop(config)
    else:
        with pytest.raises(ValueError, match=f'{part} has {before} before LoadAnnotations'):
            build_loop(config)
