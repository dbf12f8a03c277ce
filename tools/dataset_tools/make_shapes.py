"""Draw the small data set of the quick start: coloured shapes in COCO's format.

python tools/dataset_tools/make_shapes.py --out-dir data/shapes
"""

import argparse

from mmddas.commands import wrong_input_ends
from mmddas.shapes import PLANTS, make_shapes


def parse_args() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(
        description='Draw a small COCO-format data set of discs, rectangles and triangles. Calling it again '
        'with the same arguments reuses the data; other arguments replace them.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('--out-dir', default='data/shapes', help='folder to fill; made if missing')
    parser.add_argument('--num-train', type=int, default=160, help='images in train, which the plant never changes')
    parser.add_argument('--num-val', type=int, default=160, help='images in val, the S_val of a search')
    parser.add_argument('--num-test', type=int, default=160, help='images in test, held out')
    parser.add_argument('--size', type=int, default=128, help='side of the square images, in pixels')
    parser.add_argument('--seed', type=int, default=0, help='same seed, same images')
    parser.add_argument(
        '--planted',
        choices=list(PLANTS),
        default='negative',
        help='change made to val and test, which the search should find',
    )
    return parser, parser.parse_args()


def main() -> None:
    parser, args = parse_args()
    with wrong_input_ends(parser):
        summary = make_shapes(**vars(args))
    splits = ', '.join(
        f'{split} {count} images / {summary.num_objects[split]} objects' for split, count in summary.num_images.items()
    )
    verb = 'Found' if summary.reused else 'Drew'
    print(f'{verb} {summary.out_dir} (size {args.size}, seed {args.seed}, planted {args.planted}): {splits}')


if __name__ == '__main__':
    main()
