"""Every mistake of docs/mistakes.md is made here, and its message compared with the expected one.

The page is written from these cases: ``python tests/test_docs/test_mistakes.py --write``.
"""

import importlib
import json
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.model import ExponentialMovingAverage, MMFullyShardedDataParallel
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

from mmddas.cli import command_parser
from mmddas.cli.config import read_config
from mmddas.core import ViewGradients
from mmddas.datasets import DDASAugment
from mmddas.datasets.splits.parts import part_sizes, split, write_split
from mmddas.derive import OwnData, SearchOptions, derive_search, set_data
from mmddas.engine.checks import fingerprint
from mmddas.engine.checks.preconditions import check_hooks, check_network, check_optimizer, check_wrapper
from mmddas.files import check_folder

ROOT = Path(__file__).parents[2]
PAGE = ROOT / 'docs' / 'mistakes.md'
POLICY = dict(
    num_ops=2,
    candidates=[dict(op='Equalize', level=None), dict(op='Solarize', level=2)],
    epochs=[dict(total_prob=0.5, op_probs=[0.5, 0.5])],
)

HEAD = """# Mistakes, and what mmddas says

Written by `python tests/test_docs/test_mistakes.py --write` from the cases in that file, each of which is a test. `...`
stands for what depends on the case. All but those of the last table are met before the first step.
"""
SECTIONS = (
    'Policy files',
    'Configs of a search',
    'Searches derived from a training',
    'Splitting a data set',
    'Commands',
    'While it runs',
)


class Mistake(NamedTuple):
    """A case: a function that makes the mistake, and the message; ``...`` stands for what depends on the case."""

    make: Callable
    message: str
    warning: bool


MISTAKES: dict[tuple[str, str], Mistake] = {}  # by section and text


def mistake(section: str, text: str, message: str, warning: bool = False):
    """Enter the decorated function of ``world``; that of a ``warning`` returns what has been said."""

    def enter(make):
        assert section in SECTIONS and (section, text) not in MISTAKES
        MISTAKES[section, text] = Mistake(make, message, warning)
        return make

    return enter


policy_files = partial(mistake, 'Policy files')
search_configs = partial(mistake, 'Configs of a search')
derived_searches = partial(mistake, 'Searches derived from a training')
splitting = partial(mistake, 'Splitting a data set')
commands = partial(mistake, 'Commands')
running = partial(mistake, 'While it runs')


class World:
    """A folder, the tests' data and small configs, to make mistakes with."""

    def __init__(self, folder, shapes, search_config, monkeypatch):
        self.folder, self.shapes, self.search_config, self.monkeypatch = folder, shapes, search_config, monkeypatch
        monkeypatch.chdir(folder)

    def policy(self, content: dict | str) -> None:
        """Make a transform of this policy file."""
        text = content if isinstance(content, str) else json.dumps(content)
        Path('policy.json').write_text(text)
        DDASAugment('policy.json')

    def search(self, change=None, **options):
        """Search, with ``change(config)`` made or these settings of ``train_cfg``; returns the warnings."""
        config = self.search_config({f'train_cfg.{key}': value for key, value in options.items()})
        config.train_cfg.max_epochs = options.get('max_epochs', 1)
        if change is not None:
            change(config)
        return run(config)

    def training(self, pipeline: list | None = None, **settings):
        """Train with DDASAugment and PolicyScheduleHook."""
        config = Config.fromfile(ROOT / 'configs' / 'ddas' / 'retinanet_thin_shapes_train.py')
        for key in ('val_dataloader', 'val_evaluator', 'val_cfg', 'test_dataloader', 'test_evaluator', 'test_cfg'):
            config[key] = None
        config.train_dataloader.update(num_workers=0, persistent_workers=False)
        config.train_dataloader.dataset.data_root = f'{self.shapes}/'
        if pipeline is not None:
            config.train_dataloader.dataset.pipeline = pipeline
        config.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
        config.param_scheduler = None
        config.update(log_level='WARNING', work_dir='train', experiment_name=f'{self.folder.name}_train', **settings)
        config.visualizer.name = config.experiment_name
        return run(config)

    def plain_training(self, **settings) -> Config:
        """A training without a policy."""
        config = Config.fromfile(ROOT / 'configs' / 'ddas' / 'retinanet_thin_shapes_baseline.py')
        config.train_dataloader.dataset.data_root = f'{self.shapes}/'
        config.val_dataloader.dataset.update(data_root=f'{self.shapes}/', ann_file='annotations/val.json')
        config.update(settings)
        return config

    def command(self, name: str, *arguments: str) -> None:
        """Run a command of ``mmddas``; its last message is raised."""

        def end(status: int, message: str) -> None:
            raise SystemExit(message.strip())

        parser = command_parser(name, f'mmddas {name}')
        parser.exit = end
        importlib.import_module(f'mmddas.cli.{name}').main(parser, parser.parse_args(arguments))


def run(config: Config) -> str:
    Runner.from_cfg(config).train()
    logs = '\n'.join(path.read_text() for path in Path(config.work_dir).glob('*/*.log'))
    return '\n'.join(line for line in logs.splitlines() if ' - WARNING - ' in line)


def policy_mistake(text, message, **change):
    policy_files(text, message)(lambda world: world.policy(POLICY | change))


