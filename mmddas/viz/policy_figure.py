"""Draw a policy: p_tp and p_o over the epochs of the search, the last p_o in full, and its evidence."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from mmddas.core import Findings, PolicySchedule
from mmddas.files import atomic_path

NUM_LEADING, NUM_TRAILING = 5, 3
# Okabe and Ito's colours, which colour-blind people tell apart; trailing candidates are grey.
LEADING_COLOURS = ('#D55E00', '#0072B2', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
TRAILING_STYLES = (('#777777', (0, (1.5, 1.2))), ('#555555', (0, (5, 1.5))), ('#222222', '-'))
BACKGROUND, INK = '#D8D8D8', '#333333'
HELPS, HURTS, UNKNOWN = '#C75D00', '#2166AC', '#9A9A9A'
# Below uniform, uniform, above.
COLOURMAP = LinearSegmentedColormap.from_list('multiples', ['#2166AC', '#92C5DE', '#F7F7F7', '#FDB863', '#C75D00'])
DARK = 0.45  # luminance of cells below which their number is white
DASHED = (0, (4, 3))

# In inches: letters and cells keep their size, whatever the number of operations and levels.
DPI = 110
MARGIN, TITLE, HEADING, AXIS = 0.2, 0.75, 0.35, 0.55
TICKS, CURVES, NARROW_CURVES, LETTER = 0.65, 4.6, 2.8, 0.07
CELL, MAX_GRID, BARS, SUMS, EFFECTS = 0.46, 8.0, 2.1, 0.6, 2.1
MIN_BODY, MIN_ROW, MAX_ROW = 5.6, 0.235, 0.5
TOTAL_PROB_SHARE = 0.28
LABEL_GAP, MIN_NAMES = 0.17, 1.6
MIN_CELL_WITH_TEXT = 0.38

# A policy that has hardly moved must look like it: the smallest spans of p_tp and of the multiples of uniform, and the
# least and greatest multiple at which colours are saturated.
MIN_TOTAL_PROB_SPAN, MIN_MULTIPLE_SPAN = 0.04, 0.1
MIN_SATURATION, MAX_SATURATION = 2.0, 8.0
# Multiples beyond this, or below its inverse, need a logarithmic axis; FLOOR is the smallest one shown.
LINEAR_UP_TO, FLOOR = 1.5, 1 / 16


def draw_policy(schedule: PolicySchedule, path: str | os.PathLike) -> None:
    """Draw p_tp over the epochs, leading and trailing candidates, the last p_o by operation and level, its evidence.

    Probabilities of candidates are multiples of the uniform probability 1/K. If the policy has evidence, operations
    without a significant effect are grey. The file is written atomically.

    Args:
        schedule: The policy, with one snapshot at least.
        path: Where to write; the suffix gives the format (``.png``, ``.pdf``, ``.svg``).

    Raises:
        ValueError: The schedule is empty, or Matplotlib does not know the format.
    """
    figure = _figure(schedule)
    known = sorted(figure.canvas.get_supported_filetypes())
    suffix = Path(path).suffix.lstrip('.').lower()
    if suffix not in known:
        raise ValueError(f'{str(path)!r}: the suffix gives the format and must be one of {known}')
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=suffix)


def history_svg(schedule: PolicySchedule) -> bytes:
    """Draw the left part of :func:`draw_policy`, p_tp and candidates over the epochs, as the content of an SVG file."""
    curves = _curves(schedule)
    # Narrow, so that its letters can be read on a phone.
    canvas = Canvas(MARGIN + TICKS + NARROW_CURVES + _labels_width(curves), HEADING + MIN_BODY + AXIS)
    _draw_history(canvas, (HEADING, NARROW_CURVES, MIN_BODY), schedule, curves)
    file = io.BytesIO()
    canvas.figure.savefig(file, format='svg')
    return file.getvalue()


@dataclass(frozen=True)
class Grid:
    """Final p_o by operation and level, as multiples of uniform; operations sorted, the most probable first.

    ``cells``: ``(operations, levels)``, NaN if an operation lacks the level. ``means`` and ``summed_probs``: mean
    multiple and summed probability of every operation. ``place``: row and column of each candidate.
    """

    ops: list[str]
    levels: list[float | None]
    cells: np.ndarray
    means: np.ndarray
    summed_probs: np.ndarray
    place: dict[int, tuple[int, int]]

    @classmethod
    def of(cls, schedule: PolicySchedule) -> Grid:
        space, probs = schedule.space, schedule.snapshots[-1].op_probs
        candidates, ops = space.candidates, space.operations
        levels = {candidate.level for candidate in candidates}
        levels = [None] * (None in levels) + sorted(levels - {None})
        cells = np.full((len(ops), len(levels)), np.nan)
        for row, candidate, prob in zip(space.operation_of, candidates, probs, strict=True):
            cells[row, levels.index(candidate.level)] = prob * len(probs)
        means = space.operation_multiples(probs)
        order = np.argsort(-means, kind='stable')
        ops, cells, means = [ops[row] for row in order], cells[order], means[order]
        place = {k: (ops.index(item.op), levels.index(item.level)) for k, item in enumerate(candidates)}
        return cls(ops, levels, cells, means, np.nansum(cells, axis=1) / len(probs), place)


@dataclass(frozen=True)
class Curve:
    """The look of a candidate that is drawn by name."""

    index: int
    label: str
    colour: str
    style: object


class Canvas:
    """A figure whose axes and texts are placed in inches from the top left."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), dpi=DPI, facecolor='white')
        FigureCanvasAgg(self.figure)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        bottom = self.height - top - height
        axes = self.figure.add_axes((left / self.width, bottom / self.height, width / self.width, height / self.height))
        axes.tick_params(labelsize=8)
        axes.spines[['top', 'right']].set_visible(False)
        return axes

    def text(self, left: float, top: float, text: str, **style) -> None:
        self.figure.text(left / self.width, 1 - top / self.height, text, va='top', parse_math=False, **style)


