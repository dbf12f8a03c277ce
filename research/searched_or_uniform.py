"""Compare searched policies with uniform ones in the same space, over all comparisons.

Takes what ``does_it_help.py`` has kept, and prints for each of its configs how two rows differ, paired by seed, with
the 95% interval; then the mean over all pairs, each in units of what seeds differ by there (the pooled standard
deviation of all rows of its config), so that mAP and accuracy, and noisy data and others, can stand in one figure. A
config with one seed tells nothing of that unit and is left out of the mean. Pairs on the same data have images and
networks in common, so that the interval of their mean is too narrow for other data: the last line counts every config's
mean once.

    python research/searched_or_uniform.py
    python research/searched_or_uniform.py --first opposite_detection --then sharpened_detection
"""

import argparse
import math
from pathlib import Path

import numpy as np
from tables import rows_of

from mmddas.stats.comparison import Difference

ROOT = Path(__file__).parents[1]
PAIRS = [('uniform:' + space, 'recommended_' + space) for space in ('detection', 'detection_wide', 'cifar')]


def values_of(path: Path) -> dict[str, dict[int, float]]:
    """Return the last metric by row and seed; a searched policy is named by its file, without the seed."""
    return {Path(row.policy).name.replace('_{seed}', '').replace('.json', ''): row.values for row in rows_of(path)}


def noise(values: dict[str, dict[int, float]]) -> float:
    """Return the pooled standard deviation between seeds, over all rows."""
    several = [list(by_seed.values()) for by_seed in values.values() if len(by_seed) > 1]
    squares = sum(len(row) * float(np.var(row)) for row in several)
    return math.sqrt(squares / sum(len(row) - 1 for row in several)) if several else math.nan


def line(name: str, difference: Difference, places: int, counted: str = 'pairs') -> str:
    if difference.seeds == 1:
        return f'{name:60} {difference.mean:+.{places}f}, 1 {counted[:-1]}: no interval'
    low, high = f'{difference.low:+.{places}f}', f'{difference.high:+.{places}f}'
    return f'{name:60} {difference.mean:+.{places}f} ({low} to {high}), {difference.seeds} {counted}'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--first', help='a row (default: uniform ones, with --then recommended ones)')
    parser.add_argument('--then', help='the row that is compared with it')
    parser.add_argument('--results', type=Path, default=ROOT / 'research/data/comparisons', help='of does_it_help.py')
    args = parser.parse_args()
    if (args.first is None) != (args.then is None):
        parser.error('--first and --then name two rows')
    pairs = PAIRS if args.first is None else [(args.first, args.then)]
    units, found = {}, set()
    for path in sorted(args.results.glob('*.jsonl')):
        if not (ROOT / f'research/configs/comparisons/{path.stem}.py').exists():
            continue
        values = values_of(path)
        found |= values.keys()
        for first, then in pairs:
            difference = Difference.of(values.get(then, {}), values.get(first, {}))
            if difference is None:
                continue
            accuracy = max(values[first].values()) > 1
            print(line(f'{path.stem}: {then} beside {first}', difference, 2 if accuracy else 3))
            unit = noise(values)
            if math.isnan(unit):
                continue
            for seed in values[then].keys() & values[first].keys():
                units[path.stem, then, seed] = (values[then][seed] - values[first][seed]) / unit
    lacking = {args.first, args.then} - found - {None}
    if lacking:
        parser.error(f'no file has a row {" or ".join(sorted(lacking))}; there are {", ".join(sorted(found))}')
    if len(units) > 1:
        means = {path: np.mean([units[key] for key in units if key[0] == path]) for path, *_ in units}
        for counted, values in (('pairs', units), ('configs', means)):
            together = Difference.of(values, dict.fromkeys(values, 0.0))
            print(line(f'all, in units of what seeds differ by, by {counted}', together, 2, counted))


if __name__ == '__main__':
    main()