policy_files('The file is cut short, or no JSON', 'policy.json: expected a JSON file, but ...')(
    lambda world: world.policy(json.dumps(POLICY)[:50])
)
policy_files('It is not there', "There is no policy file 'policy.json'; a search writes policy.json to its work dir")(
    lambda world: DDASAugment('policy.json')
)
policy_files(
    'There is no policy of that name',
    "There is no policy named 'zoph_v9', and no such file; names are uniform, trivialaugment, randaugment, ...",
)(lambda world: DDASAugment('zoph_v9'))
policy_files(
    'A named policy gets what it does not take',
    "uniform takes a search space, one of ['cifar', 'cifar_release', 'detection', 'detection_wide', "
    "'imagenet'], and total_prob=..., num_ops=...; got 'prob=0.5'",
)(lambda world: DDASAugment('uniform:prob=0.5'))
policy_files(
    'p_tp is set of a list of sub-policies',
    'zoph_v1:total_prob=0.5: total_prob cannot be set for a policy that lists sub-policies: ...',
)(lambda world: DDASAugment('zoph_v1:total_prob=0.5'))


@policy_files(
    'A file gets what it does not take', "policy.json:prob=0.5: a file takes the setting total_prob=..., got 'prob=0.5'"
)
def _(world):
    Path('policy.json').write_text(json.dumps(POLICY))
    DDASAugment('policy.json:prob=0.5')


policy_files(
    'A listed operation has no probability',
    'policy.json: sub_policies[0][0]: expected an object with "op", "level" and "prob", found {\'op\': \'Equalize\'}',
)(lambda world: world.policy(dict(sub_policies=[[dict(op='Equalize')]])))
policy_files(
    'A field is missing', "policy.json: content: expected the field 'epochs', found ['num_ops', 'candidates']"
)(lambda world: world.policy({key: value for key, value in POLICY.items() if key != 'epochs'}))
policy_mistake(
    'An operation does not exist',
    "policy.json: candidates or meta.operation_options: Unknown operation 'Spin'. Known: Identity, ...",
    candidates=[dict(op='Spin', level=1), *POLICY['candidates'][1:]],
)
policy_mistake(
    'An operation has no level, and needs one',
    "policy.json: candidates or meta.operation_options: Operation 'Solarize' needs a level (a number "
    'from 0 to 100, usually up to 10), got None',
    candidates=[dict(op='Solarize'), dict(op='Equalize')],
)
policy_mistake(
    'A candidate is listed twice',
    'policy.json: candidates or num_ops: Candidates listed more than once: Equalize; list each once',
    candidates=[dict(op='Equalize')] * 2,
)
policy_mistake(
    'The probabilities are not one a candidate',
    'policy.json: epochs[0].op_probs: expected 2 probabilities, one for each candidate, found 1',
    epochs=[dict(total_prob=0.5, op_probs=[1.0])],
)
policy_mistake(
    'The probabilities do not sum to 1',
    'policy.json: epochs[0].op_probs: expected probabilities that sum to 1, found 0.7',
    epochs=[dict(total_prob=0.5, op_probs=[0.5, 0.2])],
)
policy_mistake(
    'A probability lies outside 0..1',
    'policy.json: epochs[0].total_prob: expected a probability from 0 to 1, found 1.5',
    epochs=[dict(total_prob=1.5, op_probs=[0.5, 0.5])],
)


@policy_files(
    'The policy is for classification, and a detector is trained',
    'The policy was searched for classification, and this run trains for detection, with other '
    'operations and magnitudes: search one for it. ...',
)
def _(world):
    Path('policy.json').write_text(json.dumps(POLICY | dict(meta=dict(task='classification'))))
    world.training(policy_file='policy.json')


@policy_files(
    'No policy is named',
    'There is no policy for DDASAugment: name the searched one, --cfg-options policy_file=PATH/policy.json',
)
def _(world):
    world.training(policy_file=None)


@policy_files(
    'Two policies are named',
    "The training is to follow 'zoph_v1', and every DDASAugment in its pipeline has a policy of its own: "
    'leave one of the two out',
)
def _(world):
    load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
    pipeline = [*load, dict(type='DDASAugment', policy='uniform'), dict(type='PackDetInputs')]
    world.training(policy_file='zoph_v1', pipeline=pipeline)


@policy_files(
    'DDASAugment stands before LoadAnnotations',
    'DDASAugment moves pixels, and the boxes of the image are not loaded yet, so that they would stay '
    'where they were: put it behind LoadAnnotations in the pipeline',
)
def _(world):
    policy = POLICY | dict(
        num_ops=1, candidates=[dict(op='FlipLR', level=None)], epochs=[dict(total_prob=1.0, op_probs=[1.0])]
    )
    image = np.zeros((8, 8, 3), np.uint8)
    DDASAugment(policy)(dict(img=image, instances=[dict(bbox=[1, 1, 4, 4], bbox_label=0)]))


@policy_files(
    'DDASAugment stands before what loads the image',
    'there is no image yet: put DDASAugment after the transform that loads it (LoadImageFromFile, ...)',
)
def _(world):
    load = dict(type='LoadImageFromFile')
    world.training(policy_file='uniform', pipeline=[dict(type='DDASAugment'), load, dict(type='PackDetInputs')])


@policy_files(
    'The pipeline has no DDASAugment',
    "PolicyScheduleHook finds no DDASAugment in the training pipeline: add dict(type='DDASAugment', "
    "policy='policy.json') after LoadAnnotations, or remove the hook",
)
def _(world):
    world.training(
        policy_file=None,
        custom_hooks=[dict(type='PolicyScheduleHook')],
        train_dataloader=dict(
            batch_size=4,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=True),
            dataset=dict(
                type='CocoDataset',
                data_root=f'{world.shapes}/',
                ann_file='annotations/train.json',
                pipeline=[dict(type='LoadImageFromFile')],
            ),
        ),
    )


