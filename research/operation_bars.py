"""Draw the operations of a searched policy as bars after some epochs: the figure of the paper's sanity check.

A bar is p_o, summed over the levels of an operation, as a multiple of that sum in a uniform policy.

    python research/operation_bars.py work_dirs/wrn40x2_cifar10_rotated/policy.json --epochs 1 2 4 8
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from mmddas.core import PolicySchedule, load_policy
from mmddas.files import atomic_path

NUM_EPOCHS = 5


def draw(schedule: PolicySchedule, path: Path, epochs: list[int]) -> None:
    """Write the figure, atomically; the suffix gives the format."""
    names = schedule.space.operations
    figure = Figure(figsize=(8, 1.2 + len(names) * max(0.28, 0.07 * len(epochs))), layout='constrained')
    axes, height = figure.subplots(), 0.8 / len(epochs)
    for number, epoch in enumerate(epochs):
        rows = np.arange(len(names)) + (number - (len(epochs) - 1) / 2) * height
        colour = colormaps['YlGnBu'](0.3 + 0.7 * (number + 1) / len(epochs))
        axes.barh(
            rows,
            schedule.space.operation_multiples(schedule.snapshots[epoch - 1].op_probs),
            height,
            color=colour,
            label=f'{epoch}',
        )
    axes.axvline(1, color='black', linewidth=1, linestyle='--')
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel('p_o summed over levels, times uniform')
    axes.legend(title='after epoch', loc='lower right')
    axes.spines[['top', 'right']].set_visible(False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('policy', help='policy file')
    parser.add_argument('--out', type=Path, help='the figure (default: operations.png next to the policy)')
    parser.add_argument('--epochs', nargs='+', type=int, help=f'from 1 (default: {NUM_EPOCHS} evenly spread ones)')
    args = parser.parse_args()
    schedule, out = load_policy(args.policy), args.out or Path(args.policy).parent / 'operations.png'
    last = len(schedule)
    epochs = sorted(set(args.epochs or (-(-last * i // NUM_EPOCHS) for i in range(1, NUM_EPOCHS + 1))))
    if not 1 <= epochs[0] <= epochs[-1] <= last:
        parser.error(f'--epochs must lie in 1..{last}, the epochs of the search; got {epochs}')
    draw(schedule, out, epochs)
    print(out)


if __name__ == '__main__':
    main()
