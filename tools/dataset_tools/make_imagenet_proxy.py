"""Draw the search's S_train and S_val from ImageNet's training images, or another tree of class folders, as lists.

python tools/dataset_tools/make_imagenet_proxy.py data/imagenet/train
python tools/dataset_tools/make_imagenet_proxy.py data/imagenet/train --ann-file data/imagenet/meta/train.txt
"""

import argparse
import sys

from mmddas.commands import wrong_input_ends
from mmddas.datasets.proxies.classes import CLASSES_FILE, TRAIN_FILE, VAL_FILE, write_class_split
from mmddas.datasets.proxies.coco import name_some


def parse_args() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(
        description='Draw random classes, and of each disjoint images for S_train and S_val, for a policy search on '
        f'classified images. Writes {TRAIN_FILE} and {VAL_FILE} (path and new label) and {CLASSES_FILE} (the '
        "classes' names in the order of the labels); images are not copied.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('root', help='folder of the training images, <root>/<class>/<image>')
    parser.add_argument(
        '--ann-file',
        help="draw from the images of this list, lines '<class>/<image> <label>' with paths from root; without it, "
        'from all images in the class folders',
    )
    parser.add_argument('--out-dir', help="folder of the new files; without it, 'meta' beside root")
    parser.add_argument('--num-classes', type=int, default=120, help='classes to draw')
    parser.add_argument('--train-per-class', type=int, default=50, help='images of each class in S_train')
    parser.add_argument('--val-per-class', type=int, default=20, help='images of each class in S_val')
    parser.add_argument('--seed', type=int, default=0, help='same seed, same images')
    return parser, parser.parse_args()


def main() -> None:
    parser, args = parse_args()
    with wrong_input_ends(parser):
        out_dir, split = write_class_split(**vars(args))
    print(f'S_train: {len(split.train)} images of {len(split.classes)} classes -> {out_dir / TRAIN_FILE}')
    print(f'S_val: {len(split.val)} images of {len(split.classes)} classes -> {out_dir / VAL_FILE}')
    print(f'Classes: {name_some(split.classes)} -> {out_dir / CLASSES_FILE}')
    if split.too_small:
        print(
            f'Note: {len(split.too_small)} class(es) have fewer than {args.train_per_class + args.val_per_class} '
            f'images and could not be drawn: {name_some(split.too_small)}.',
            file=sys.stderr,
        )


if __name__ == '__main__':
    main()
