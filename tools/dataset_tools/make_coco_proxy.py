"""Draw the search's S_train and S_val from a COCO annotation file, as two new annotation files.

python tools/dataset_tools/make_coco_proxy.py data/coco/annotations/instances_train2017.json
"""

import argparse
import sys

from mmddas.commands import wrong_input_ends
from mmddas.datasets.proxies.coco import absent_classes, describe, name_some, write_search_split


def parse_args() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(
        description='Draw disjoint S_train and S_val for a policy search from a COCO annotation file. Writes '
        '<stem>_search_train.json and <stem>_search_val.json; images are not copied.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('ann_file', help='COCO annotation file of the training images')
    parser.add_argument('--out-dir', help='folder of the new files; without it, that of the annotation file')
    parser.add_argument('--num-train', type=int, default=3000, help='images in S_train')
    parser.add_argument('--num-val', type=int, default=1500, help='images in S_val')
    parser.add_argument('--seed', type=int, default=0, help='same seed, same images')
    parser.add_argument('--keep-empty', action='store_true', help='also draw images without any non-crowd annotation')
    return parser, parser.parse_args()


def main() -> None:
    parser, args = parse_args()
    with wrong_input_ends(parser):
        written = write_search_split(**vars(args))
    for path, subset in written.items():
        print(f'{subset["info"]["search_subset"]["role"]}: {describe(subset)} -> {path}')
    absent = absent_classes(next(iter(written.values())))
    if absent:
        print(
            f'Warning: S_train has no box of {len(absent)} class(es): {name_some(absent)}. '
            'Ask for more images or try another seed.',
            file=sys.stderr,
        )


if __name__ == '__main__':
    main()