def _figure(schedule: PolicySchedule) -> Figure:
    curves = _curves(schedule)
    grid = Grid.of(schedule)
    row = float(np.clip(MIN_BODY / len(grid.ops), MIN_ROW, MAX_ROW))
    grid_width = min(CELL * len(grid.levels), MAX_GRID)
    body = max(MIN_BODY, row * len(grid.ops))
    names = max(LETTER * max(map(len, grid.ops)), MIN_NAMES)
    top, left = TITLE + HEADING, MARGIN + TICKS + CURVES + _labels_width(curves) + names
    findings = schedule.findings
    effects = EFFECTS + MARGIN if findings else 0
    canvas = Canvas(left + grid_width + MARGIN + BARS + SUMS + effects + MARGIN, top + body + AXIS + MARGIN)
    _draw_title(canvas, schedule)

    _draw_history(canvas, (top, CURVES, body), schedule, curves)
    rows = row * len(grid.ops)
    _draw_grid(canvas.axes(left, top, grid_width, rows), grid, curves, names)
    left += grid_width + MARGIN
    _draw_bars(canvas.axes(left, top, BARS, rows), grid, findings)
    if findings:
        _draw_effects(canvas.axes(left + BARS + SUMS + MARGIN, top, EFFECTS, rows), grid, findings)
    return canvas.figure


def _draw_title(canvas: Canvas, schedule: PolicySchedule) -> None:
    epochs = f'T = {len(schedule)} search epoch' + 's' * (len(schedule) > 1)
    title = f'Policy after {epochs}: K = {len(schedule.space)} candidates, N_o = {schedule.space.num_ops}'
    canvas.text(MARGIN, MARGIN, title, fontsize=13, weight='bold')
    known = [f'{key} {schedule.meta[key]}' for key in ('config', 'seed') if schedule.meta.get(key) is not None]
    canvas.text(MARGIN, MARGIN + 0.27, ', '.join(known), fontsize=9, color=INK)