def search_mistake(text, message, change=None, **options):
    search_configs(text, message)(lambda world: world.search(change, **options))


search_mistake(
    'There is no S_val',
    'DDASSearchLoop needs S_val: train_cfg=dict(type="DDASSearchLoop", policy_dataloader=dict(...))',
    lambda config: config.train_cfg.pop('policy_dataloader'),
)
search_mistake(
    'The preset does not exist',
    "Unknown search space 'detecton'; presets are ['cifar', 'cifar_release', 'detection', "
    "'detection_wide', 'imagenet']",
    search_space='detecton',
)
search_mistake(
    'An operation does not exist', "Unknown operation 'Spin'. Known: Identity, ...", search_space=[('Spin', 1)]
)
search_mistake(
    'A candidate is listed twice',
    'Candidates listed more than once: Equalize; list each once',
    search_space=['Equalize', 'Equalize'],
)
search_mistake('N_o is below 1', 'num_ops must be a whole number from 1 to 100, got 0', num_ops=0)
search_mistake('L^ is below 1', 'num_sub_policies must be a whole number of at least 1, got 0', num_sub_policies=0)
search_mistake(
    'A step has one sub-policy',
    'num_sub_policies=1: evidence compares the sub-policies of a step, and one has none to be compared '
    'with, so that ShrinkageEstimator would leave the policy uniform: take 2 or more',
    num_sub_policies=1,
    estimator=dict(type='ShrinkageEstimator'),
    policy_optim=None,
)
search_mistake(
    'S_val is loaded as for an evaluation',
    'The pipeline of S_val has Resize before LoadAnnotations, so that boxes stay where they are and the '
    'image does not, as in pipelines for testing: put LoadAnnotations before Resize',
    lambda config: config.train_cfg.policy_dataloader.dataset.pipeline.insert(1, dict(type='Resize', scale=(64, 64))),
)


@search_configs(
    'A hook takes the data by itself',
    'PreciseBNHook passes images of the training through the network by itself, and the batches of a '
    'search are of several views each: leave PreciseBNHook out of custom_hooks',
)
def _(world):
    hooks = pytest.importorskip('mmpretrain.engine.hooks')
    check_hooks([hooks.PreciseBNHook(num_samples=8)])


search_mistake(
    'p_tp starts at 1', 'init_total_prob must lie between 0 and 1, both excluded, got 1.0', init_total_prob=1.0
)
search_mistake(
    'An optimizer is for nothing of the policy',
    "policy_optim takes the keys 'op' and 'total', got ['alpha', ...]",
    lambda config: config.train_cfg.policy_optim.update(alpha=None),
)
search_mistake(
    'The estimator does not exist',
    "Unknown estimator 'Paper'; known are ['PaperEstimator', 'ShrinkageEstimator']",
    estimator=dict(type='Paper'),
)
search_mistake(
    "The policy's optimizers are set, and the estimator has none",
    'ShrinkageEstimator takes no policy_optim: leave it out, or choose another estimator',
    estimator=dict(type='ShrinkageEstimator'),
    policy_optim=dict(op=dict(lr=0.02)),
)
search_mistake(
    'The training pipeline has no DDASAugment',
    "The training pipeline of CocoDataset has no DDASAugment: put dict(type='DDASAugment') where the "
    'operations are to be applied, after LoadAnnotations',
    lambda config: config.train_dataloader.dataset.update(
        pipeline=[step for step in config.train_dataloader.dataset.pipeline if step['type'] != 'DDASAugment']
    ),
)
search_mistake(
    'The pipeline of S_val has one',
    'The pipeline of policy_dataloader holds DDASAugment, but S_val is never augmented: remove it',
    lambda config: config.train_cfg.policy_dataloader.dataset.pipeline.insert(2, dict(type='DDASAugment')),
)


def s_val_of(**changes):
    return lambda config: config.train_cfg.policy_dataloader.dataset.update(**changes)


search_mistake(
    'The classes of S_val (or S_train) are not those of its file',
    "S_val has 8 images and no object: its classes 'person', ... do not occur in ... which has 'disc', "
    "'rectangle', 'triangle'. Set metainfo=dict(classes=(...)) of the data set to those of the file",
    lambda config: config.train_cfg.policy_dataloader.dataset.pop('metainfo'),
)
search_mistake(
    'A class is mistyped, and images without objects are filtered away',
    "S_train has no image that its filter leaves: its classes 'disk' do not occur in ... which has "
    "'disc', 'rectangle', 'triangle'. Set ...",
    lambda config: config.train_dataloader.dataset.update(
        metainfo=dict(classes=('disk',)), filter_cfg=dict(filter_empty_gt=True)
    ),
)
search_mistake(
    'The classes of S_train and S_val differ',
    "The classes of S_train are 'disc', 'rectangle', 'triangle', those of S_val 'triangle', 'disc', "
    "'rectangle': give both data sets, policy_dataloader.dataset too, the same "
    'metainfo=dict(classes=(...))',
    s_val_of(metainfo=dict(classes=('triangle', 'disc', 'rectangle'))),
)
search_mistake(
    'S_val lies within S_train',
    'All 5 images of S_val are in S_train too, so that the policy would be judged on what the network '
    'has learned by heart: split the training images, as tools/dataset_tools/make_coco_proxy.py does',
    s_val_of(ann_file='annotations/train.json', data_prefix=dict(img='train/'), indices=5),
)


