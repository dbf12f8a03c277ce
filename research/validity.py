"""Compare a search's effects of operations with what training with each of them gave.

Takes what ``yardstick.py`` has measured with a config and what ``record.py`` has recorded of searches of the same
network, S_train and resolution (``CONFIG_search_SEED.npz``), and prints Spearman's correlation of what operations add
to the metric with what they take from S_val's loss, with its 95% interval (Fisher's transformation, over the
operations): for every way to compare views, of all steps and of each third of a search; several seeds are averaged.
What the measured differences themselves are worth is said by their correlation between seeds.

    python research/validity.py research/configs/yardstick/bccd.py --seeds 0 1 2 --figure research/images/worth_bccd.png
"""

import argparse
import itertools
import math
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from mmengine.config import Config
from reliability import WITHOUT, Record, rank_correlation
from yardstick import differences

from mmddas.core import Effects
from mmddas.experiments.trainings import Results
from mmddas.files import atomic_path

ROOT = Path(__file__).parents[1]


def interval(correlation: float, count: int) -> tuple[float, float]:
    """Return the 95% interval of a rank correlation: Fisher's transformation, variance by Bonett and Wright (2000)."""
    error = math.sqrt((1 + correlation**2 / 2) / (count - 3))
    middle = math.atanh(min(max(correlation, -0.999), 0.999))
    return math.tanh(middle - 1.96 * error), math.tanh(middle + 1.96 * error)


def cell(correlation: float, count: int) -> str:
    low, high = interval(correlation, count)
    return f'{correlation:+.2f} [{low:+.2f}, {high:+.2f}]'


def standard_error(values: list[float]) -> float:
    """Return the standard error of the mean over seeds; 0 for one seed."""
    return float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else 0.0


def helps(records: list[Record], way: str, third: int | None = None) -> Effects:
    """Return what operations take from S_val's loss (the negative of their effects), as the mean over searches."""
    found = []
    for record in records:
        steps = len(record.indices)
        part = slice(None) if third is None else slice(third * steps // 3, (third + 1) * steps // 3)
        found.append(record.evidence(way, part).findings().operation_effects)
    effect = -np.mean([effects.effect for effects in found], axis=0)
    error = np.sqrt(np.sum([effects.std_error**2 for effects in found], axis=0)) / len(found)
    return Effects(np.sum([e.draws for e in found], axis=0), effect, error, np.sum([e.dof for e in found], axis=0))


def draw(
    path: Path, operations: list[str], effects: Effects, measured: np.ndarray, error: np.ndarray, words: str
) -> None:
    """Draw measured worth against estimated effect: a named point for each operation, with standard errors."""
    figure = Figure(figsize=(9, 6.5), layout='constrained')
    axes = figure.subplots()
    axes.axhline(0, color='0.8', linewidth=1)
    axes.axvline(0, color='0.8', linewidth=1)
    axes.errorbar(
        effects.effect, measured, error, effects.std_error, fmt='o', markersize=4, color='tab:blue', ecolor='0.8'
    )
    axes.set_xlabel("taken from S_val's loss, beside the mean of all (in the search's units); helps to the right")
    axes.set_ylabel(words)
    axes.spines[['top', 'right']].set_visible(False)
    axes.margins(x=0.12)  # for names
    # From here on places in pixels are known, and stay.
    figure.draw_without_rendering()
    figure.set_layout_engine('none')
    taken = []
    for name, x, y in zip(operations, effects.effect, measured, strict=True):
        if not math.isfinite(x + y):
            continue
        # Beside the point, at the first of these places at which no other name is.
        for right, up in itertools.product((True, False), (3, -9, 11, -17)):
            label = axes.annotate(
                name,
                (x, y),
                (3 if right else -3, up),
                textcoords='offset points',
                fontsize=8,
                ha='left' if right else 'right',
            )
            place = label.get_window_extent()
            if not any(place.overlaps(other) for other in taken) and place.x1 < figure.bbox.x1:
                break
            label.remove()
        else:
            label = axes.annotate(name, (x, y), (3, 3), textcoords='offset points', fontsize=8)
        taken.append(label.get_window_extent())
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120, format='png')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='a config of research/configs/yardstick, whose trainings are there')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], help='of the recorded searches')
    parser.add_argument('--records', type=Path, default=ROOT / 'research/data/records', help='where they are')
    parser.add_argument('--suffix', default='search', help='of the records, behind the name of the config')
    parser.add_argument('--searches', help='the config whose searches are compared (default: the same)')
    parser.add_argument(
        '--results', type=Path, default=ROOT / 'research/data/yardstick', help='where trainings are kept'
    )
    parser.add_argument('--metric', help='the metric of the trainings (default: the one that the config names)')
    parser.add_argument('--without', nargs='+', default=[], metavar='PART', help=WITHOUT)
    parser.add_argument('--way', default='past 0.98', help='how views are compared in the figure')
    parser.add_argument('--figure', type=Path, help='where to draw measured worth against estimated effect')
    args = parser.parse_args()

    name = Path(args.config).stem
    metric = args.metric or Config.fromfile(args.config).yardstick.metric
    by_seed = differences(Results(args.results / f'{name}.jsonl').rows(), metric)
    records = [
        Record(args.records / f'{args.searches or name}_{args.suffix}_{seed}.npz', without=args.without)
        for seed in args.seeds
    ]
    operations = [op for op in records[0].space.operations if op != 'Identity']
    measured = np.array([np.mean([*by_seed[op].values()]) if op in by_seed else np.nan for op in operations])
    trained = sorted({seed for found in by_seed.values() for seed in found})
    paired = np.array([[by_seed.get(op, {}).get(seed, np.nan) for seed in trained] for op in operations])
    error = np.array([standard_error([*by_seed.get(op, {}).values()]) for op in operations])

    print(
        f'{metric} of {name}: {np.isfinite(measured).sum()} of {len(operations)} operations, training seeds {trained}'
    )
    for one, other in itertools.combinations(range(len(trained)), 2):
        both = np.isfinite(paired[:, one]) & np.isfinite(paired[:, other])
        if both.sum() > 3:
            agreement = rank_correlation(paired[:, one], paired[:, other])
            print(f'training seeds {trained[one]} and {trained[other]}: {cell(agreement, int(both.sum()))}')
    print(f'\nsearches of seeds {args.seeds}, {[len(record.indices) for record in records]} steps\n')
    columns = dict(zip(('all steps', 'first third', 'second third', 'last third'), (None, 0, 1, 2), strict=True))
    print(f'{"compared along":20}' + ''.join(f'{column:>24}' for column in columns))
    kept = [op != 'Identity' for op in records[0].space.operations]
    for way in records[0].alignments:
        cells = []
        for third in columns.values():
            effect = helps(records, way, third).effect[kept]
            known = int((np.isfinite(effect) & np.isfinite(measured)).sum())
            cells.append(cell(rank_correlation(effect, measured), known))
        print(f'{way:20}' + ''.join(f'{text:>24}' for text in cells), flush=True)
    if args.figure:
        found = helps(records, args.way)
        found = Effects(*(getattr(found, column)[kept] for column in Effects.COLUMNS))
        draw(args.figure, operations, found, measured, error, f'added to {metric} by training with it alone')
        print(f'\n{args.figure}')


if __name__ == '__main__':
    main()
