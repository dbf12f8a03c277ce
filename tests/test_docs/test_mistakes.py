"""The page of mistakes: every one of them is made, and its message compared with the page's."""

import importlib
import json
import re
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from make_coco_proxy import write_search_split
from mmengine.config import Config
from mmengine.model import ExponentialMovingAverage, MMFullyShardedDataParallel
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

from mmddas.cli import command_parser
from mmddas.cli.config import read_config
from mmddas.datasets import DDASAugment
from mmddas.datasets.splits.parts import part_sizes, split, write_split
from mmddas.derive import OwnData, SearchOptions, derive_search, set_data
from mmddas.engine.checks import fingerprint as agreement
from mmddas.engine.checks.preconditions import check_hooks, check_network, check_optimizer, check_wrapper
from mmddas.files import check_folder

ROOT = Path(__file__).parents[2]
PAGE = ROOT / 'docs' / 'mistakes.md'
POLICY = dict(
    num_ops=2,
    candidates=[dict(op='Equalize', level=None), dict(op='Solarize', level=2)],
    epochs=[dict(total_prob=0.5, op_probs=[0.5, 0.5])],
)

# Section and mistake, as on the page -> a function of the fixture ``world`` that makes it.
MISTAKES = {}


def mistake(section: str, text: str):
    def enter(function):
        MISTAKES[section, text] = function
        return function

    return enter


class World:
    """What mistakes are made with: a folder, the tests' data, and small configs."""

    def __init__(self, folder, shapes, search_config, monkeypatch):
        self.folder, self.shapes, self.search_config, self.monkeypatch = folder, shapes, search_config, monkeypatch
        monkeypatch.chdir(folder)

    def policy(self, content: dict | str) -> None:
        """Make a transform of this policy file."""
        text = content if isinstance(content, str) else json.dumps(content)
        Path('policy.json').write_text(text)
        DDASAugment('policy.json')

    def search(self, change=None, **options):
        """Search, with ``change(config)`` made or these settings of ``train_cfg``; returns the log."""
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
        """A command of ``mmddas``, as it is run; what it ends with is raised."""

        def end(status: int, message: str) -> None:
            raise SystemExit(message.strip())

        parser = command_parser(name, f'mmddas {name}')
        parser.exit = end
        importlib.import_module(f'mmddas.cli.{name}').main(parser, parser.parse_args(arguments))


def run(config: Config) -> str:
    Runner.from_cfg(config).train()
    return '\n'.join(path.read_text() for path in Path(config.work_dir).glob('*/*.log'))


def policy_mistake(text, **change):
    mistake('Policy files', text)(lambda world: world.policy(POLICY | change))


mistake('Policy files', 'The file is cut short, or no JSON')(lambda world: world.policy(json.dumps(POLICY)[:50]))
mistake('Policy files', 'It is not there')(lambda world: DDASAugment('policy.json'))
mistake('Policy files', 'There is no policy of that name')(lambda world: DDASAugment('zoph_v9'))
mistake('Policy files', 'A named policy gets what it does not take')(lambda world: DDASAugment('uniform:prob=0.5'))
mistake('Policy files', 'p_tp is set of a list of sub-policies')(lambda world: DDASAugment('zoph_v1:total_prob=0.5'))


@mistake('Policy files', 'A file gets what it does not take')
def _(world):
    Path('policy.json').write_text(json.dumps(POLICY))
    DDASAugment('policy.json:prob=0.5')


mistake('Policy files', 'A listed operation has no probability')(
    lambda world: world.policy(dict(sub_policies=[[dict(op='Equalize')]]))
)
mistake('Policy files', 'A field is missing')(
    lambda world: world.policy({key: value for key, value in POLICY.items() if key != 'epochs'})
)
policy_mistake('An operation does not exist', candidates=[dict(op='Spin', level=1), *POLICY['candidates'][1:]])
policy_mistake('An operation has no level, and needs one', candidates=[dict(op='Solarize'), dict(op='Equalize')])
policy_mistake('A candidate is listed twice', candidates=[dict(op='Equalize')] * 2)
policy_mistake('The probabilities are not one a candidate', epochs=[dict(total_prob=0.5, op_probs=[1.0])])
policy_mistake('The probabilities do not sum to 1', epochs=[dict(total_prob=0.5, op_probs=[0.5, 0.2])])
policy_mistake('A probability lies outside 0..1', epochs=[dict(total_prob=1.5, op_probs=[0.5, 0.5])])