def s_val_file(world, change) -> None:
    """A search with an annotation file for S_val that ``change`` makes of those of both."""
    contents = [json.loads((world.shapes / 'annotations' / f'{name}.json').read_text()) for name in ('train', 'val')]
    for content, folder in zip(contents, ('train', 'val'), strict=True):
        for image in content['images']:
            image['file_name'] = f'{folder}/{image["file_name"]}'
    Path('s_val.json').write_text(json.dumps(change(*contents)))
    return world.search(s_val_of(ann_file=str(Path('s_val.json').absolute()), data_prefix=dict(img='')))


@search_configs('No image of S_val has an object', 'S_val has 8 images and no object: look at its annotations, ...')
def _(world):
    s_val_file(world, lambda train, val: val | dict(annotations=[]))


@search_configs(
    'S_train and S_val share images',
    'S_train and S_val share 2 of the 5 images of S_val: the policy is judged on what the network learns '
    'by heart. Split the training images, as tools/dataset_tools/make_coco_proxy.py does',
    warning=True,
)
def _(world):
    def mixed(train, val):
        images = train['images'][:2] + [image | dict(id=100 + image['id']) for image in val['images'][:3]]
        notes = [note for note in train['annotations'] if note['image_id'] in (images[0]['id'], images[1]['id'])]
        return train | dict(images=images, annotations=notes)

    return s_val_file(world, mixed)


@search_configs(
    'S_train and S_val have copies of an image under other names',
    'S_train and S_val share 8 images under other names, such as ... and ...: the policy is judged on '
    'what the network learns by heart. Keep the copies of an image in one of the two',
    warning=True,
)
def _(world):
    shutil.copytree(world.shapes, 'copies')
    files = dict(ann_file='annotations/train.json', data_prefix=dict(img='train/'), indices=8)
    return world.search(s_val_of(data_root=f'{world.folder}/copies/', **files))


@search_configs('A class is missing in one of the two', "S_val has no object of 'triangle'", warning=True)
def _(world):
    def without(train, val):
        (label,) = (category['id'] for category in val['categories'] if category['name'] == 'triangle')
        return val | dict(annotations=[note for note in val['annotations'] if note['category_id'] != label])

    return s_val_file(world, without)


@search_configs(
    'The search is too short',
    'An operation is drawn some 1 times only. Below 60 chance decides which ones lead: search for at least ... epochs',
    warning=True,
)
def _(world):
    return world.search()


def derivation_mistake(text, message, options=None, **settings):
    @derived_searches(text, message)
    def _(world):
        return '\n'.join(
            derive_search(world.plain_training(**settings), 'my.py', SearchOptions(**options or {})).warnings
        )


derivation_mistake(
    'The config does not train',
    'The config has no train_dataloader with a dataset: give a config that trains. A training with '
    'several loaders has no single one, and cannot be searched for',
    train_dataloader=None,
)


@derived_searches(
    'It trains with images that have no labels, too',
    'my.py is a semi-supervised training: its SoftTeacher learns from images with and without labels, '
    'and a search needs labelled images alone. Give the config of a supervised training of this network',
)
def _(world):
    training = world.plain_training()
    training.model = dict(type='SoftTeacher', detector=training.model, semi_train_cfg=dict(freeze_teacher=True))
    derive_search(training, 'my.py')


derivation_mistake(
    'It trains for another task',
    "my.py has default_scope='mmseg': searches are derived from trainings of mmdet and mmpretrain",
    default_scope='mmseg',
)
derivation_mistake(
    'More images are asked for than there are',
    'S_train would have 10 images and S_val 5, and the training has 12 for both: give --num-train and '
    '--num-val of at least 1 each, and of no more than that together',
    dict(num_train=10, num_val=5),
)
derivation_mistake('`--val-share 2`', '--val-share is a share of the images, between 0 and 1, got 2', dict(val_share=2))
derivation_mistake('`--split-seed -1`', '--split-seed is a number of at least 0, got -1', dict(split_seed=-1))
derivation_mistake(
    '`--val-ann` is not there', "--val-ann: there is no file 'nowhere.json', nor ...", dict(val_ann='nowhere.json')
)
derivation_mistake(
    '`--val-ann` is a folder',
    "--val-ann: '...' is a folder, and an annotation file is wanted; --val-data-root names a folder "
    'below which images and annotations lie as in the training',
    dict(val_ann='train'),
)


def shared_names(world) -> dict:
    """An annotation file whose images lie in a folder of their own, and have names of the training's."""
    shutil.copytree(world.shapes / 'train', 'webcam')
    return dict(val_ann=str(world.shapes / 'annotations' / 'train.json'))


@derived_searches(
    "S_val is the config's own validation or test set",
    '...train.json is the annotation file of val_dataloader: what is measured on it after the search is '
    'no longer unseen. Test data must not be used for a search',
    warning=True,
)
def _(world):
    training = world.plain_training()
    training.val_dataloader.dataset.ann_file = 'annotations/train.json'
    options = SearchOptions(**shared_names(world), val_images='webcam')
    return '\n'.join(derive_search(training, 'my.py', options).warnings)


@derived_searches(
    'Images of `--val-ann` have the same names as images of the training',
    '12 of the 12 images of S_val are images of the training, ... for instance: the policy would be '
    'judged on what the network learns. If they have the same names, but lie in another folder, '
    "--val-images names the folder of its images, by default the training's",
)
def _(world):
    derive_search(world.plain_training(), 'my.py', SearchOptions(**shared_names(world)))


@derived_searches(
    "The images of `--val-ann` are not where the training's are",
    "S_val: ...; --val-images names the folder of its images, by default the training's",
)
def _(world):
    file = world.folder / 'webcam.json'
    file.write_text((world.shapes / 'annotations' / 'train.json').read_text().replace('.png', '_w.png'))
    derive_search(world.plain_training(), 'my.py', SearchOptions(val_ann=str(file)))


