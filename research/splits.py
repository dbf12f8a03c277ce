"""Compare the evidence of searches of several seeds with that of several draws of S_val.

Rank correlations of operations' effects between searches that differ in their seed alone, and between searches that
differ in the draw of S_train and S_val; and how far each operation's effect is from one draw to the next, beside the
errors that the searches themselves give it. With ``--worth`` also how the effects, of each search and in the mean of
all, go with what training with each operation alone gives (rank correlations; ``yardstick.py`` has measured it).

    python research/splits.py --seeds research/policies/comparisons/bccd_policies/recommended_detection_[0-4].json \
        --splits research/policies/splits/bccd_*.json --worth research/configs/yardstick/bccd.py
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
from mmengine.config import Config
from reliability import rank_correlation
from yardstick import differences

from mmddas.core import PolicySchedule
from mmddas.experiments.trainings import Results

ROOT = Path(__file__).parents[1]


def effects_of(files: list[str]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return the operations that all files know, their effects and standard errors ``(files, operations)``."""
    found = [PolicySchedule.load(file).findings for file in files]
    by_name = [
        dict(
            zip(
                one.operations,
                zip(one.operation_effects.effect, one.operation_effects.std_error, strict=True),
                strict=True,
            )
        )
        for one in found
    ]
    names = [name for name in by_name[0] if all(np.isfinite(one.get(name, np.nan)).all() for one in by_name)]
    values = np.array([[one[name] for name in names] for one in by_name])
    return names, values[..., 0], values[..., 1]


def agreement(effects: np.ndarray) -> list[float]:
    return sorted(rank_correlation(one, other) for one, other in itertools.combinations(effects, 2))


def beside_worth(files: list[str], config: str) -> str:
    """Say how effects correlate in rank with measured worth: of every search, and of their mean."""
    rows = Results(ROOT / f'research/data/yardstick/{Path(config).stem}.jsonl').rows()
    worth = {
        op: np.mean([*by_seed.values()])
        for op, by_seed in differences(rows, Config.fromfile(config).yardstick.metric).items()
    }
    names, effects, _ = effects_of(files)
    known = [row for row, name in enumerate(names) if name in worth]
    measured, helps = np.array([worth[names[row]] for row in known]), -effects[:, known]
    alone = ', '.join(f'{rank_correlation(one, measured):.2f}' for one in helps)
    return (
        f'with what was measured they go by {alone}, their mean by {rank_correlation(helps.mean(axis=0), measured):.2f}'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--seeds', nargs='+', required=True, metavar='POLICY', help='searches that differ in their seed'
    )
    parser.add_argument(
        '--splits', nargs='+', required=True, metavar='POLICY', help='searches that differ in their split'
    )
    parser.add_argument('--worth', metavar='CONFIG', help='of research/configs/yardstick, whose trainings are there')
    args = parser.parse_args()
    for name, files in dict(seeds=args.seeds, splits=args.splits).items():
        if len(files) < 2:
            parser.error(f'--{name} takes two policies or more, got {len(files)}')
        _, effects, errors = effects_of(files)
        found = agreement(effects)
        ratio = np.sqrt(effects.var(axis=0, ddof=1).mean() / (errors**2).mean())
        print(
            f'{len(files)} {name}: ranks agree by {np.mean(found):.2f} in the mean of {len(found)} pairs '
            f'({found[0]:.2f} to {found[-1]:.2f}); effects differ by {ratio:.1f} times their errors (root mean squares)'
        )
        if args.worth:
            print(f'  {beside_worth(files, args.worth)}')
    names, effects, errors = effects_of(args.splits)
    print(f'\n{"operation":26}{"effect":>8}{"lowest":>8}{"highest":>9}{"spread":>8}{"error of one":>14}')
    for row in np.argsort(effects.mean(axis=0)):
        spread, error = effects[:, row].std(ddof=1), np.sqrt((errors[:, row] ** 2).mean())
        low, high = effects[:, row].min(), effects[:, row].max()
        print(f'{names[row]:26}{effects[:, row].mean():8.2f}{low:8.2f}{high:9.2f}{spread:8.2f}{error:14.2f}')


if __name__ == '__main__':
    main()
