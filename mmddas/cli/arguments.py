"""The arguments of each command, in a function of its name; its docstring begins the command's ``--help``.

This module imports nothing that takes time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

# In place of a policy's name: train without a policy.
NONE = 'none'
# Options of a search that is derived from a training: option, type, help.
DERIVED = (
    ('--val-share', float, "S_val's share of the training images (default: 1/3)"),
    ('--num-train', int, 'images of S_train'),
    ('--num-val', int, 'images of S_val'),
    ('--split-seed', int, 'seed of S_train and S_val (default: 0); another one shows what depends on the draw'),
    (
        '--val-ann',
        str,
        'S_val from this annotation file, of images like those that the model will meet; not the test data',
    ),
    ('--val-images', str, "the folder of its images (default: the training's)"),
    ('--val-data-root', str, 'S_val from this folder, with the same paths below it as the training images have'),
    ('--budget', float, "cost of the search, as a share of the training's (default: 0.25)"),
    ('--epochs', int, 'passes over S_train, in place of the budget'),
    ('--space', str, 'detection, detection_wide, cifar, cifar_release or imagenet (default: by task and images)'),
)
_POLICIES = 'docs/policies.md lists the names'
_EPOCHS = "number of epochs, in place of the config's; the learning-rate schedule follows"


def search(parser: argparse.ArgumentParser) -> None:
    """Search a data-augmentation policy: policy.json and policy.png appear in the work dir after every epoch.

    CONFIG trains a detector or classifier: any config of yours, or a packaged one, mmdet::retinanet/.... The search is
    derived from it and its data, printed, and written into the work dir as a config that you can change. A config of a
    search is run as it is.

        mmddas search my_retinanet.py                       # S_val: a third of the training images
        mmddas search my_retinanet.py --dry-run             # prints and writes the config, and stops
        mmddas search my_retinanet.py --val-ann webcam.json --val-images webcam # S_val: what the model will meet
    """
    add_arguments(parser)
    group = parser.add_argument_group('a search that is derived from a training')
    for option, kind, words in DERIVED:
        group.add_argument(option, type=kind, help=words)
    group.add_argument('--dry-run', action='store_true', help='stop before the search')


def train(parser: argparse.ArgumentParser) -> None:
    """Train a detector or classifier, with or without a policy.

        mmddas train CONFIG                            # as the config says
        mmddas train CONFIG --policy policy.json       # with a searched policy, or a packaged one: zoph_v1
        mmddas train CONFIG --policy none              # without the policy that the config has

    CONFIG is any config of yours, or a packaged one, mmdet::retinanet/...; --policy adds the transform and the hook
    that follow the policy, where the config lacks them.
    """
    add_arguments(parser)
    parser.add_argument('--policy', help=f'policy file, name of a policy, or none; {_POLICIES}')
    parser.add_argument('--epochs', type=int, help=_EPOCHS)


def test(parser: argparse.ArgumentParser) -> None:
    """Evaluate a trained detector or classifier on the config's test set.

    mmddas test CONFIG work_dirs/my_retinanet/epoch_12.pth
    mmddas test CONFIG work_dirs/my_retinanet/epoch_12.pth --show-dir predictions
    """
    add_arguments(parser, training=False)
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', help='file (.pkl) for the predictions')
    parser.add_argument('--out-dir', dest='work_dir', help='the same as --work-dir')
    parser.add_argument('--show-dir', help='folder for the images with their predictions drawn')


def compare(parser: argparse.ArgumentParser) -> None:
    """Compare policies: train with each over several seeds, and test which ones differ from the first.

        mmddas compare CONFIG --policies none uniform trivialaugment zoph_v1 work_dirs/search/policy.json \\
            --seeds 5 --jobs 2

    ``none`` trains without a policy; {seed} in a name is replaced by the training's seed, so that searches of several
    seeds can be compared. Results are kept in the work dir as they come: the same command resumes, and more policies
    or seeds add to the results. comparison.md, .csv and .png appear in the work dir at the end. Several machines can
    share a work dir: ``--shard 1/4`` on the first of four, and so on.
    """
    parser.add_argument('config', help='config of a training, or a packaged one: mmdet::..., mmpretrain::...')
    policies = f'none, files or names; the first is the reference; {_POLICIES}'
    parser.add_argument('--policies', nargs='+', required=True, metavar='POLICY', help=policies)
    parser.add_argument('--seeds', type=int, default=3, help='number of seeds: 0, 1, 2, ... (default: 3)')
    parser.add_argument('--jobs', type=int, default=1, help='trainings at a time, of one CPU thread each (default: 1)')
    parser.add_argument('--metric', help='metric of the evaluator, higher is better (default: mAP, or accuracy/top1)')
    parser.add_argument('--epochs', type=int, help=_EPOCHS)
    parser.add_argument('--shard', default='1/1', metavar='I/N', help='run only the I-th of N parts of the trainings')
    parser.add_argument('--work-dir', type=Path, help="default: work_dirs/compare/ and the config's name")
    parser.add_argument('--results', type=Path, help='file of the results (default: results.jsonl in the work dir)')
    _add_cfg_options(parser)


def split(parser: argparse.ArgumentParser) -> None:
    """Split a data set into train, val and test, and write the config of a training on it.

        mmddas split photos                       # Pascal VOC: XML files and images, anywhere below
        mmddas split photos/annotations.json      # COCO
        mmddas split flowers                      # class folders: flowers/<class>/<image>
        mmddas split photos --config mmdet::retinanet/retinanet_r50_fpn_1x_coco.py

    Every part gets its share of each class, drawn by a seed; images are not copied. Detection gets train.json, val.json
    and test.json in COCO's format, classification train.txt, val.txt, test.txt and classes.txt. --config also writes
    the config of a training on them, for search and train.
    """
    parser.add_argument('source', type=Path, help='a COCO file, a folder with XML files and images, or class folders')
    for part in ('val', 'test'):
        parser.add_argument(
            f'--{part}', type=float, default=0.2, help='share below 1, or number of images; 0: none (default: 0.2)'
        )
    parser.add_argument('--seed', type=int, default=0, help='same seed, same images (default: 0)')
    parser.add_argument('--images', type=Path, help="folder in which COCO's file_name starts (default: looked for)")
    parser.add_argument('--out-dir', type=Path, help="default: next to the source, its name and '_split'")
    parser.add_argument('--overwrite', action='store_true', help='replace another split in the folder')
    parser.add_argument('--config', help='config to train like, yours or packaged (mmdet::..., mmpretrain::...)')


def show(parser: argparse.ArgumentParser) -> None:
    """Print a policy as a table, or several side by side, with the evidence that a search has found.

    mmddas show work_dirs/retinanet_r50_coco/policy.json --top 20
    mmddas show zoph_v1
    """
    parser.add_argument('policies', nargs='+', metavar='POLICY', help=f'policy files or names; {_POLICIES}')
    parser.add_argument('--top', type=int, help='number of candidates (default: all)')
    parser.add_argument('--epoch', type=int, help='epoch of the search, from 1 (default: the last)')
    parser.add_argument('--smoothing', type=int, default=1, help='number of epochs to average p_tp over, odd')


def export(parser: argparse.ArgumentParser) -> None:
    """Write a policy in MMDetection's own transforms, or for Albumentations, to train without mmddas.

    mmddas export work_dirs/search/policy.json --to mmdet --out policy_transforms.py
    mmddas export zoph_v1 --to albumentations --out zoph_v1_albumentations.json
    """
    parser.add_argument('policy', metavar='POLICY', help=f'policy file or name; {_POLICIES}')
    parser.add_argument('--to', choices=['mmdet', 'albumentations'], required=True, help='the library')
    parser.add_argument(
        '--snapshot', choices=['final', 'mean'], default='final', help='which part of a schedule (default: final)'
    )
    parser.add_argument(
        '--image-size',
        nargs=2,
        type=int,
        default=(640, 480),
        metavar=('WIDTH', 'HEIGHT'),
        help="size of the images, of which MMDetection's shifts are shares (mmdet; default: 640 480)",
    )
    parser.add_argument('--out', type=Path, required=True, help='.py for mmdet, .json for albumentations')


def report(parser: argparse.ArgumentParser) -> None:
    """Write report.html, one page on a search, again from the files of its work dir.

        mmddas report work_dirs/my_retinanet_search
        mmddas report work_dirs/my_retinanet_search --compare work_dirs/compare/my_retinanet

    A search writes it after every epoch. The page opens in any browser, without a network.
    """
    parser.add_argument('work_dir', help='work dir of a search')
    parser.add_argument('--compare', metavar='DIR', help="add the table and the figure of a comparison's work dir")


def browse(parser: argparse.ArgumentParser) -> None:
    """Draw augmented images: one image under every operation, or a config's training data under its policy.

    mmddas browse --image IMAGE --ann ANNOTATIONS.json --out operations.png
    mmddas browse CONFIG --policy policy.json --out samples.png
    """
    parser.add_argument('config', nargs='?', help='config whose train_dataloader has the data')
    parser.add_argument('--out', required=True, help='the sheet, .png or .jpg')
    parser.add_argument('--seed', type=int, default=0, help='same seed, same sheet (default: 0)')
    _add_cfg_options(parser)
    image = parser.add_argument_group('an image under every operation')
    image.add_argument('--image', help="image file; its boxes come from --ann, else from the config's data")
    image.add_argument('--ann', help='COCO annotation file that lists the image')
    tasks = dict(choices=['detection', 'classification'], default='detection')
    image.add_argument('--task', **tasks, help='task of the operations (default: %(default)s)')
    image.add_argument('--levels', nargs='+', type=float, default=[2, 6, 10], help='default: 2 6 10')
    data = parser.add_argument_group('training data under a policy')
    data.add_argument('--policy', help=f"policy file or name (default: the config's); {_POLICIES}")
    data.add_argument('--epoch', type=int, help='epoch of the training, from 1 (default: the last)')
    data.add_argument('--max-epochs', type=int, help="epochs of the training (default: the config's)")
    data.add_argument('--num', type=int, default=8, help='images (default: 8)')
    data.add_argument('--draws', type=int, default=4, help='augmented versions of each (default: 4)')


def add_arguments(parser: argparse.ArgumentParser, training: bool = True) -> argparse.ArgumentParser:
    """Add OpenMMLab's arguments; ``training`` adds those of a run that trains."""
    parser.add_argument('config', help='config file, or a packaged one: mmdet::..., mmpretrain::...')
    parser.add_argument('--work-dir', help="folder for logs and results (default: work_dirs/ and the config's name)")
    if training:
        parser.add_argument('--amp', action='store_true', help='train in mixed precision')
        rate = 'scale the learning rate with the total batch size'
        parser.add_argument('--auto-scale-lr', action='store_true', help=rate)
        resume = 'resume from this checkpoint; without one, from the latest in the work dir'
        parser.add_argument('--resume', nargs='?', const='auto', metavar='CHECKPOINT', help=resume)
    _add_cfg_options(parser)
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    return parser


def _add_cfg_options(parser: argparse.ArgumentParser) -> None:
    words = 'settings that replace those of the config, as key=value; nested keys as a.b.c, lists as "[1,2]"'
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help=words)