def _curves(schedule: PolicySchedule) -> list[Curve]:
    """Choose the leading and trailing candidates, the most probable first; ValueError for an empty schedule."""
    if not schedule.snapshots:
        raise ValueError('The schedule is empty: nothing has been searched yet')
    candidates, probs = schedule.space.candidates, schedule.snapshots[-1].op_probs
    order = np.argsort(-probs, kind='stable').tolist()
    num_leading = min(NUM_LEADING, -(-len(order) * NUM_LEADING // (NUM_LEADING + NUM_TRAILING)))
    leading, trailing = order[:num_leading], order[num_leading:][-NUM_TRAILING:]
    looks = [(colour, '-') for colour in _colours(leading)] + list(
        TRAILING_STYLES[-len(trailing) :] if trailing else ()
    )
    return [
        Curve(k, f'{candidates[k]}  ×{_short(probs[k] * len(probs))}', *look)
        for k, look in zip(leading + trailing, looks, strict=True)
    ]


def _labels_width(curves: list[Curve]) -> float:
    return LETTER * max(len(curve.label) for curve in curves) + 2 * MARGIN


def _colours(indices: list[int]) -> list[str]:
    """Choose a colour for each, by the candidate's index if possible, so that it keeps its colour over the epochs."""
    taken: dict[int, str] = {}
    for index in sorted(indices):
        wish = index % len(LEADING_COLOURS)
        free = (c for c in LEADING_COLOURS[wish:] + LEADING_COLOURS[:wish] if c not in taken.values())
        taken[index] = next(free)
    return [taken[index] for index in indices]


def _short(multiple: float) -> str:
    digits = 2 if multiple < 9.995 else 1 if multiple < 99.95 else 0
    return f'{multiple:.{digits}f}'


def _heading(axes: Axes, text: str, left: float = 0.0) -> None:
    """Write a heading above the axes, beginning ``left`` inches to their left."""
    axes.annotate(
        text,
        (0, 1),
        xycoords='axes fraction',
        xytext=(-72 * left, 7),
        textcoords='offset points',
        fontsize=9.5,
        weight='bold',
        color=INK,
    )


def _epoch_axis(axes: Axes, num_epochs: int) -> None:
    axes.set_xlim((0.5, 1.5) if num_epochs == 1 else (1, num_epochs))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))


def _limits(
    values: np.ndarray, min_span: float, lowest: float = -np.inf, highest: float = np.inf
) -> tuple[float, float]:
    """Compute the limits of an axis that shows all values, spans ``min_span`` and stays within the range."""
    low, high = float(values.min()), float(values.max())
    missing = max(min_span - (high - low), 0) / 2 + 0.06 * max(high - low, min_span)
    return max(low - missing, lowest), min(high + missing, highest)


def _scale_multiples(axes: Axes, direction: str, multiples: np.ndarray) -> None:
    """Scale the x or y axis for multiples of uniform, with twice and half equally far from 1."""
    axis, low, high = getattr(axes, f'{direction}axis'), float(multiples.min()), float(multiples.max())
    if max(high, 1 / max(low, FLOOR)) <= LINEAR_UP_TO:  # as good as logarithmic, and with round ticks
        axes.set(**{f'{direction}lim': _limits(np.array([low, 1, high]), MIN_MULTIPLE_SPAN)})
        axis.set_major_locator(MaxNLocator(nbins=5))
        return
    exponents = _limits(np.log2([max(low, FLOOR), 1, high]), 1)
    axes.set(**{f'{direction}scale': 'log', f'{direction}lim': np.exp2(exponents)})
    step = 1 + int(exponents[1] - exponents[0]) // 8
    ticks = np.exp2(np.arange(np.ceil(exponents[0] / step), exponents[1] / step) * step)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_as_multiple))


def _as_multiple(value: float, position: int | None = None) -> str:
    """Format a power of two, as ``8`` or ``1/8``."""
    text = f'{value:g}' if value >= 1 else f'1/{1 / value:g}'
    return f'≤{text}' if value == FLOOR else text


def _draw_history(
    canvas: Canvas, place: tuple[float, float, float], schedule: PolicySchedule, curves: list[Curve]
) -> None:
    """Draw p_tp above the candidates, over the epochs; ``place`` is top, width and height of both in inches."""
    top, width, height = place
    upper = TOTAL_PROB_SHARE * height
    lower_top = top + upper + HEADING + AXIS / 2
    lower = top + height - lower_top
    _draw_total_prob(canvas.axes(MARGIN + TICKS, top, width, upper), schedule)
    _draw_curves(canvas.axes(MARGIN + TICKS, lower_top, width, lower), schedule, curves, LABEL_GAP / lower)


