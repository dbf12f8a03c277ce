"""The README's ways for a data set of one's own, followed block by block, with classes that are not COCO's."""

import json
import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

import mmddas_cli
from mmddas.core import PolicySchedule

ROOT = Path(__file__).parents[2]
# What a user has before: a config of a training on data of their own.
TRAINING = """
_base_ = ['{configs}/_base_/retinanet_thinner.py', 'mmdet::_base_/default_runtime.py']
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CocoDataset',
        metainfo=dict(classes=('disc', 'rectangle', 'triangle')),
        data_root='data/mine/',
        ann_file='annotations/train.json',
        data_prefix=dict(img='images/'),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='Resize', scale=(64, 64), keep_ratio=True),
            dict(type='PackDetInputs'),
        ],
    ),
)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2)
val_cfg = val_dataloader = val_evaluator = test_cfg = test_dataloader = test_evaluator = None
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
"""


def block(language: str, page: str, *words: str) -> str:
    """Return the one code block of a page that has all these words, without the indentation of a list around it."""
    text = (ROOT / page).read_text(encoding='utf-8')
    found = re.findall(rf'^( *)```{language}\n(.*?)^ *```', text, re.DOTALL | re.MULTILINE)
    (code,) = (
        re.sub(f'^{indent}', '', code, flags=re.MULTILINE)
        for indent, code in found
        if all(word in code for word in words)
    )
    return code


@pytest.fixture
def shell(monkeypatch):
    """Runs the lines of a block, all of which are tools, in this process, which spares them the imports."""
    monkeypatch.setenv('LOCAL_RANK', '0')

    def run(code: str) -> None:
        for line in code.replace('\\\n', ' ').splitlines():
            program, *arguments = shlex.split(line, comments=True)
            if program == 'mmddas':
                monkeypatch.setattr(sys, 'argv', ['mmddas', *arguments])
                mmddas_cli.main()
                continue
            assert program == 'python'
            monkeypatch.setattr(sys, 'argv', arguments)
            runpy.run_path(str(ROOT / arguments[0]), run_name='__main__')

    return run


@pytest.fixture
def mine(shapes, tmp_path, monkeypatch) -> Path:
    """``data/mine`` with its images and annotations, and the user's training config."""
    shutil.copytree(shapes / 'train', tmp_path / 'data' / 'mine' / 'images')
    (tmp_path / 'data' / 'mine' / 'annotations').mkdir()
    shutil.copy(shapes / 'annotations' / 'train.json', tmp_path / 'data' / 'mine' / 'annotations')
    (tmp_path / 'my_retinanet.py').write_text(TRAINING.format(configs=ROOT / 'configs'))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_search_for_the_training_that_one_has(mine, shell):
    shell(block('bash', 'README.md', 'mmddas search my_retinanet.py', 'mmddas train my_retinanet.py'))
    work_dir = Path('work_dirs/my_retinanet_search')
    assert (work_dir / 'my_retinanet_search.py').exists()
    assert len(PolicySchedule.load(work_dir / 'policy.json').space) == 113
    assert Path('work_dirs/my_retinanet/epoch_2.pth').exists()


DETECTOR, CLASSIFIER = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', 'mmpretrain::resnet/resnet50_8xb32_in1k.py'
SMALL_CLASSIFIER = """
default_scope = 'mmpretrain'
load = dict(type='LoadImageFromFile')
steps = [load, dict(type='Resize', scale=64), dict(type='PackInputs')]
loader = dict(batch_size=4, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True))
train_dataloader = dict(loader, dataset=dict(type='ImageNet', data_root='nowhere', split='train', pipeline=steps))
val_dataloader = dict(loader, dataset=dict(type='ImageNet', data_root='nowhere', split='val', pipeline=steps))
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(type='Accuracy', topk=(1, 5))
train_cfg, val_cfg, test_cfg = dict(by_epoch=True, max_epochs=2), dict(), dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=18, base_channels=8, stem_channels=8, out_indices=(3,)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=1000, in_channels=64, loss=dict(type='CrossEntropyLoss')),
)
data_preprocessor = dict(num_classes=1000, mean=[120.0] * 3, std=[60.0] * 3, to_rgb=True)
"""


def small(commands: str, base: str, name: str, epochs: int) -> str:
    """The commands with a config of this test in the place of the packaged one, as long as its own training."""
    assert f'epoch_{epochs}.pth' in commands
    return commands.replace(base, f'{name}.py').replace(Path(base).stem, name).replace(f'epoch_{epochs}', 'epoch_2')


