"""A search is derived from MMDetection's and MMPretrain's own recipes, and runs, two iterations at small size."""

import copy
import json
from pathlib import Path

import pytest
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from PIL import Image
from recipes import CLASSIFIERS, RECIPES, classifier, recipe, run

from mmddas.datasets import find_augments
from mmddas.derive import SearchOptions, derive_search

USUAL = ('yolox', 'resnet_cifar')
SIX_IMAGES = SearchOptions(num_train=4, num_val=2, epochs=1)


def usual_first(names) -> list:
    return [name if name in USUAL else pytest.param(name, marks=pytest.mark.slow) for name in names]


def check_search_of(training: Config, name: str) -> Config:
    """Derive a search, run it for the two iterations that it has, and return its config."""
    before = copy.deepcopy(training.to_dict())
    derived = derive_search(training, name, SIX_IMAGES)
    assert training.to_dict() == before
    config = Config.fromstring(derived.text, '.py')
    config.work_dir = training.work_dir
    runner = run(config)
    s_train, s_val = runner.train_dataloader.dataset.dataset, runner.train_loop.batches.plain_policy_loader.dataset
    assert (len(s_train), len(s_val)) == (4, 2)
    assert find_augments(s_val) == []
    return config


@pytest.mark.parametrize('name', usual_first(RECIPES))
def test_of_detectors(name, shapes, tmp_path):
    training = recipe(name, shapes, tmp_path / 'work')
    dataset = training.train_dataloader.dataset
    dataset.get('dataset', dataset).indices = 6
    check_search_of(training, name)


@pytest.mark.parametrize('name', usual_first(CLASSIFIERS))
def test_of_classifiers(name, images, tmp_path, monkeypatch):
    monkeypatch.setattr('mmpretrain.datasets.CIFAR10._check_integrity', lambda self: True)
    training = classifier(name, images, tmp_path / 'work')
    if name == 'swin_imagenet':
        training.model.train_cfg.probs = [0.5, 0.5]
    config = check_search_of(training, name)
    if name == 'swin_imagenet':
        assert dict(config.model.train_cfg) == dict(augments=[], probs=[])
        augmenting = {'RandAugment', 'RandomErasing'}
        loaders = config.train_dataloader, config.train_cfg.policy_dataloader
        left = [augmenting & {step.type for step in loader.dataset.dataset.pipeline} for loader in loaders]
        assert left == [augmenting, set()]
    place = [step.type for step in config.train_dataloader.dataset.dataset.pipeline].index('DDASAugment')
    assert place == (0 if name == 'resnet_cifar' else 2)
    assert config.train_cfg.search_space == 'cifar'


@pytest.mark.slow
def test_of_images_with_several_labels(shapes, images, tmp_path):
    training = classifier('resnet_imagenet', images, tmp_path / 'work')
    training.model.head.update(type='MultiLabelLinearClsHead', loss=dict(type='CrossEntropyLoss', use_sigmoid=True))
    training.model.head.pop('topk', None)
    names = sorted(path.name for path in (shapes / 'train').iterdir())[:6]
    samples = [dict(img_path=name, gt_label=[0, 2][: 1 + (index < 2)]) for index, name in enumerate(names)]
    content = dict(metainfo=dict(classes=['a', 'b', 'c']), data_list=samples)
    (tmp_path / 'labels.json').write_text(json.dumps(content))
    training.train_dataloader.dataset = dict(
        type='MultiLabelDataset',
        ann_file=str(tmp_path / 'labels.json'),
        data_prefix=str(shapes / 'train'),
        pipeline=training.train_dataloader.dataset.pipeline,
    )
    check_search_of(training, 'labels')


class OwnData(BaseDataset):
    """A data set of a user's own, which says nothing of classes but their names."""

    METAINFO = dict(classes=('disc', 'rectangle', 'triangle'))

    def load_data_list(self) -> list[dict]:
        content = json.loads(Path(self.data_root, 'annotations/train.json').read_text())
        found = []
        for image in content['images']:
            boxes = [item['bbox'] for item in content['annotations'] if item['image_id'] == image['id']]
            instances = [dict(bbox=[x, y, x + w, y + h], bbox_label=0, ignore_flag=0) for x, y, w, h in boxes]
            path = str(Path(self.data_root, 'train', image['file_name']))
            found.append(dict(image, img_path=path, img_id=image['id'], instances=instances))
        return found


def write_voc(shapes: Path, root: Path) -> None:
    """``train`` of the shapes as MMDetection's VOCDataset wants it."""
    for name in ('Annotations', 'JPEGImages', 'ImageSets/Main'):
        (root / name).mkdir(parents=True)
    content = json.loads((shapes / 'annotations/train.json').read_text())
    for image in content['images']:
        stem = Path(image['file_name']).stem
        Image.open(shapes / 'train' / image['file_name']).save(root / f'JPEGImages/{stem}.jpg')
        boxes = [item['bbox'] for item in content['annotations'] if item['image_id'] == image['id']]
        corners = [dict(xmin=x + 1, ymin=y + 1, xmax=x + w + 1, ymax=y + h + 1) for x, y, w, h in boxes]
        objects = ''.join(
            f'<object><name>disc</name><bndbox>{"".join(f"<{k}>{v}</{k}>" for k, v in box.items())}</bndbox></object>'
            for box in corners
        )
        (root / f'Annotations/{stem}.xml').write_text(f'<annotation>{objects}</annotation>')
    stems = [Path(image['file_name']).stem for image in content['images']]
    (root / 'ImageSets/Main/train.txt').write_text('\n'.join(stems))


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['VOCDataset', 'OwnData'])
def test_of_other_data_sets(kind, shapes, tmp_path):
    training = recipe('retinanet', shapes, tmp_path / 'work')
    pipeline = training.train_dataloader.dataset.pipeline
    data = dict(type=kind, data_root=str(shapes), pipeline=pipeline, indices=6)
    if kind == 'VOCDataset':
        write_voc(shapes, tmp_path / 'VOC2007')
        data |= dict(data_root=str(tmp_path), ann_file='VOC2007/ImageSets/Main/train.txt')
        data |= dict(data_prefix=dict(sub_data_root='VOC2007/'), metainfo=dict(classes=OwnData.METAINFO['classes']))
    else:
        DATASETS.register_module(module=OwnData, force=True)
    training.train_dataloader.dataset = dict(type='RepeatDataset', times=3, dataset=data)
    config = check_search_of(training, 'own')
    s_train = config.train_dataloader.dataset
    assert (s_train.type, s_train.dataset.type) == ('StratifiedSubset', kind)
