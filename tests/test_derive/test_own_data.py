"""A packaged training on data of one's own: the same network and pipelines, these classes and files."""

import shutil
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, init_default_scope

from mmddas.cli.config import read_config
from mmddas.datasets.splits.parts import split, write_split
from mmddas.derive import OwnData, set_data, training_text

DETECTORS = (
    'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    'mmdet::pascal_voc/faster-rcnn_r50_fpn_1x_voc0712.py',
    'mmdet::yolox/yolox_tiny_8xb8-300e_coco.py',
    'mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py',
    'mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py',
)
CLASSIFIERS = ('mmpretrain::resnet/resnet50_8xb32_in1k.py', 'mmpretrain::swin_transformer/swin-tiny_16xb64_in1k.py')


@pytest.fixture(scope='module')
def detection(shapes, tmp_path_factory):
    folder = tmp_path_factory.mktemp('own')
    found = split(Path(shapes, 'annotations', 'train.json'))
    files = write_split(found, folder)
    return OwnData('detection', found.classes, found.images, files, has_masks=True)


@pytest.fixture(scope='module')
def classification(tmp_path_factory, shapes):
    root = tmp_path_factory.mktemp('pets')
    images = sorted(Path(shapes, 'train').glob('*.png'))
    for name, part in (('cat', images[:6]), ('dog', images[6:])):
        (root / name).mkdir()
        for image in part:
            shutil.copy(image, root / name)
    found = split(root)
    return OwnData('classification', found.classes, found.images, write_split(found, root.with_name('pets_split')))


@pytest.fixture
def data_of(detection, classification):
    return lambda base: detection if base.startswith('mmdet') else classification


def unscoped(node):
    """Without the scope that MMEngine notes in the nodes of a packaged base."""
    if isinstance(node, dict):
        return {key: unscoped(child) for key, child in node.items() if key != '_scope_'}
    return [*map(unscoped, node)] if isinstance(node, (list, tuple)) else node


@pytest.mark.parametrize('base', [*DETECTORS, *CLASSIFIERS])
def test_the_written_config_is_the_changed_one(base, data_of, tmp_path):
    original = read_config(base)
    path = tmp_path / 'training.py'
    path.write_text(training_text(original, base, data_of(base), path))
    set_data(original, data_of(base))
    assert unscoped(Config.fromfile(path).to_dict()) == unscoped(original.to_dict())


@pytest.mark.parametrize('base', [*DETECTORS, *CLASSIFIERS])
def test_its_data_sets_have_the_images_and_classes(base, data_of):
    config, data = read_config(base), data_of(base)
    pipeline = config.val_dataloader.dataset.pipeline
    set_data(config, data)
    assert config.val_dataloader.dataset.pipeline == pipeline
    init_default_scope(config.default_scope)
    lengths = {}
    for part in ('train', 'val', 'test'):
        dataset = DATASETS.build(config[f'{part}_dataloader'].dataset)
        dataset.full_init()
        assert tuple(dataset.metainfo['classes']) == tuple(data.classes)
        lengths[part] = len(dataset)
        assert dataset[0]['inputs'].ndim == 3
    images = list(Path(data.images).rglob('*.png'))
    repeated = 3 if 'voc0712' in base else 1
    assert lengths['train'] / repeated + lengths['val'] + lengths['test'] <= len(images)
    assert min(lengths.values()) > 0


def test_a_cascade_has_the_number_of_classes_in_every_stage(detection):
    config = read_config('mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py')
    set_data(config, detection)
    assert [head.num_classes for head in config.model.roi_head.bbox_head] == [3, 3, 3]


def test_mask_formers_have_the_number_of_classes_in_their_losses_too(detection):
    config = read_config('mmdet::mask2former/mask2former_r50_8xb2-lsj-50e_coco.py')
    set_data(config, detection)
    head = config.model.panoptic_head
    assert head.num_things_classes == config.model.panoptic_fusion_head.num_things_classes == 3
    assert head.loss_cls.class_weight == [1.0, 1.0, 1.0, 0.1]


def test_a_base_of_imports_is_written_out(detection, tmp_path):
    """MMEngine lets no config with a textual base stand on one of imports."""
    text = read_config(DETECTORS[0]).pretty_text.replace("type='RetinaNet'", 'type=RetinaNet')
    base, path = tmp_path / 'base.py', tmp_path / 'training.py'
    base.write_text(f'from mmdet.models import RetinaNet\n{text}\ndefault_scope = None\n')  # as MMDetection's have it
    path.write_text(training_text(read_config(str(base)), str(base), detection, path))
    found = Config.fromfile(path)
    assert found.model.bbox_head.num_classes == 3 and found.train_dataloader.dataset.metainfo.classes
    init_default_scope(found.default_scope)
    assert type(MODELS.build(found.model)).__name__ == 'RetinaNet'


def test_a_base_beside_the_written_file_is_named_from_there(detection, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('mine').mkdir()
    Path('mine/base.py').write_text(read_config(DETECTORS[0]).pretty_text)
    Path('out').mkdir()
    text = training_text(read_config('mine/base.py'), 'mine/base.py', detection, 'out/training.py')
    assert "_base_ = '../mine/base.py'" in text
    Path('out/training.py').write_text(text)
    assert Config.fromfile('out/training.py').model.bbox_head.num_classes == 3


def test_parts_that_are_not_there_are_not_evaluated_on(detection):
    files = {part: detection.files[part] for part in ('train', 'test')}
    config = read_config(DETECTORS[0])
    set_data(config, detection._replace(files=files))
    assert config.val_dataloader is config.val_cfg is config.val_evaluator is None
    assert config.test_dataloader.dataset.ann_file == str(files['test'])
    files = {part: detection.files[part] for part in ('train', 'val')}
    config = read_config(DETECTORS[0])
    set_data(config, detection._replace(files=files))
    assert config.test_evaluator.ann_file == config.val_evaluator.ann_file == str(files['val'])


def test_networks_that_read_the_names_of_classes_are_still_given_them(detection):
    """Grounding DINO and GLIP take their text from the data set."""
    config = read_config('mmdet::grounding_dino/grounding_dino_swin-t_finetune_16xb2_1x_coco.py')
    set_data(config, detection)
    assert all(config[f'{part}_dataloader'].dataset.return_classes for part in ('train', 'val'))


def test_accuracy_is_among_fewer_than_all_classes(classification):
    config = read_config(CLASSIFIERS[0])
    set_data(config, classification)
    assert config.val_evaluator.topk == config.test_evaluator.topk == config.model.head.topk == (1,)


@pytest.mark.parametrize(
    ('base', 'change', 'message'),
    [
        ('mmpretrain::resnet/resnet50_8xb32_in1k.py', {}, 'are for detection, and the config trains for classific'),
        ('mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py', dict(has_masks=False), 'the annotations have no segment'),
        ('mmdet::rtmdet/rtmdet-ins_l_8xb32-300e_coco.py', dict(has_masks=False), 'trains masks .its pipeline loads'),
        ('mmdet::mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py', {}, 'trains panoptic segmentation'),
        ('mmdet::htc/htc_r50_fpn_1x_coco.py', {}, 'trains on segmentations of whole images'),
        ('mmpretrain::resnet/resnet18_8xb16_cifar10.py', dict(kind='classification'), 'CIFAR10 of the config brings'),
    ],
)
def test_configs_that_cannot_be_trained_on_the_data(base, change, message, detection):
    with pytest.raises(ValueError, match=message):
        set_data(read_config(base), detection._replace(**change))