derivation_mistake(
    'The search space does not exist',
    "Unknown search space 'detecton'; presets are ['cifar', 'cifar_release', 'detection', "
    "'detection_wide', 'imagenet']",
    dict(space='detecton'),
)


@derived_searches(
    'The length is among `--cfg-options`',
    'train_cfg.max_epochs: the length of a search that is derived is --epochs, or --budget',
)
def _(world):
    derive_search(world.plain_training(), 'my.py', changes={'train_cfg.max_epochs': 5})


@derived_searches(
    'A classifier has one class',
    'The training has a single class, for which its loss is always 0: a search would learn nothing',
)
def _(world):
    shutil.copytree(Path(world.shapes, 'train'), 'pets/cat')
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    images = dict(type='CustomDataset', data_prefix='pets', pipeline=pipeline)
    loop = dict(type='EpochBasedTrainLoop', max_epochs=9)
    training = dict(default_scope='mmpretrain', model=dict(type='ImageClassifier'), train_cfg=loop)
    derive_search(Config(training | dict(train_dataloader=dict(batch_size=2, dataset=images))), 'my.py')


@derived_searches(
    'The image is grey',
    '...: expected an image (H, W, 3) of uint8, found uint8 (64, 64); load it with color_type="color"',
)
def _(world):
    training = world.plain_training()
    training.train_dataloader.dataset.pipeline[0].color_type = 'grayscale'
    derive_search(training, 'my.py')


@derived_searches(
    'A search gets options of the derivation',
    '...retinanet_thin_shapes.py is a search already: --budget is for searches that are derived from the '
    'config of a training. Change the config, or give --cfg-options',
)
def _(world):
    world.command('search', str(ROOT / 'configs/ddas/retinanet_thin_shapes.py'), '--budget', '0.5')


search_mistake(
    'A transform keeps images of earlier samples',
    'CachedMixUp keeps images of earlier samples, so that the views of a search would get into each '
    'other, and its result would depend on the data workers: leave CachedMixUp out, or take MixUp of a '
    'MultiImageMixDataset, before DDASAugment',
    lambda config: config.train_dataloader.dataset.pipeline.insert(-1, dict(type='CachedMixUp')),
)
search_mistake(
    'A transform mixes images after DDASAugment',
    'MixUp mixes images, and comes after DDASAugment: in a search, put DDASAugment after it, where there '
    'is one image to make views of',
    lambda config: config.train_dataloader.dataset.pipeline.insert(-1, dict(type='MixUp')),
)
search_mistake(
    'A hook switches the pipeline',
    'PipelineSwitchHook switches the transforms of a training, and a search keeps those that it began '
    'with, so that its views can be compared: leave PipelineSwitchHook out of custom_hooks',
    lambda config: config.update(custom_hooks=[dict(type='PipelineSwitchHook', switch_epoch=1, switch_pipeline=[])]),
)


@search_configs(
    'The network has several optimizers',
    'A search steps its network by one optimizer, got OptimWrapperDict: give it one OptimWrapper, with '
    'paramwise_cfg for rates of their own',
)
def _(world):
    check_optimizer(OptimWrapperDict())


search_mistake(
    'Gradients are accumulated',
    'A search cannot accumulate gradients over iterations (the policy learns from every step): remove '
    'accumulative_counts from optim_wrapper and raise the batch size instead',
    lambda config: config.optim_wrapper.update(accumulative_counts=2),
)


@search_configs(
    "The network's optimizer is adaptive",
    'The network is trained by Adam, but the policy gradients (Eq. 16, 17) are exact only for SGD, whose '
    'step is linear in the gradient. The search may mislead.',
    warning=True,
)
def _(world):
    def adaptive(config):
        config.optim_wrapper.optimizer = dict(type='Adam', lr=1e-4)

    return world.search(adaptive)


@search_configs(
    'The network moves a teacher on in its loss, as MoCo and BYOL do',
    'ModuleDict.encoder_k is a moving average of the network, which every pass over a batch moves on: a '
    'search makes several passes a step, and of S_val too. Search with a network that learns from '
    'labels, and train this one with what is found',
)
def _(world):
    student = torch.nn.Linear(2, 2)
    teacher = ExponentialMovingAverage(student)
    check_network(torch.nn.ModuleDict(dict(student=student, encoder_k=teacher)), sub_policies_per_rank=False)


@search_configs(
    'The parameters are spread over processes',
    'MMFullyShardedDataParallel may give every process a part of the parameters, and a search compares '
    'gradients of all of them: leave model_wrapper_cfg out, for the whole network on every GPU',
)
def _(world):
    check_wrapper(MMFullyShardedDataParallel.__new__(MMFullyShardedDataParallel))


@search_configs(
    'The sampler draws on, whatever the epoch',
    'S_train is drawn by CustomSampleSizeSampler, whose next pass depends on those before it, so that an '
    "interrupted search would go on with other images: use sampler=dict(type='DefaultSampler', "
    'shuffle=True)',
)
def _(world):
    def drawn_on(config):
        loader = config.train_dataloader.to_dict()
        loader.update(sampler=dict(type='CustomSampleSizeSampler', dataset_size=[4]))
        loader['dataset'] = dict(type='ConcatDataset', datasets=[loader['dataset']])
        config.train_dataloader = loader

    world.search(drawn_on)


@search_configs(
    'An option of DDASAugment has a value that does not exist',
    "interpolation must be one of ['bilinear', 'nearest'], got 'cubic'",
)
def _(world):
    DDASAugment(interpolation='cubic')


