"""A search derived from a training: its data, its config as a file, what it says and what it refuses."""

import copy
import shutil
from collections import Counter
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS

from mmddas.core import SearchSpace
from mmddas.datasets.search import SampleKey, SearchDataset
from mmddas.derive import SearchOptions, derive_search
from mmddas.derive.data import apportion, elsewhere, plain, take, unrepeated

CLASSES = ('disc', 'rectangle', 'triangle')
LOAD = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
END = [dict(type='Resize', scale=(64, 64)), dict(type='RandomFlip', prob=0.5), dict(type='PackDetInputs')]


@pytest.fixture
def coco(shapes):
    def make(split: str = 'train', pipeline: list | None = None, **settings) -> dict:
        return dict(
            type='CocoDataset',
            data_root=f'{shapes}/',
            ann_file=f'annotations/{split}.json',
            data_prefix=dict(img=f'{split}/'),
            metainfo=dict(classes=CLASSES),
            pipeline=copy.deepcopy(pipeline or [*LOAD, *END]),
            **settings,
        )

    return make


@pytest.fixture
def training(coco):
    def make(dataset: dict | None = None, epochs: int = 100, **settings) -> Config:
        nodes = dict(
            default_scope='mmdet',
            model=dict(type='RetinaNet'),
            train_dataloader=dict(batch_size=2, num_workers=0, dataset=dataset or coco()),
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=epochs, val_interval=1),
            param_scheduler=[dict(type='MultiStepLR', milestones=[80], by_epoch=True)],
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01)),
        )
        return Config(nodes | settings)

    return make


def paths(dataset) -> Counter:
    return Counter(dataset.get_data_info(index)['img_path'] for index in range(len(dataset)))


def parts(config: Config) -> tuple:
    nodes = config.train_dataloader.dataset, config.train_cfg.policy_dataloader.dataset
    return tuple(DATASETS.build(node) for node in copy.deepcopy(nodes))


def test_s_train_and_s_val_share_no_image_and_leave_none_out(training):
    s_train, s_val = map(paths, parts(derive_search(training(), 'my.py').config))
    assert (sum(s_train.values()), sum(s_val.values())) == (8, 4)
    assert not s_train & s_val and set((s_train | s_val).values()) == {1}
    _, other = map(paths, parts(derive_search(training(), 'my.py', SearchOptions(split_seed=1)).config))
    assert sum(other.values()) == 4 and other != s_val


def test_of_several_data_sets_each_gives_its_share(training, coco):
    both = dict(type='ConcatDataset', datasets=[coco(), coco('val')])
    wrapped = dict(type='RepeatDataset', times=3, dataset=both)
    derived = derive_search(training(wrapped), 'my.py', SearchOptions(num_train=10, num_val=5))
    s_train, s_val = map(paths, parts(derived.config))
    assert not s_train & s_val
    for found, (of_train, of_val) in ((s_train, (6, 4)), (s_val, (3, 2))):
        splits = Counter(path.split('/')[-2] for path in found)
        assert splits == dict(train=of_train, val=of_val)


@pytest.mark.parametrize('counts', [[1, 1], [7], [3, 0, 5], [100, 1, 10, 1]])
def test_shares_are_never_more_than_there_is(counts):
    for first in range(sum(counts) + 1):
        numbers = apportion(counts, first)
        left = [count - number for count, number in zip(counts, numbers, strict=True)]
        assert sum(numbers) == first and min(left) >= 0
        for second in range(sum(left) + 1 if sum(left) else 0):
            rest = apportion(left, second)
            assert sum(rest) == second and all(0 <= a <= b for a, b in zip(rest, left, strict=True))


def test_a_data_set_without_a_share_is_left_out(coco):
    both = dict(type='ConcatDataset', datasets=[coco(), coco('val')])
    found = take(both, [3, 0], [0, 0], seed=0)
    assert len(found['datasets']) == 1 and found['datasets'][0]['num_samples'] == 3


def test_s_val_is_loaded_as_the_training_but_for_the_operations_and_what_mixes(coco):
    steps = [
        dict(type='Mosaic', img_scale=(64, 64)),
        dict(type='RandomAffine', border=(-32, -32)),
        dict(type='MixUp', img_scale=(64, 64)),
        dict(type='DDASAugment'),
        *END,
    ]
    mixed = dict(type='MultiImageMixDataset', dataset=coco(pipeline=LOAD), pipeline=steps)
    found = plain(unrepeated(dict(type='RepeatDataset', times=2, dataset=mixed)), 'mmdet')
    assert found == coco(pipeline=[*LOAD, *END])


