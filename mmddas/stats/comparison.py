"""Compare trainings with one policy and another over several seeds: paired differences and their intervals."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95
MOST_SEEDS = 1000


@dataclass(frozen=True)
class Difference:
    """The mean difference of one policy's metric to another's, paired by seed, with its 95% interval (Student's t)."""

    mean: float
    low: float
    high: float
    deviation: float
    """The standard deviation of single differences."""
    seeds: int

    @classmethod
    def of(cls, values: dict[int, float], other: dict[int, float]) -> Difference | None:
        """Compare the seeds that both have; None where there are none. One seed gives no interval: NaN."""
        seeds = sorted(set(values) & set(other))
        if not seeds:
            return None
        paired = np.array([values[seed] - other[seed] for seed in seeds])
        if len(seeds) == 1:
            return cls(float(paired[0]), math.nan, math.nan, math.nan, 1)
        # Not SciPy's ``ttest_rel``, which warns of differences that are all alike, as coarse metrics have them.
        mean, half = float(paired.mean()), float(stats.t.ppf((1 + LEVEL) / 2, len(seeds) - 1) * stats.sem(paired))
        return cls(mean, mean - half, mean + half, float(paired.std(ddof=1)), len(seeds))

    @property
    def is_significant(self) -> bool:
        """Whether the interval excludes 0. An interval without width means that the metric is too coarse to tell."""
        return not self.is_constant and (self.low > 0 or self.high < 0)

    @property
    def is_constant(self) -> bool:
        """Whether all single differences are the same, as with a metric that is coarse (few images, rounding)."""
        return self.deviation <= 1e-9 * max(abs(self.mean), 1)

    @property
    def seeds_needed(self) -> int | None:
        """How many seeds would make a difference of this size significant; None: more than a thousand."""
        counts = np.arange(2, MOST_SEEDS + 1)
        half_widths = stats.t.ppf((1 + LEVEL) / 2, counts - 1) * self.deviation / np.sqrt(counts)
        enough = counts[half_widths < abs(self.mean)]
        return int(enough[0]) if len(enough) else None


@dataclass(frozen=True)
class Row:
    """The trainings with one policy.

    ``values``: the metric by seed; ``seconds``: the mean time of a training; ``search``: the cost of the policy's
    search, in words; ``difference``: to the first policy.
    """

    name: str
    values: dict[int, float]
    seconds: float
    search: str
    difference: Difference | None

    @property
    def mean(self) -> float:
        return float(np.mean([*self.values.values()]))

    @property
    def deviation(self) -> float:
        return float(np.std([*self.values.values()], ddof=1)) if len(self.values) > 1 else math.nan


class Comparison:
    """A comparison of policies with the first of them.

    Args:
        metric: The name of the metric; higher is better.
        names: The policies; the first is the reference.
        values: The metric by policy and seed; missing trainings have failed or have not been run.
        seconds: The times of trainings by policy.
        search: The cost of a policy's search, if it is known.
        seeds: All seeds that were asked for.
        nothing: ``'NAME, seed SEED'`` of networks that detect nothing, whose value is 0.
    """

    def __init__(
        self,
        metric: str,
        names: Sequence[str],
        values: dict[str, dict[int, float]],
        seconds: dict[str, list[float]],
        search: dict[str, str],
        seeds: Sequence[int],
        nothing: Sequence[str] = (),
    ) -> None:
        self.metric, self.first, self.seeds, self.nothing = metric, names[0], list(seeds), list(nothing)
        self.rows = [
            Row(
                name,
                values[name],
                float(np.mean(seconds[name])),
                search.get(name, ''),
                Difference.of(values[name], values.get(self.first, {})) if name != self.first else None,
            )
            for name in names
            if values.get(name)
        ]
        self.missing = [
            f'{name}, seed {seed}' for name in names for seed in self.seeds if seed not in values.get(name, {})
        ]

    @property
    def sorted_rows(self) -> list[Row]:
        """The rows, best first."""
        return sorted(self.rows, key=lambda row: -row.mean)

    def table(self) -> list[list[str]]:
        """Return the table as texts: the header, then the rows, best first."""
        head = [
            'policy',
            'seeds',
            self.metric,
            'std',
            f'difference to {self.first}',
            '95% interval',
            'training',
            'search',
        ]
        rows = []
        for row in self.sorted_rows:
            difference = row.difference
            known = difference is not None and math.isfinite(difference.low) and not difference.is_constant
            rows.append(
                [
                    row.name,
                    str(len(row.values)),
                    _number(row.mean),
                    _number(row.deviation),
                    '' if difference is None else _number(difference.mean, sign=True),
                    f'{_number(difference.low, sign=True)} to {_number(difference.high, sign=True)}' if known else '',
                    f'{row.seconds / 60:.1f} min',
                    row.search,
                ]
            )
        return [head, *rows]

    def sentence(self) -> str:
        """Say which policies differ significantly from the first, and which do not."""
        better, worse, undecided = [], [], []
        for row in self.sorted_rows:
            if row.difference is None:
                continue
            if not math.isfinite(row.difference.low):
                undecided.append(row.name)
            elif row.difference.is_significant:
                (better if row.difference.mean > 0 else worse).append(row.name)
            elif row.difference.is_constant:
                same = 'the same' if row.difference.mean == 0 else 'the same difference'
                undecided.append(f'{row.name} ({same} at every seed: the metric is too coarse, or nothing differs)')
            else:
                needed = row.difference.seeds_needed
                seeds = needed or f'more than {MOST_SEEDS}'
                undecided.append(f'{row.name} ({seeds} seeds would show it, if the difference stays as it is)')
        groups = (
            (f'significantly better than {self.first}', better),
            (f'significantly worse than {self.first}', worse),
            (f'no significant difference to {self.first}', undecided),
        )
        text = '; '.join(f'{words}: {", ".join(names)}' for words, names in groups if names)
        text = f'{text[0].upper()}{text[1:]}.' if text else 'There is nothing to compare.'
        if any(row.difference is not None and row.difference.seeds < 2 for row in self.rows):
            text += ' One seed gives no interval: train with at least two.'
        if self.nothing:
            text += f' These networks detect nothing, which counts as 0: {"; ".join(self.nothing)}.'
        if self.missing:
            text += f' Missing, since they failed or have not been run: {"; ".join(self.missing)}.'
        return text

    def markdown(self, command: str) -> str:
        """Format the table, the sentence and the command in Markdown."""
        head, *rows = self.table()
        lines = ['| ' + ' | '.join(cells) + ' |' for cells in (head, ['---'] * len(head), *rows)]
        seeds = ', '.join(map(str, self.seeds))
        explained = f'Differences are paired by seed (seeds {seeds}); the spread is the standard deviation.'
        return '\n'.join([*lines, '', self.sentence(), '', explained, '', f'    {command}', ''])

    def csv(self) -> str:
        """Format the value of every training, one a line."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(['policy', 'seed', self.metric])
        writer.writerows([row.name, seed, value] for row in self.rows for seed, value in sorted(row.values.items()))
        return file.getvalue()


def _number(value: float, sign: bool = False) -> str:
    """Format a metric: a share with four places, a percentage with two."""
    if not math.isfinite(value):
        return ''
    places = 4 if abs(value) < 2 else 2
    return f'{value:+.{places}f}' if sign else f'{value:.{places}f}'