def photos(world, box: str = '<xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax>', image: bool = True) -> Path:
    """A folder with one XML file, and its image."""
    folder = Path('photos')
    folder.mkdir()
    objects = f'<object><name>cat</name><bndbox>{box}</bndbox></object>'
    (folder / '1.xml').write_text(f'<annotation><filename>1.png</filename>{objects}</annotation>')
    if image:
        shutil.copy(next(Path(world.shapes, 'train').glob('*.png')), folder / '1.png')
    return folder


def search_split(path: Path) -> None:
    importlib.import_module('make_coco_proxy').write_search_split(path)  # on the path of the tests alone


@splitting(
    'A folder of class folders is split already',
    "'pets' is split already, into train, val: give the folder of its training images",
)
def _(world):
    for part in ('train', 'val'):
        Path('pets', part, 'cat').mkdir(parents=True)
    split('pets')


@splitting(
    'The folder of a COCO file is given',
    "'coco' is a folder with JSON files: give the annotation file: coco/all.json. If its folders are "
    'classes, move these files away',
)
def _(world):
    Path('coco').mkdir()
    Path('coco/all.json').write_text('{}')
    split('coco')


@splitting(
    'A folder of images alone is given',
    "'photos' has images (1.png) and nothing that says what is on them: give a COCO file, a folder with "
    'Pascal-VOC XML files and images, or a folder with a folder of images per class',
)
def _(world):
    (photos(world) / '1.xml').unlink()
    split('photos')


@splitting('The folder is empty', "'photos' is empty: give a COCO file, a folder with ...")
def _(world):
    Path('photos').mkdir()
    split('photos')


@splitting(
    'There is one class',
    "'pets' has one class folder, cat, and a classifier tells at least two classes apart: give the "
    'folder that has a folder of images a class',
)
def _(world):
    shutil.copytree(photos(world), 'pets/cat', ignore=shutil.ignore_patterns('*.xml'))
    split('pets')


splitting('An image is given', "'photos/1.png' is one image: give a COCO file, a folder with ...")(
    lambda world: split(photos(world) / '1.png')
)
splitting('It is not there', "there is no 'photos': give a COCO file, a folder with ...")(lambda world: split('photos'))
splitting(
    'One XML file is given', "'photos/1.xml' is one XML file: give the folder that has all of them and their images"
)(lambda world: split(photos(world) / '1.xml'))
splitting(
    'An XML file has no image',
    "1 of the 1 XML files in 'photos' have no image of their name in it or below: 1.xml (1.png). Put the "
    'images beside them, or remove these',
)(lambda world: split(photos(world, image=False)))
splitting(
    'A box is not four numbers',
    "'photos/1.xml': the box of 'cat' needs four numbers ('xmin', 'ymin', 'xmax', 'ymax'), got ...",
)(lambda world: split(photos(world, box='<xmin>left</xmin>')))
splitting('No image is left to train', 'val and test are 5 and 5 of 10 images: none is left to train')(
    lambda world: part_sizes(10, 5, 5)
)
splitting(
    'A folder where a COCO file is wanted',
    "'photos' is a folder; a COCO annotation file is expected: mmddas split makes COCO annotations of a "
    'folder of Pascal-VOC XML files',
)(lambda world: search_split(photos(world)))
splitting(
    'XML where a COCO file is wanted',
    "'photos/1.xml' is XML; a COCO annotation file, which is JSON, is expected: mmddas split makes COCO "
    'annotations of a folder of Pascal-VOC XML files',
)(lambda world: search_split(photos(world) / '1.xml'))


@splitting(
    'Another split is there',
    'out/train.json, out/val.json, out/test.json is of another split: name another folder with '
    '--out-dir, or --overwrite it. What has been trained on the other one must not be tested on this one',
)
def _(world):
    for seed in (0, 1):
        write_split(split(Path(world.shapes, 'annotations', 'train.json'), seed=seed), 'out')


def of_config(base: str, kind: str) -> None:
    files = dict(train='train.json', val='val.json', test='test.json')
    set_data(read_config(base), OwnData(kind, ('cat', 'dog'), 'photos', files))


splitting(
    'The config trains masks, and the data have none',
    'The config trains masks (its model has a mask_head), and the annotations have no segmentations: give a config...',
)(lambda world: of_config('mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py', 'detection'))
splitting(
    'The config trains masks that its pipeline loads, and the data have none',
    'The config trains masks (its pipeline loads them), and the annotations have no segmentations: give a config...',
)(lambda world: of_config('mmdet::rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py', 'detection'))
splitting(
    'The config trains panoptic segmentation',
    'The config trains panoptic segmentation (its model has num_stuff_classes), which needs '
    'segmentations of whole images: give a config for detection or instance segmentation',
)(lambda world: of_config('mmdet::mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py', 'detection'))
splitting(
    'The config wants segmentation maps',
    'The config trains on segmentations of whole images (with_seg=True), and the data have none: give a config...',
)(lambda world: of_config('mmdet::htc/htc_r50_fpn_1x_coco.py', 'detection'))


def with_box(box: dict) -> None:
    content = dict(
        images=[dict(id=1, file_name='1.png', width=8, height=8)],
        annotations=[dict(id=1, image_id=1, category_id=1, **box)],
        categories=[dict(id=1, name='cat')],
    )
    Path('all.json').write_text(json.dumps(content))
    split('all.json')