def test_four_commands_from_photos_to_a_tested_detector(mine, shell, shapes):
    photos = Path('photos')
    photos.mkdir()
    content = json.loads(Path(shapes, 'annotations', 'train.json').read_text())
    names = {category['id']: category['name'] for category in content['categories']}
    for image in content['images']:
        shutil.copy(shapes / 'train' / image['file_name'], photos)
        objects = ''
        for item in content['annotations']:
            left, top, width, height = item['bbox']
            corners = dict(xmin=left + 1, ymin=top + 1, xmax=left + width + 1, ymax=top + height + 1)
            box = ''.join(f'<{corner}>{value}</{corner}>' for corner, value in corners.items())
            if item['image_id'] == image['id']:
                objects += f'<object><name>{names[item["category_id"]]}</name><bndbox>{box}</bndbox></object>'
        text = f'<annotation><filename>{image["file_name"]}</filename>{objects}</annotation>'
        (photos / image['file_name']).with_suffix('.xml').write_text(text)
    evaluated = TRAINING[: TRAINING.index('val_cfg = ')] + TRAINING[TRAINING.index('optim_wrapper') :]
    evaluated += """
val_dataloader = test_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(train_dataloader['dataset'], test_mode=True),
)
val_cfg, test_cfg = dict(), dict()
val_evaluator = test_evaluator = dict(type='CocoMetric', ann_file='nowhere.json', metric='bbox')
"""
    Path('my_retinanet.py').write_text(evaluated.format(configs=ROOT / 'configs'))
    commands = block('bash', 'README.md', 'mmddas split photos')
    shell(small(commands, DETECTOR, 'my_retinanet', epochs=12))
    assert len(PolicySchedule.load('work_dirs/my_retinanet_search/policy.json').space) == 113
    assert 'mmddas train photos_split/my_retinanet.py' in Path('work_dirs/my_retinanet_search/report.html').read_text()
    # A second split keeps what has been changed, and does not take its own config for the training.
    written = Path('photos_split/my_retinanet.py')
    text = written.read_text()
    written.write_text(f'{text}\ntrain_cfg = dict(max_epochs=50)\n')
    shell('mmddas split photos --config my_retinanet.py')
    assert written.read_text() == text and 'max_epochs=50' in Path('photos_split/my_retinanet_1.py').read_text()
    with pytest.raises(SystemExit):
        shell('mmddas split photos --config photos_split/my_retinanet.py')
    assert written.read_text() == text
    assert any('Epoch(test) [' in log.read_text() for log in Path('work_dirs/my_retinanet').glob('*/*.log'))


def test_four_commands_from_class_folders_to_a_tested_classifier(mine, shell, shapes):
    for number, image in enumerate(sorted((shapes / 'train').glob('*.png'))):
        folder = Path('flowers', ('daisy', 'rose')[number % 2])
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, folder)
    Path('small.py').write_text(SMALL_CLASSIFIER)
    commands = block('bash', 'README.md', 'mmddas split flowers')
    shell(small(commands, CLASSIFIER, 'small', epochs=100))
    assert PolicySchedule.load('work_dirs/small_search/policy.json').meta['task'] == 'classification'
    (tested,) = Path('work_dirs/small').glob('*/*[0-9].json')
    assert 'accuracy/top1' in tested.read_text()


def test_a_search_config_by_hand(mine, shell):
    page = 'docs/search_config.md'
    shell(block('bash', page, 'make_coco_proxy.py').replace('3000', '8').replace('1500', '4'))
    config = block('python', page, "type='DDASSearchLoop'")
    Path('my_search.py').write_text(config.replace('(1333, 800)', '(64, 64)').replace('max_epochs=15', 'max_epochs=1'))
    shell(block('bash', page, 'search.py my_search.py'))
    schedule = PolicySchedule.load('work_dirs/my_search/policy.json')
    assert len(schedule) == 1 and len(schedule.space) == 113
    subsets = [
        json.loads(Path(f'data/mine/annotations/train_search_{part}.json').read_text()) for part in ('train', 'val')
    ]
    assert [len(subset['images']) for subset in subsets] == [8, 4]


def test_the_lines_for_a_training_with_a_policy(mine, shapes):
    code = block('python', 'README.md', 'train_pipeline = ', 'PolicyScheduleHook')
    schedule = PolicySchedule.from_dict(
        dict(num_ops=1, candidates=[dict(op='Invert')], epochs=[dict(total_prob=0.5, op_probs=[1.0])])
    )
    schedule.save('policy.json')
    steps = "dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)"
    code = code.replace('[...,', f'[{steps},').replace(
        ', ...]', ", dict(type='Resize', scale=(64, 64)), dict(type='PackDetInputs')]"
    )
    Path('my_train.py').write_text(f"_base_ = ['./my_retinanet.py']\n{code}\n")
    config = Config.fromfile('my_train.py')
    config.update(work_dir='work', log_level='ERROR', experiment_name=mine.name)
    config.visualizer.name = mine.name
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.iter == 6