def test_s_val_is_loaded_without_what_else_augments(training, coco):
    sizes = dict(type='AutoAugment', policies=[[dict(type='Resize', scale=(64, 64))], [dict(type='Rotate', level=1)]])
    augmenting = [
        *('PhotoMetricDistortion', 'YOLOXHSVRandomAug', 'Brightness', 'Rotate', 'AutoAugment', 'RandAugment'),
        *('MinIoURandomCrop', 'Expand', 'mmdet.InstaBoost', 'torchvision/TrivialAugmentWide'),
    ]
    augmented = coco(pipeline=[*LOAD, *[dict(type=name) for name in augmenting], sizes, *END])
    assert plain(augmented, 'mmdet') == coco(pipeline=[*LOAD, sizes, *END])
    derived = derive_search(training(coco(pipeline=[*LOAD, dict(type='YOLOXHSVRandomAug'), *END])), 'my.py')
    assert any(line.endswith('loaded without DDASAugment, YOLOXHSVRandomAug') for line in derived.lines)
    steps = [step.type for step in derived.config.train_dataloader.dataset.dataset.pipeline]
    assert 'YOLOXHSVRandomAug' in steps


def centernets(coco) -> dict:
    """PhotoMetricDistortion, which S_val is loaded without, makes the floats that the next transform wants."""
    crop = dict(type='RandomCenterCropPad', crop_size=(64, 64), mean=[0, 0, 0], std=[1, 1, 1], to_rgb=True)
    return coco(pipeline=[*LOAD, dict(type='PhotoMetricDistortion'), crop | dict(test_pad_mode=None), *END])


def mask2formers(coco) -> dict:
    return coco(pipeline=[dict(type='LoadImageFromFile', to_float32=True), LOAD[1], *END])


def copy_paste(coco) -> dict:
    """Gives out integers of eight bytes where it has pasted."""
    load = [LOAD[0], dict(LOAD[1], with_mask=True)]
    return dict(
        type='MultiImageMixDataset', dataset=coco(pipeline=load), pipeline=[dict(type='CopyPaste'), dict(END[-1])]
    )


@pytest.mark.parametrize('recipe', [centernets, mask2formers, copy_paste])
def test_images_of_another_type_are_loaded_and_augmented(training, coco, recipe):
    config = derive_search(training(recipe(coco)), 'my.py').config
    s_train, s_val = parts(config)
    space = SearchSpace([('Rotate_BBox', 4), ('Solarize', 4)])
    views = SearchDataset(s_train, space, num_sub_policies=2, seed=0)
    for index in range(4):
        usable = views[SampleKey(index, 0, 0)]
        assert len(usable.sample.views) == 3 and not usable.broken
        assert s_val[index]['data_samples'].gt_instances is not None


def test_s_val_from_elsewhere(training, coco, shapes, tmp_path):
    root = shutil.copytree(shapes, tmp_path / 'root')
    shutil.copytree(root / 'val', root / 'train', dirs_exist_ok=True)
    options = SearchOptions(val_ann='annotations/val.json', val_data_root=str(root))
    config = training(val_dataloader=dict(dataset=coco('val')))
    # Another file of that name is not the same one.
    assert 'is the annotation file of' not in derive_search(config, 'my.py', options).warnings[-1]
    config.val_dataloader.dataset.data_root = f'{root}/'
    derived = derive_search(config, 'my.py', options)
    s_val = derived.config.train_cfg.policy_dataloader.dataset
    assert s_val == coco('val') | dict(data_prefix=dict(img='train/'), data_root=str(root))
    assert derived.length[:2] == (12, 8)
    assert 'annotations/val.json is the annotation file of val_dataloader' in derived.warnings[-1]


def test_images_of_s_val_may_lie_in_another_folder(training, shapes, tmp_path):
    """As where `mmddas split` wrote their annotation file beside them; of names that the training's images have too."""
    folder = tmp_path / 'webcam photos'
    shutil.copytree(shapes / 'train', folder)
    file = str(shutil.copy(shapes / 'annotations' / 'train.json', tmp_path / 'webcam.json'))
    derived = derive_search(training(), 'my.py', SearchOptions(val_ann=file, val_images=str(folder)))
    s_val = DATASETS.build(derived.config.train_cfg.policy_dataloader.dataset)
    assert len(s_val) == 12
    assert {Path(s_val.get_data_info(index)['img_path']).parent for index in range(12)} == {folder}
    with pytest.raises(ValueError, match='12 of the 12 images of S_val are images of the training.*--val-images'):
        derive_search(training(), 'my.py', SearchOptions(val_ann=file))