splitting('A COCO annotation has no box', "'all.json': not COCO's format: the key 'bbox' is missing in annotations[0]")(
    lambda world: with_box({})
)
splitting(
    "A COCO annotation's box is none",
    "'all.json': not COCO's format: bbox is [] in annotations[0], not the numbers [x, y, width, height]",
)(lambda world: with_box(dict(bbox=[])))
splitting(
    "The config is CIFAR's, and the data are files",
    'The CIFAR10 of the config brings its images in memory, and its pipeline loads no files: give a '
    'config whose pipeline begins with LoadImageFromFile, such as those on ImageNet',
)(lambda world: of_config('mmpretrain::resnet/resnet18_8xb16_cifar10.py', 'classification'))


@commands(
    'A CocoDataset gets a folder of XML files',
    '.../train, of train_dataloader.dataset.ann_file, is a folder, and a CocoDataset reads a JSON file: '
    'mmddas split makes one from a folder of Pascal VOC XML files',
)
def _(world):
    world.search_config().dump('search.py')
    world.command('search', 'search.py', '--cfg-options', 'train_dataloader.dataset.ann_file=train')


@commands('The config file is not there', "There is no config file 'nowhere.py'")
def _(world):
    world.command('search', 'nowhere.py')


@commands(
    'There is no such packaged config',
    "mmdet has no config 'retinanet/retinanet_r50_fpn_1x_cocoo.py'; similar ones are "
    'retinanet/retinanet_r50_fpn_1x_coco.py, ...',
)
def _(world):
    world.command('search', 'mmdet::retinanet/retinanet_r50_fpn_1x_cocoo.py')


@commands(
    'The config is no Python',
    "'search.py', or a config that it is based on, is not valid Python: '(' was never closed ...",
)
def _(world):
    Path('search.py').write_text('model = dict(')
    world.command('search', 'search.py')


@commands(
    'The config is none of a training',
    'The config has no model and no train_dataloader and no train_cfg and no optim_wrapper: give that of '
    'a detector or classifier, with its data',
)
def _(world):
    Path('search.py').write_text("default_scope = 'mmdet'")
    world.command('train', 'search.py')


@commands('The checkpoint is not there', "There is no checkpoint 'epoch_1.pth'")
def _(world):
    world.search_config().dump('search.py')
    world.command('test', 'search.py', 'epoch_1.pth')


@commands('The checkpoint is another file', "'search.py' is no checkpoint: PyTorch writes zip files, and this is none")
def _(world):
    world.search_config().dump('search.py')
    world.command('test', 'search.py', 'search.py')


@commands(
    'The checkpoint is another zip file',
    "'photos.zip' is a zip file, but no checkpoint of PyTorch",
)
def _(world):
    world.search_config().dump('search.py')
    with zipfile.ZipFile('photos.zip', 'w') as archive:
        archive.writestr('photos/1.jpg', b'')
    world.command('test', 'search.py', 'photos.zip')