def _draw_total_prob(axes: Axes, schedule: PolicySchedule) -> None:
    values = np.array([snapshot.total_prob for snapshot in schedule.snapshots])
    epochs = np.arange(1, len(values) + 1)
    axes.plot(epochs, values, color=INK, linewidth=1.8, marker='o' if len(values) == 1 else None, clip_on=False)
    axes.annotate(
        f'{values[-1]:.3f}',
        (epochs[-1], values[-1]),
        xytext=(8, 0),
        textcoords='offset points',
        va='center',
        weight='bold',
    )
    axes.set_ylim(_limits(values, MIN_TOTAL_PROB_SPAN, 0, 1))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.grid(axis='y', color=BACKGROUND, linewidth=0.6)
    axes.set_ylabel('p_tp', fontsize=9, labelpad=6)
    _epoch_axis(axes, len(values))
    _heading(axes, 'Probability that an image is augmented at all (p_tp)')


def _draw_curves(axes: Axes, schedule: PolicySchedule, curves: list[Curve], label_gap: float) -> None:
    """Draw leading and trailing candidates over all others; ``label_gap`` is a share of the axes' height."""
    probs = np.array([snapshot.op_probs for snapshot in schedule.snapshots])  # (T, K)
    multiples = np.maximum(probs * len(schedule.space), FLOOR)
    epochs = np.arange(1, len(multiples) + 1)
    single = len(epochs) == 1
    _scale_multiples(axes, 'y', multiples)
    if single:
        axes.plot(np.ones(multiples.shape[1]), multiples[0], 'o', color=BACKGROUND, markersize=4)
    axes.add_collection(
        LineCollection([np.stack([epochs, m], 1) for m in multiples.T], colors=BACKGROUND, linewidths=0.6)
    )
    axes.axhline(1, color=INK, linewidth=1, linestyle=DASHED, zorder=2)
    for curve in curves:
        axes.plot(
            epochs,
            multiples[:, curve.index],
            color=curve.colour,
            linestyle=curve.style,
            linewidth=1.8,
            marker='o' if single else None,
            zorder=3,
        )
    _epoch_axis(axes, len(epochs))
    _label_curves(axes, curves, multiples[-1], label_gap)
    axes.set_xlabel('search epoch', fontsize=9)
    axes.set_ylabel(f'p_o, times uniform (1/K = {1 / len(schedule.space):.2%})', fontsize=9)
    _heading(axes, 'Leading and trailing candidates')


def _label_curves(axes: Axes, curves: list[Curve], multiples: np.ndarray, gap: float) -> None:
    """Write names at the right end of the curves, moved apart if they would touch."""
    to_axes = axes.transData + axes.transAxes.inverted()
    ends = to_axes.transform([(axes.dataLim.x1, multiples[curve.index]) for curve in curves])
    for curve, (start, end), place in zip(curves, ends, _apart(ends[:, 1].tolist(), gap), strict=True):
        axes.plot(
            (start, max(start, 0.97) + 0.01, 1.035),
            (end, end, place),
            transform=axes.transAxes,
            color=curve.colour,
            linewidth=0.7,
            clip_on=False,
        )
        axes.text(1.045, place, curve.label, transform=axes.transAxes, color=curve.colour, fontsize=8, va='center')


def _apart(heights: list[float], gap: float) -> list[float]:
    """Move falling heights up to be ``gap`` apart, then down to stay below 1."""
    places = list(heights)
    for i in range(len(places) - 2, -1, -1):
        places[i] = max(places[i], places[i + 1] + gap)
    for i, place in enumerate(places):
        places[i] = min(place, 1.0 if i == 0 else places[i - 1] - gap)
    return places


def _colour(multiples: np.ndarray, all_multiples: np.ndarray) -> np.ndarray:
    """Colour multiples of uniform, as RGBA, on a logarithmic scale that is symmetric about uniform."""
    logs = np.log2(np.maximum(all_multiples[np.isfinite(all_multiples)], 1 / MAX_SATURATION))
    reach = np.clip(np.abs(logs).max(), np.log2(MIN_SATURATION), np.log2(MAX_SATURATION))
    logs = np.log2(np.maximum(multiples, 1 / MAX_SATURATION))
    return COLOURMAP(np.clip(0.5 + 0.5 * logs / reach, 0, 1))


def _cell(row: int, column: int) -> Rectangle:
    return Rectangle((column - 0.46, row - 0.44), 0.92, 0.88)