@mistake('Policy files', 'The policy is for classification, and a detector is trained')
def _(world):
    Path('policy.json').write_text(json.dumps(POLICY | dict(meta=dict(task='classification'))))
    world.training(policy_file='policy.json')


@mistake('Policy files', 'No policy is named')
def _(world):
    world.training(policy_file=None)


@mistake('Policy files', 'Two policies are named')
def _(world):
    load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
    pipeline = [*load, dict(type='DDASAugment', policy='uniform'), dict(type='PackDetInputs')]
    world.training(policy_file='zoph_v1', pipeline=pipeline)


@mistake('Policy files', 'DDASAugment stands before LoadAnnotations')
def _(world):
    policy = POLICY | dict(
        num_ops=1, candidates=[dict(op='FlipLR', level=None)], epochs=[dict(total_prob=1.0, op_probs=[1.0])]
    )
    image = np.zeros((8, 8, 3), np.uint8)
    DDASAugment(policy)(dict(img=image, instances=[dict(bbox=[1, 1, 4, 4], bbox_label=0)]))


@mistake('Policy files', 'DDASAugment stands before what loads the image')
def _(world):
    load = dict(type='LoadImageFromFile')
    world.training(policy_file='uniform', pipeline=[dict(type='DDASAugment'), load, dict(type='PackDetInputs')])


@mistake('Policy files', 'The pipeline has no DDASAugment')
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


def search_mistake(text, change=None, **options):
    mistake('Configs of a search', text)(lambda world: world.search(change, **options))


search_mistake('There is no S_val', lambda config: config.train_cfg.pop('policy_dataloader'))
search_mistake('The preset does not exist', search_space='detecton')
search_mistake('An operation does not exist', search_space=[('Spin', 1)])
search_mistake('A candidate is listed twice', search_space=['Equalize', 'Equalize'])
search_mistake('N_o is below 1', num_ops=0)
search_mistake('L^ is below 1', num_sub_policies=0)
search_mistake(
    'A step has one sub-policy', num_sub_policies=1, estimator=dict(type='ShrinkageEstimator'), policy_optim=None
)
search_mistake(
    'S_val is loaded as for an evaluation',
    lambda config: config.train_cfg.policy_dataloader.dataset.pipeline.insert(1, dict(type='Resize', scale=(64, 64))),
)


@mistake('Configs of a search', 'A hook takes the data by itself')
def _(world):
    hooks = pytest.importorskip('mmpretrain.engine.hooks')
    check_hooks([hooks.PreciseBNHook(num_samples=8)])


search_mistake('p_tp starts at 1', init_total_prob=1.0)
search_mistake(
    'An optimizer is for nothing of the policy', lambda config: config.train_cfg.policy_optim.update(alpha=None)
)
search_mistake('The estimator does not exist', estimator=dict(type='Paper'))
search_mistake(
    "The policy's optimizers are set, and the estimator has none",
    estimator=dict(type='ShrinkageEstimator'),
    policy_optim=dict(op=dict(lr=0.02)),
)
search_mistake(
    'The training pipeline has no DDASAugment',
    lambda config: config.train_dataloader.dataset.update(
        pipeline=[step for step in config.train_dataloader.dataset.pipeline if step['type'] != 'DDASAugment']
    ),
)
search_mistake(
    'The pipeline of S_val has one',
    lambda config: config.train_cfg.policy_dataloader.dataset.pipeline.insert(2, dict(type='DDASAugment')),
)


def s_val_of(**changes):
    return lambda config: config.train_cfg.policy_dataloader.dataset.update(**changes)