@commands(
    'The download of the checkpoint broke off', "'epoch_1.pth' is cut short: copy or download the checkpoint again"
)
def _(world):
    world.search_config().dump('search.py')
    torch.save(dict(weights=torch.zeros(1000)), 'epoch_1.pth')
    whole = Path('epoch_1.pth').read_bytes()
    Path('epoch_1.pth').write_bytes(whole[: len(whole) // 2])
    world.command('test', 'search.py', 'epoch_1.pth')


@commands(
    'The work dir is of an earlier run',
    '.../epoch_1.pth is of an earlier run, which this run would overwrite: --resume continues the '
    'earlier one, --work-dir names another folder for this one',
)
def _(world):
    world.search()
    world.search_config().dump('search.py')
    world.command('search', 'search.py', '--work-dir', world.search_config().work_dir)


@commands(
    'A training gets a policy for another task',
    'pba_svhn is a policy for classification, and the config trains for detection, which has other operations...',
)
def _(world):
    world.plain_training().dump('train.py')
    world.command('train', 'train.py', '--policy', 'pba_svhn')


@commands(
    'A training gets a policy that there is not',
    "There is no policy named 'zoph_v9', and no such file; names are uniform, trivialaugment, randaugment, ...",
)
def _(world):
    world.plain_training().dump('train.py')
    world.command('train', 'train.py', '--policy', 'zoph_v9')


@commands(
    'The data are not there',
    'There is no data/nowhere/annotations/train.json, of '
    "train_dataloader.dataset.data_root='data/nowhere/': get the data, or say where they are with "
    '--cfg-options train_dataloader.dataset.data_root=PATH',
)
def _(world):
    world.search_config().dump('search.py')
    world.command('search', 'search.py', '--cfg-options', 'train_dataloader.dataset.data_root=data/nowhere/')


@commands(
    'The work dir cannot be written to',
    'The work dir (--work-dir names another one) cannot be written to (Not a directory)...',
)
def _(world):
    world.search_config().dump('search.py')
    Path('file').write_text('')
    world.command('search', 'search.py', '--work-dir', 'file/folder')


@commands('The disk is full', 'The work dir has ... MiB left, and ... MiB are needed...')
def _(world):
    check_folder('.', 'The work dir', free_bytes=1 << 60)


@commands(
    '`--resume` with another L^',
    'The checkpoint is of another search: num_sub_policies: 3 in the checkpoint, 2 in this search. '
    'Resume with the config and the data that it was started with (and its seed, randomness.seed=0), or '
    'start anew in another work dir',
)
def _(world):
    world.search()
    world.search(lambda config: config.update(resume=True), num_sub_policies=2)


@commands(
    '`--resume` with fewer epochs than have been searched',
    'The schedule holds 2 epochs, the checkpoint is of epoch 2, and the search is to have max_epochs=1: '
    'resume with at least as many as have been searched',
)
def _(world):
    world.search(max_epochs=2)
    world.search(lambda config: config.update(resume=True), max_epochs=1)


@commands(
    '`--resume` from the checkpoint of a training',
    'The checkpoint to resume from holds no policy: it was not saved by a search',
)
def _(world):
    Path('policy.json').write_text(json.dumps(POLICY))
    world.training(policy_file='policy.json')
    world.search(lambda config: config.update(resume=True, load_from='train/epoch_1.pth'))


@commands(
    'Two machines have different configs',
    'The processes of this search disagree, so that it would find nothing: config '
    'optim_wrapper.optimizer.lr: 0.01 on rank 0, 0.02 on rank 1. Start all of them with one config, one '
    'seed (and without randomness.diff_rank_seed) and the same data',
)
def _(world):
    identities = [
        fingerprint.config_fingerprint(dict(optim_wrapper=dict(optimizer=dict(lr=rate)))) for rate in (0.01, 0.02)
    ]
    world.monkeypatch.setattr(fingerprint, 'get_world_size', lambda: 2)
    world.monkeypatch.setattr(fingerprint, 'all_gather_object', lambda identity: identities)
    fingerprint.check_processes_agree(identities[0])


def spoilt(world, images: int, spoil) -> Path:
    """A copy of the data set with some training images spoilt."""
    shutil.copytree(world.shapes, 'data')
    for path in sorted(Path('data/train').glob('*.png'))[:images]:
        spoil(path)
    return Path('data')


def searching(folder: Path):
    return lambda config: config.train_dataloader.dataset.update(data_root=f'{folder}/')


@running('An image cannot be read', 'S_train: skipped ...: FileNotFoundError: ...', warning=True)
def _(world):
    return world.search(searching(spoilt(world, 1, Path.unlink)))


@running(
    'Too many images cannot be read',
    '... of the 12 samples of S_train are broken so far, and max_broken_share=0.1 of train_cfg allows 1. '
    'Mend or remove them, or raise max_broken_share:...',
)
def _(world):
    return world.search(searching(spoilt(world, 6, Path.unlink)))


@running(
    'The learning rate is too high',
    "The network's steps overshoot: after them the gradient of S_val points against that of the clean "
    'view (mean cosine ... over the epoch, "grad_cosine" in the log). The policy then favours views that '
    'point there less, and p_tp may rise. Try a lower learning rate.',
    warning=True,
)
def _(world):
    world.monkeypatch.setattr(ViewGradients, 'grad_cosine', lambda self: torch.tensor(-0.3))
    return world.search()


@running(
    'The losses are not finite',
    'The policy could not learn from 2 steps in a row, the last one of iteration 2: gradients are not '
    'finite, or all alignments are 0 (losses of the views, the clean one first: ...; of S_val: ...). If '
    'the losses have grown, start anew with a lower learning rate or with clipped gradients (--resume '
    'keeps the rate of the checkpoint).',
)
def _(world):
    return world.search(lambda config: config.optim_wrapper.optimizer.update(lr=1e30), max_skipped_in_a_row=2)


@running(
    'The labels of an image are no finite numbers',
    'S_train: skipped ...: ValueError: a box is not made of finite numbers: ...',
    warning=True,
)
def _(world):
    folder = spoilt(world, 0, None)
    path = folder / 'annotations' / 'train.json'
    content = json.loads(path.read_text())
    content['annotations'][0]['bbox'][2] = float('inf')
    path.write_text(json.dumps(content))
    return world.search(searching(folder))


@running(
    'Images are not three channels of 8 bits',
    'S_train: skipped ...: ValueError: expected an image (H, W, 3) of uint8, found uint16 ...; load it '
    'with color_type="color"',
    warning=True,
)
def _(world):
    folder = spoilt(world, 1, lambda path: cv2.imwrite(str(path), np.zeros((64, 64, 3), np.uint16)))

    def unchanged(config):
        searching(folder)(config)
        config.train_dataloader.dataset.pipeline[0].update(color_type='unchanged')

    return world.search(unchanged)


def page() -> str:
    """Return docs/mistakes.md, as these cases have it."""
    parts = [HEAD]
    for section in SECTIONS:
        parts.append(f'\n## {section}\n\n| mistake | message |\n| --- | --- |\n')
        for (of_section, text), case in MISTAKES.items():
            if of_section == section:
                parts.append(f'| {text} | `{case.message}`{" (a warning)" if case.warning else ""} |\n')
    return ''.join(parts)


def test_the_page_is_written_from_these_cases():
    assert PAGE.read_text(encoding='utf-8') == page(), 'python tests/test_docs/test_mistakes.py --write'


@pytest.mark.parametrize(('section', 'text'), MISTAKES)
def test_message_is_the_expected_one(section, text, tmp_path, shapes, search_config, monkeypatch):
    make, message, warning = MISTAKES[section, text]
    pattern = re.escape(message).replace(r'\.\.\.', '.*')
    world = World(tmp_path, shapes, search_config, monkeypatch)
    if warning:
        said = make(world)
    else:
        with pytest.raises((ValueError, LookupError, OSError, RuntimeError, ArithmeticError, SystemExit)) as error:
            make(world)
        said = str(error.value).removesuffix(f': {error.value.filename!r}' if hasattr(error.value, 'filename') else '')
        pattern = f'{pattern}$'
    assert re.search(pattern, said, re.DOTALL), said


if __name__ == '__main__':
    if sys.argv[1:] != ['--write']:
        sys.exit('usage: python tests/test_docs/test_mistakes.py --write')
    PAGE.write_text(page(), encoding='utf-8')