def test_data_sets_without_a_folder_of_images_are_told_so():
    with pytest.raises(ValueError, match='data_prefix of VOCDataset is .*--val-data-root names the folder below'):
        elsewhere(dict(type='VOCDataset', data_prefix=dict(sub_data_root='VOC2007/')), None, None, '.')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(val_ann='nowhere.json'), "--val-ann: there is no file 'nowhere.json', nor "),
        (dict(val_data_root='nowhere'), "--val-data-root: there is no folder 'nowhere'"),
        (
            dict(val_data_root='.', val_ann=__file__, val_images='nowhere'),
            "--val-images: there is no folder 'nowhere', nor ",
        ),
        (dict(val_data_root='.'), "--val-data-root: there is no 'annotations/train.json'; --val-ann names it"),
    ],
)
def test_files_that_are_not_there_are_named(training, options, message):
    with pytest.raises(FileNotFoundError, match=message):
        derive_search(training(), 'my.py', SearchOptions(**options))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(val_share=1.0), '--val-share is a share of the images, between 0 and 1, got 1.0'),
        (dict(budget=0), '--budget is a share of the cost of the training, above 0, got 0'),
        (dict(num_train=0), '--num-train is a number of at least 1, got 0'),
        (dict(epochs=-1), '--epochs is a number of at least 1, got -1'),
        (dict(num_val=3, val_ann='a.json'), '--num-val is for images drawn from the training'),
        (dict(split_seed=-1), '--split-seed is a number of at least 0, got -1'),
        (dict(val_share=0.2, val_data_root='.'), '--val-share is for images drawn from the training'),
        (dict(val_images='.'), '--val-images goes with --val-ann or --val-data-root'),
        (dict(space='detecton'), 'detecton'),
    ],
)
def test_options_out_of_range_are_refused(training, options, message):
    with pytest.raises(ValueError, match=message):
        derive_search(training(), 'my.py', SearchOptions(**options))


def test_a_training_on_a_subset_is_told_to_give_the_whole(training, coco):
    subset = dict(type='RepeatDataset', times=2, dataset=dict(type='StratifiedSubset', num_samples=4, dataset=coco()))
    with pytest.raises(ValueError, match='a search draws its own from the data set within: give a config of'):
        derive_search(training(subset), 'my.py')


def test_a_config_of_another_kind_is_told_what_is_needed(training):
    with pytest.raises(ValueError, match="default_scope='mmseg': searches are derived from trainings of mmdet and"):
        derive_search(training(default_scope='mmseg'), 'my.py')
    with pytest.raises(ValueError, match='no train_dataloader'):
        derive_search(Config(dict(default_scope='mmdet')), 'my.py')


def test_too_few_draws_come_with_the_epochs_that_would_do(training):
    derived = derive_search(training(epochs=20), 'my.py')
    (warning,) = derived.warnings
    epochs = int(warning.split('--epochs ')[1].split()[0])
    assert derive_search(training(), 'my.py', SearchOptions(epochs=epochs)).warnings == []
    assert derive_search(training(), 'my.py', SearchOptions(epochs=epochs - 1)).warnings


def test_the_file_is_the_config(training):
    derived = derive_search(training(custom_hooks=[dict(type='EMAHook'), dict(type='MyHook', size=(1,))]), 'my.py')
    read = Config.fromstring(derived.text, '.py')
    for key, node in read.items():
        assert node == derived.config[key], key
    assert read.custom_hooks == [dict(type='MyHook', size=(1,))]
    assert derived.text.startswith('"""A search for a policy, derived from my.py.\n')
    for line in derived.lines:
        assert line in derived.text
    assert 'EMAHook' in derived.lines[-1]


def test_the_same_training_gives_the_same_search(training):
    assert derive_search(training(), 'my.py').text == derive_search(training(), 'my.py').text


def test_small_images_get_lengths_in_proportion_and_images_of_a_data_set_are_rgb(training, images, monkeypatch):
    monkeypatch.setattr('mmpretrain.datasets.CIFAR10._check_integrity', lambda self: True)
    steps = [dict(type='RandomCrop', crop_size=32, padding=4), dict(type='PackInputs')]
    cifar = dict(type='CIFAR10', data_root=str(images / 'cifar10'), split='train', pipeline=steps)
    config = derive_search(training(cifar, default_scope='mmpretrain'), 'my.py').config
    assert config.train_dataloader.dataset.dataset.pipeline[0] == dict(type='DDASAugment', channel_order='rgb')
    assert config.train_cfg.search_space == 'cifar'
