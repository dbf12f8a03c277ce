"""Draw the operations of a searched policy as bars, after some epochs of the search, beside uniform.

python tools/analysis_tools/plot_operations.py work_dirs/retinanet_thin_shapes/policy.json --epochs 1 2 4 8
"""

import argparse
from pathlib import Path

from mmddas.cli import wrong_input_ends
from mmddas.core import load_policy
from mmddas.viz.operation_bars import draw_operation_bars


def parse_args() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('policy', metavar='POLICY', help='policy file, or a name')
    parser.add_argument(
        '--out', type=Path, help='the figure, .png, .pdf or .svg; by default operations.png beside the policy'
    )
    parser.add_argument(
        '--epochs',
        nargs='+',
        type=int,
        metavar='EPOCH',
        help='after which search epochs, from 1; by default five evenly spread ones, the last among them',
    )
    return parser, parser.parse_args()


def main() -> None:
    parser, args = parse_args()
    out = args.out or Path(args.policy).parent / 'operations.png'
    with wrong_input_ends(parser):
        draw_operation_bars(load_policy(args.policy), out, args.epochs)
    print(out)


if __name__ == '__main__':
    main()