search_mistake(
    'The classes of S_val (or S_train) are not those of its file',
    lambda config: config.train_cfg.policy_dataloader.dataset.pop('metainfo'),
)
search_mistake(
    'A class is mistyped, and images without objects are filtered away',
    lambda config: config.train_dataloader.dataset.update(
        metainfo=dict(classes=('disk',)), filter_cfg=dict(filter_empty_gt=True)
    ),
)
search_mistake(
    'The classes of S_train and S_val differ', s_val_of(metainfo=dict(classes=('triangle', 'disc', 'rectangle')))
)
search_mistake(
    'S_val lies within S_train',
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


@mistake('Configs of a search', 'No image of S_val has an object')
def _(world):
    s_val_file(world, lambda train, val: val | dict(annotations=[]))


@mistake('Configs of a search', 'S_train and S_val share images')
def _(world):
    def mixed(train, val):
        images = train['images'][:2] + [image | dict(id=100 + image['id']) for image in val['images'][:3]]
        notes = [note for note in train['annotations'] if note['image_id'] in (images[0]['id'], images[1]['id'])]
        return train | dict(images=images, annotations=notes)

    return s_val_file(world, mixed)


@mistake('Configs of a search', 'S_train and S_val have copies of an image under other names')
def _(world):
    shutil.copytree(world.shapes, 'copies')
    files = dict(ann_file='annotations/train.json', data_prefix=dict(img='train/'), indices=8)
    return world.search(s_val_of(data_root=f'{world.folder}/copies/', **files))


@mistake('Configs of a search', 'A class is missing in one of the two')
def _(world):
    def without(train, val):
        (label,) = (category['id'] for category in val['categories'] if category['name'] == 'triangle')
        return val | dict(annotations=[note for note in val['annotations'] if note['category_id'] != label])

    return s_val_file(world, without)


@mistake('Configs of a search', 'The search is too short')
def _(world):
    return world.search()


def derivation_mistake(text, options=None, **settings):
    @mistake('Searches derived from a training', text)
    def _(world):
        return '\n'.join(
            derive_search(world.plain_training(**settings), 'my.py', SearchOptions(**options or {})).warnings
        )


derivation_mistake('The config does not train', train_dataloader=None)


@mistake('Searches derived from a training', 'It trains with images that have no labels, too')
def _(world):
    training = world.plain_training()
    training.model = dict(type='SoftTeacher', detector=training.model, semi_train_cfg=dict(freeze_teacher=True))
    derive_search(training, 'my.py')


derivation_mistake('It trains for another task', default_scope='mmseg')
derivation_mistake('More images are asked for than there are', dict(num_train=10, num_val=5))
derivation_mistake('`--val-share 2`', dict(val_share=2))
derivation_mistake('`--split-seed -1`', dict(split_seed=-1))
derivation_mistake('`--val-ann` is not there', dict(val_ann='nowhere.json'))
derivation_mistake('`--val-ann` is a folder', dict(val_ann='train'))


def shared_names(world) -> dict:
    """An annotation file whose images lie in a folder of their own, and have names of the training's."""
    shutil.copytree(world.shapes / 'train', 'webcam')
    return dict(val_ann=str(world.shapes / 'annotations' / 'train.json'))


@mistake('Searches derived from a training', "S_val is the config's own validation or test set")
def _(world):
    training = world.plain_training()
    training.val_dataloader.dataset.ann_file = 'annotations/train.json'
    options = SearchOptions(**shared_names(world), val_images='webcam')
    return '\n'.join(derive_search(training, 'my.py', options).warnings)


@mistake('Searches derived from a training', 'Images of `--val-ann` have the same names as images of the training')
def _(world):
    derive_search(world.plain_training(), 'my.py', SearchOptions(**shared_names(world)))


@mistake('Searches derived from a training', "The images of `--val-ann` are not where the training's are")
def _(world):
    file = world.folder / 'webcam.json'
    file.write_text((world.shapes / 'annotations' / 'train.json').read_text().replace('.png', '_w.png'))
    derive_search(world.plain_training(), 'my.py', SearchOptions(val_ann=str(file)))


derivation_mistake('The search space does not exist', dict(space='detecton'))


@mistake('Searches derived from a training', 'The length is among `--cfg-options`')
def _(world):
    derive_search(world.plain_training(), 'my.py', changes={'train_cfg.max_epochs': 5})


@mistake('Searches derived from a training', 'A classifier has one class')
def _(world):
    shutil.copytree(Path(world.shapes, 'train'), 'pets/cat')
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    images = dict(type='CustomDataset', data_prefix='pets', pipeline=pipeline)
    loop = dict(type='EpochBasedTrainLoop', max_epochs=9)
    training = dict(default_scope='mmpretrain', model=dict(type='ImageClassifier'), train_cfg=loop)
    derive_search(Config(training | dict(train_dataloader=dict(batch_size=2, dataset=images))), 'my.py')


@mistake('Searches derived from a training', 'The image is grey')
def _(world):
    training = world.plain_training()
    training.train_dataloader.dataset.pipeline[0].color_type = 'grayscale'
    derive_search(training, 'my.py')


@mistake('Searches derived from a training', 'A search gets options of the derivation')
def _(world):
    world.command('search', str(ROOT / 'configs/ddas/retinanet_thin_shapes.py'), '--budget', '0.5')


search_mistake(
    'A transform keeps images of earlier samples',
    lambda config: config.train_dataloader.dataset.pipeline.insert(-1, dict(type='CachedMixUp')),
)
search_mistake(
    'A transform mixes images after DDASAugment',
    lambda config: config.train_dataloader.dataset.pipeline.insert(-1, dict(type='MixUp')),
)
search_mistake(
    'A hook switches the pipeline',
    lambda config: config.update(custom_hooks=[dict(type='PipelineSwitchHook', switch_epoch=1, switch_pipeline=[])]),
)


@mistake('Configs of a search', 'The network has several optimizers')
def _(world):
    check_optimizer(OptimWrapperDict())


search_mistake('Gradients are accumulated', lambda config: config.optim_wrapper.update(accumulative_counts=2))


@mistake('Configs of a search', "The network's optimizer is adaptive")
def _(world):
    def adaptive(config):
        config.optim_wrapper.optimizer = dict(type='Adam', lr=1e-4)

    return world.search(adaptive)


@mistake('Configs of a search', 'The network moves a teacher on in its loss, as MoCo and BYOL do')
def _(world):
    student = torch.nn.Linear(2, 2)
    teacher = ExponentialMovingAverage(student)
    check_network(torch.nn.ModuleDict(dict(student=student, encoder_k=teacher)), sub_policies_per_rank=False)


@mistake('Configs of a search', 'The parameters are spread over processes')
def _(world):
    check_wrapper(MMFullyShardedDataParallel.__new__(MMFullyShardedDataParallel))


@mistake('Configs of a search', 'The sampler draws on, whatever the epoch')
def _(world):
    def drawn_on(config):
        loader = config.train_dataloader.to_dict()
        loader.update(sampler=dict(type='CustomSampleSizeSampler', dataset_size=[4]))
        loader['dataset'] = dict(type='ConcatDataset', datasets=[loader['dataset']])
        config.train_dataloader = loader

    world.search(drawn_on)


@mistake('Configs of a search', 'An option of DDASAugment has a value that does not exist')
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


def split_mistake(text):
    return mistake('Splitting a data set', text)


@split_mistake('A folder of class folders is split already')
def _(world):
    for part in ('train', 'val'):
        Path('pets', part, 'cat').mkdir(parents=True)
    split('pets')


@split_mistake('The folder of a COCO file is given')
def _(world):
    Path('coco').mkdir()
    Path('coco/all.json').write_text('{}')
    split('coco')


@split_mistake('A folder of images alone is given')
def _(world):
    (photos(world) / '1.xml').unlink()
    split('photos')


@split_mistake('The folder is empty')
def _(world):
    Path('photos').mkdir()
    split('photos')


@split_mistake('There is one class')
def _(world):
    shutil.copytree(photos(world), 'pets/cat', ignore=shutil.ignore_patterns('*.xml'))
    split('pets')


split_mistake('An image is given')(lambda world: split(photos(world) / '1.png'))
split_mistake('It is not there')(lambda world: split('photos'))
split_mistake('One XML file is given')(lambda world: split(photos(world) / '1.xml'))
split_mistake('An XML file has no image')(lambda world: split(photos(world, image=False)))
split_mistake('A box is not four numbers')(lambda world: split(photos(world, box='<xmin>left</xmin>')))
split_mistake('No image is left to train')(lambda world: part_sizes(10, 5, 5))
split_mistake('A folder where a COCO file is wanted')(lambda world: write_search_split(photos(world)))
split_mistake('XML where a COCO file is wanted')(lambda world: write_search_split(photos(world) / '1.xml'))


@split_mistake('Another split is there')
def _(world):
    for seed in (0, 1):
        write_split(split(Path(world.shapes, 'annotations', 'train.json'), seed=seed), 'out')


def of_config(base: str, kind: str) -> None:
    files = dict(train='train.json', val='val.json', test='test.json')
    set_data(read_config(base), OwnData(kind, ('cat', 'dog'), 'photos', files))


split_mistake('The config trains masks, and the data have none')(
    lambda world: of_config('mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py', 'detection')
)
split_mistake('The config trains masks that its pipeline loads, and the data have none')(
    lambda world: of_config('mmdet::rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py', 'detection')
)
split_mistake('The config trains panoptic segmentation')(
    lambda world: of_config('mmdet::mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py', 'detection')
)
split_mistake('The config wants segmentation maps')(
    lambda world: of_config('mmdet::htc/htc_r50_fpn_1x_coco.py', 'detection')
)


def with_box(box: dict) -> None:
    content = dict(
        images=[dict(id=1, file_name='1.png', width=8, height=8)],
        annotations=[dict(id=1, image_id=1, category_id=1, **box)],
        categories=[dict(id=1, name='cat')],
    )
    Path('all.json').write_text(json.dumps(content))
    split('all.json')


split_mistake('A COCO annotation has no box')(lambda world: with_box({}))
split_mistake("A COCO annotation's box is none")(lambda world: with_box(dict(bbox=[])))
split_mistake("The config is CIFAR's, and the data are files")(
    lambda world: of_config('mmpretrain::resnet/resnet18_8xb16_cifar10.py', 'classification')
)


@mistake('Commands', 'A CocoDataset gets a folder of XML files')
def _(world):
    world.search_config().dump('search.py')
    world.command('search', 'search.py', '--cfg-options', 'train_dataloader.dataset.ann_file=train')


@mistake('Commands', 'The config file is not there')
def _(world):
    world.command('search', 'nowhere.py')


@mistake('Commands', 'There is no such packaged config')
def _(world):
    world.command('search', 'mmdet::retinanet/retinanet_r50_fpn_1x_cocoo.py')


@mistake('Commands', 'The config is no Python')
def _(world):
    Path('search.py').write_text('model = dict(')
    world.command('search', 'search.py')


@mistake('Commands', 'The config is none of a training')
def _(world):
    Path('search.py').write_text("default_scope = 'mmdet'")
    world.command('train', 'search.py')


@mistake('Commands', 'The checkpoint is not there')
def _(world):
    world.search_config().dump('search.py')
    world.command('test', 'search.py', 'epoch_1.pth')


@mistake('Commands', 'The checkpoint is another file')
def _(world):
    world.search_config().dump('search.py')
    world.command('test', 'search.py', 'search.py')


@mistake('Commands', 'The checkpoint is another zip file')
def _(world):
    world.search_config().dump('search.py')
    with zipfile.ZipFile('photos.zip', 'w') as archive:
        archive.writestr('photos/1.jpg', b'')
    world.command('test', 'search.py', 'photos.zip')


@mistake('Commands', 'The download of the checkpoint broke off')
def _(world):
    world.search_config().dump('search.py')
    torch.save(dict(weights=torch.zeros(1000)), 'epoch_1.pth')
    whole = Path('epoch_1.pth').read_bytes()
    Path('epoch_1.pth').write_bytes(whole[: len(whole) // 2])
    world.command('test', 'search.py', 'epoch_1.pth')


@mistake('Commands', 'The work dir is of an earlier run')
def _(world):
    world.search()
    world.search_config().dump('search.py')
    world.command('search', 'search.py', '--work-dir', world.search_config().work_dir)


@mistake('Commands', 'A training gets a policy for another task')
def _(world):
    world.plain_training().dump('train.py')
    world.command('train', 'train.py', '--policy', 'pba_svhn')


@mistake('Commands', 'A training gets a policy that there is not')
def _(world):
    world.plain_training().dump('train.py')
    world.command('train', 'train.py', '--policy', 'zoph_v9')


@mistake('Commands', 'The data are not there')
def _(world):
    world.search_config().dump('search.py')
    world.command('search', 'search.py', '--cfg-options', 'train_dataloader.dataset.data_root=data/nowhere/')


@mistake('Commands', 'The work dir cannot be written to')
def _(world):
    world.search_config().dump('search.py')
    Path('file').write_text('')
    world.command('search', 'search.py', '--work-dir', 'file/folder')


@mistake('Commands', 'The disk is full')
def _(world):
    check_folder('.', 'The work dir', free_bytes=1 << 60)


@mistake('Commands', '`--resume` with another L^')
def _(world):
    world.search()
    world.search(lambda config: config.update(resume=True), num_sub_policies=2)


@mistake('Commands', '`--resume` with fewer epochs than have been searched')
def _(world):
    world.search(max_epochs=2)
    world.search(lambda config: config.update(resume=True), max_epochs=1)


@mistake('Commands', '`--resume` from the checkpoint of a training')
def _(world):
    Path('policy.json').write_text(json.dumps(POLICY))
    world.training(policy_file='policy.json')
    world.search(lambda config: config.update(resume=True, load_from='train/epoch_1.pth'))


@mistake('Commands', 'Two machines have different configs')
def _(world):
    identities = [agreement.flattened(dict(optim_wrapper=dict(optimizer=dict(lr=rate)))) for rate in (0.01, 0.02)]
    world.monkeypatch.setattr(agreement, 'get_world_size', lambda: 2)
    world.monkeypatch.setattr(agreement, 'all_gather_object', lambda identity: identities)
    agreement.check_processes_agree(identities[0])


def spoilt(world, images: int, spoil) -> Path:
    """A copy of the data set with some training images spoilt."""
    shutil.copytree(world.shapes, 'data')
    for path in sorted(Path('data/train').glob('*.png'))[:images]:
        spoil(path)
    return Path('data')


def searching(folder: Path):
    return lambda config: config.train_dataloader.dataset.update(data_root=f'{folder}/')


@mistake('While it runs', 'An image cannot be read')
def _(world):
    return world.search(searching(spoilt(world, 1, Path.unlink)))


@mistake('While it runs', 'Too many images cannot be read')
def _(world):
    return world.search(searching(spoilt(world, 6, Path.unlink)))


@mistake('While it runs', 'The learning rate is too high')
def _(world):
    import torch

    from mmddas.core import ViewGradients

    world.monkeypatch.setattr(ViewGradients, 'grad_cosine', lambda self: torch.tensor(-0.3))
    return world.search()


@mistake('While it runs', 'The losses are not finite')
def _(world):
    return world.search(lambda config: config.optim_wrapper.optimizer.update(lr=1e30), max_skipped_in_a_row=2)


@mistake('While it runs', 'The labels of an image are no finite numbers')
def _(world):
    folder = spoilt(world, 0, None)
    path = folder / 'annotations' / 'train.json'
    content = json.loads(path.read_text())
    content['annotations'][0]['bbox'][2] = float('inf')
    path.write_text(json.dumps(content))
    return world.search(searching(folder))


@mistake('While it runs', 'Images are not three channels of 8 bits')
def _(world):
    folder = spoilt(world, 1, lambda path: cv2.imwrite(str(path), np.zeros((64, 64, 3), np.uint16)))

    def unchanged(config):
        searching(folder)(config)
        config.train_dataloader.dataset.pipeline[0].update(color_type='unchanged')

    return world.search(unchanged)


def rows() -> dict[tuple[str, str], str]:
    """Section and mistake -> message, from the page."""
    found, section = {}, ''
    for line in PAGE.read_text(encoding='utf-8').splitlines():
        if line.startswith('## '):
            section = line[3:]
        cells = [cell.strip() for cell in line.strip('|').split(' | ')]
        if len(cells) == 2 and cells[1].startswith('`'):
            found[section, cells[0]] = cells[1]
    return found


def test_the_page_has_every_mistake_that_is_tried_and_no_other():
    assert set(rows()) == set(MISTAKES)


@pytest.mark.parametrize(('section', 'text'), MISTAKES)
def test_message_is_the_one_on_the_page(section, text, tmp_path, shapes, search_config, monkeypatch):
    cell = rows()[section, text]
    message, warning = re.fullmatch(r'`(.*?)`(?: \((a warning)\))?', cell).groups()
    pattern = re.escape(message).replace(r'\.\.\.', '.*')
    world = World(tmp_path, shapes, search_config, monkeypatch)
    if warning:
        assert re.search(pattern, MISTAKES[section, text](world), re.DOTALL)
        return
    with pytest.raises((ValueError, LookupError, OSError, RuntimeError, ArithmeticError, SystemExit)) as error:
        MISTAKES[section, text](world)
    said = str(error.value).removesuffix(f': {error.value.filename!r}' if hasattr(error.value, 'filename') else '')
    assert re.search(f'{pattern}$', said, re.DOTALL), said
