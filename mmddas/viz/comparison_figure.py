"""Draw a comparison of policies: a point per training, the means, and the differences to the first policy."""

from __future__ import annotations

import math
import os

from matplotlib.figure import Figure

from mmddas.files import atomic_path
from mmddas.stats.comparison import Comparison


def draw_comparison(comparison: Comparison, path: str | os.PathLike) -> None:
    """Write the figure, atomically: policies from the best to the worst.

    A bar is the 95% interval of the difference to the first policy, drawn about the policy's mean: where it leaves the
    first policy's line out, the difference is beyond chance.
    """
    figure = _figure(comparison)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _figure(comparison: Comparison) -> Figure:
    rows = comparison.sorted_rows
    figure = Figure(figsize=(8, 1.2 + 0.45 * len(rows)), layout='constrained')
    axes = figure.subplots()
    reference = next((row for row in rows if row.name == comparison.first), None)
    if reference is not None:
        axes.axvline(reference.mean, color='0.75', linewidth=1)
    for place, row in enumerate(rows):
        values = [*row.values.values()]
        axes.plot(values, [place + 0.18] * len(values), 'o', markersize=3.5, color='0.6', zorder=2)
        difference = row.difference
        told = difference is not None and math.isfinite(difference.low) and difference.is_significant
        colour = 'tab:blue' if told else '0.25'
        # The mean over the seeds that both have: the difference is about these.
        centre = row.mean if difference is None or reference is None else reference.mean + difference.mean
        if difference is not None and math.isfinite(difference.low) and reference is not None:
            ends = [reference.mean + difference.low, reference.mean + difference.high]
            axes.plot(ends, [place, place], '-', linewidth=2, color=colour, zorder=3)
        axes.plot([centre], [place], 'D', markersize=6, color=colour, zorder=4)
    labels = dict(zip([row.name for row in rows], _labels([row.name for row in rows]), strict=True))
    axes.set_yticks(range(len(rows)), [*labels.values()])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(comparison.metric)
    first = labels.get(comparison.first, comparison.first)
    # Of the whole figure: where names are long, the axes are too narrow for it.
    figure.supxlabel(f'bars: 95% intervals of the difference to {first}, paired by seed', fontsize='medium')
    axes.spines[['top', 'right']].set_visible(False)
    return figure


def _labels(names: list[str]) -> list[str]:
    """Shorten the names: files without the folders that all share, since long names leave the points no room."""
    files = [name for name in names if os.path.dirname(name)]
    if not files or len({os.path.isabs(name) for name in files}) > 1:
        return names
    shared = os.path.commonpath([os.path.dirname(name) for name in files])
    if len(files) == 1:  # policy.json alone would not say whose
        shared = os.path.dirname(shared)
    return [os.path.relpath(name, shared or os.curdir) if name in files else name for name in names]