def _draw_grid(axes: Axes, grid: Grid, curves: list[Curve], names: float) -> None:
    """Draw p_o by operation and level; ``names`` is the width of the operations' names in inches."""
    colours = _colour(grid.cells, grid.cells)
    present = np.argwhere(np.isfinite(grid.cells)).tolist()
    fills = [colours[row, column] for row, column in present]
    axes.add_collection(PatchCollection([_cell(*place) for place in present], facecolors=fills, linewidths=0))
    if len(grid.levels) * MIN_CELL_WITH_TEXT <= MAX_GRID:
        for (row, column), fill in zip(present, fills, strict=True):
            ink = 'white' if fill[:3] @ (0.3, 0.59, 0.11) < DARK else 'black'
            axes.text(column, row, _short(grid.cells[row, column]), ha='center', va='center', fontsize=7, color=ink)
    for curve in curves:
        frame = _cell(*grid.place[curve.index])
        frame.set(fill=False, edgecolor=curve.colour, linestyle=curve.style, linewidth=1.8)
        frame.set_path_effects([withStroke(linewidth=3.6, foreground='white')])
        axes.add_patch(frame)
    axes.set_xlim(-0.5, len(grid.levels) - 0.5)
    axes.set_ylim(len(grid.ops) - 0.5, -0.5)
    axes.set_xticks(range(len(grid.levels)), ['none' if v is None else f'{v:g}' for v in grid.levels])
    axes.set_yticks(range(len(grid.ops)), grid.ops, parse_math=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel('level', fontsize=9)
    _heading(axes, 'Final p_o, times uniform', left=names)


def _draw_bars(axes: Axes, grid: Grid, findings: Findings | None) -> None:
    """Draw the operations over all of their levels: mean multiple as a bar, summed probability as a number."""
    rows = np.arange(len(grid.ops))
    means = np.maximum(grid.means, FLOOR)
    colours = _colour(means, grid.cells)
    if findings:
        colours[~_in_order(findings, grid, findings.operation_effects.significant())] = to_rgba(BACKGROUND)
    axes.barh(rows, means - 1, left=1, height=0.7, color=colours, edgecolor=INK, linewidth=0.4)
    axes.axvline(1, color=INK, linewidth=1, linestyle=DASHED)
    _scale_multiples(axes, 'x', means)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines['left'].set_visible(False)
    for row, prob in zip(rows, grid.summed_probs, strict=True):
        axes.annotate(
            f'{prob:.1%}',
            (1, row),
            xycoords=('axes fraction', 'data'),
            xytext=(6, 0),
            textcoords='offset points',
            va='center',
            fontsize=8,
        )
    axes.set_xlabel('mean over levels, times uniform', fontsize=9)
    _heading(axes, 'Operations, and their p_o')


def _in_order(findings: Findings, grid: Grid, values: np.ndarray) -> np.ndarray:
    """Sort values of the operations by the grid's rows."""
    return values[[findings.operations.index(op) for op in grid.ops]]


def _draw_effects(axes: Axes, grid: Grid, findings: Findings) -> None:
    """Draw effects with 95% intervals, over the band that holds 95% of operations without an effect."""
    effects = findings.operation_effects
    columns = effects.effect, effects.half_widths, effects.significant()
    effect, half, found = (_in_order(findings, grid, column) for column in columns)
    rows, known = np.arange(len(grid.ops)), np.isfinite(effect) & np.isfinite(half)
    axes.barh(rows[known], 2 * half[known], left=-half[known], height=0.7, color=BACKGROUND, linewidth=0)
    axes.axvline(0, color=INK, linewidth=1, linestyle=DASHED)
    for row in rows[known]:
        colour = UNKNOWN if not found[row] else HELPS if effect[row] < 0 else HURTS
        axes.errorbar(effect[row], row, xerr=half[row], color=colour, marker='o', markersize=4, capsize=2)
    reach = (np.abs(effect[known]) + half[known]).max(initial=0) or 1.0
    axes.set_xlim(-1.08 * reach, 1.08 * reach)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.set_yticks([])
    axes.spines['left'].set_visible(False)
    axes.set_xlabel('helps  <  effect  >  hurts', fontsize=9)
    _heading(axes, f'Evidence: {found.sum()} of {len(rows)} significant')
