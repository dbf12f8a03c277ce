"""Operations as bars over the search, as in the paper's sanity check: p_o summed over levels, beside uniform."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from mmddas.core import PolicySchedule

from .policy_figure import (
    AXIS,
    BACKGROUND,
    DASHED,
    HEADING,
    INK,
    MARGIN,
    TITLE,
    Canvas,
    _draw_title,
    _draw_total_prob,
    _save,
    _short,
)

# So many epochs by default, and never more than MAX_EPOCHS: beyond it neither bars nor colours tell them apart.
NUM_EPOCHS, MAX_EPOCHS = 5, 10
# From early, light, to late, dark: lightness alone tells the epochs apart, whatever colours a reader sees.
COLOURMAP = LinearSegmentedColormap.from_list('epochs', ['#C7E3A1', '#5CBDA8', '#2C86B0', '#2A4E94', '#1C1B4B'])
LEADING_INK, LEADING_BAND = '#B34700', '#FDEBD8'
# The multiple of uniform from which on the first operation is marked as the leading one.
MIN_LEAD = 1.005
MIN_REACH = 1.5  # of the axis of multiples: a policy that has hardly moved shall look like it

# Inches: bars and letters keep their size, whatever the number of operations and epochs.
DPI = 150
NAMES_SIZE, NAMES_GAP, MIN_NAMES = 9, 0.12, 1.0
BARS, COLUMN, TOTAL_PROB = 5.2, 0.72, 0.95
BAR, MIN_ROW, FILLED = 0.055, 0.28, 0.78
# Above the bars, from below: names of the line and of columns, legend, heading; and the height of all that.
NOTES, LEGEND, BARS_HEADING, HEAD = 0.04, 0.24, 0.47, 0.72


def draw_operation_bars(schedule: PolicySchedule, path: str | os.PathLike, epochs: Iterable[int] | None = None) -> None:
    """Draw every operation's p_o after some epochs of the search, and p_tp over all of them.

    Operations stand in the order of the search space, which makes figures comparable. As they differ in their
    number of levels, a bar shows p_o summed over the operation's levels as a multiple of the uniform policy's sum,
    levels / K; it begins at zero. Columns beside the bars give the multiple and the sum after the last epoch shown.
    The file is written atomically; Matplotlib's global state (pyplot) is not touched.

    Args:
        schedule: The policy, with one snapshot at least.
        path: Where to write; the suffix gives the format (``.png``, ``.pdf``, ``.svg``).
        epochs: After which search epochs, counted from 1, at most 10 of them; None shows five that are evenly
            spread, the last among them.

    Raises:
        ValueError: The schedule is empty, ``epochs`` are none, too many or not all epochs of the search, or the
            suffix is none of Matplotlib's formats.
    """
    _save(_figure(schedule, epochs), path)


@dataclass(frozen=True)
class Operations:
    """p_o by operation, in the order of the search space, after E epochs.

    ``num_levels``: ``(O,)``. ``shares``: p_o summed over the operation's levels, ``(E, O)``.
    """

    names: list[str]
    num_levels: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, schedule: PolicySchedule, epochs: list[int]) -> Operations:
        names = schedule.space.operations
        belongs = schedule.space.operation_of[:, None] == np.arange(len(names))  # (K, O)
        probs = np.array([schedule.snapshots[epoch - 1].op_probs for epoch in epochs])  # (E, K)
        return cls(names, belongs.sum(axis=0), probs @ belongs)

    @property
    def multiples(self) -> np.ndarray:
        """Shares as multiples of those under the uniform policy, levels / K: ``(E, O)``."""
        return self.shares * self.num_levels.sum() / self.num_levels

    @property
    def leading(self) -> int | None:
        """The operation that the last epoch favours most; None where the policy is as good as uniform."""
        first = int(self.multiples[-1].argmax())
        return first if self.multiples[-1, first] >= MIN_LEAD else None


def _shown_epochs(epochs: Iterable[int] | None, num_epochs: int) -> list[int]:
    """The epochs to show, from 1, rising and each once."""
    if num_epochs == 0:
        raise ValueError('The schedule is empty: nothing has been searched yet')
    if epochs is None:
        return sorted({-(-num_epochs * i // NUM_EPOCHS) for i in range(1, NUM_EPOCHS + 1)})
    epochs = list(epochs)
    for epoch in epochs:
        if epoch not in range(1, num_epochs + 1):
            raise ValueError(f'epochs must lie in 1..{num_epochs}, the epochs of the search; got {epoch!r}')
    shown = sorted({int(epoch) for epoch in epochs})
    if not 1 <= len(shown) <= MAX_EPOCHS:
        raise ValueError(f'epochs must be from 1 to {MAX_EPOCHS} different ones, got {len(shown)}')
    return shown


def _figure(schedule: PolicySchedule, epochs: Iterable[int] | None = None) -> Figure:
    epochs = _shown_epochs(epochs, len(schedule))
    operations = Operations.of(schedule, epochs)
    columns = _columns(operations)
    colours = COLOURMAP(np.linspace(0, 1, len(epochs)) if len(epochs) > 1 else [0.7])

    row = max(MIN_ROW, BAR * len(epochs) / FILLED)
    names = max(MIN_NAMES, *map(_width, operations.names)) + NAMES_GAP
    left, body, numbers = MARGIN + names, row * len(operations.names), COLUMN * len(columns)
    total_prob_top = TITLE + HEADING
    top = total_prob_top + TOTAL_PROB + AXIS + HEAD
    canvas = Canvas(left + BARS + numbers + MARGIN, top + body + AXIS + MARGIN, DPI)
    _draw_title(canvas, schedule)
    _draw_shown_total_prob(canvas.axes(left, total_prob_top, BARS, TOTAL_PROB), schedule, epochs, colours)

    bars = canvas.axes(left, top, BARS, body)
    _draw_bars(bars, operations, epochs, colours)
    _write_columns(bars, columns, f'after epoch {epochs[-1]}', operations.leading)
    if operations.leading is not None:
        _mark_row(bars, operations.leading, names, numbers)
    return canvas.figure


def _width(name: str) -> float:
    """Inches that an operation's name takes, were it the leading one."""
    font = FontProperties(weight='bold', size=NAMES_SIZE)
    return RendererAgg(1, 1, 72).get_text_width_height_descent(name, font, ismath=False)[0] / 72


def _draw_shown_total_prob(axes: Axes, schedule: PolicySchedule, epochs: list[int], colours: np.ndarray) -> None:
    """p_tp over the whole search, with a dot in its colour at every epoch that bars show."""
    _draw_total_prob(axes, schedule)
    values = [schedule.snapshots[epoch - 1].total_prob for epoch in epochs]
    axes.scatter(epochs, values, s=40, c=colours, edgecolors='white', linewidths=0.8, zorder=3, clip_on=False)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
    axes.set_xlabel('search epoch', fontsize=9)


def _draw_bars(axes: Axes, operations: Operations, epochs: list[int], colours: np.ndarray) -> None:
    """A group of bars an operation, one an epoch, the earliest on top."""
    rows, height = np.arange(len(operations.names)), FILLED / len(epochs)
    for i, (epoch, colour) in enumerate(zip(epochs, colours, strict=True)):
        offset = (i - (len(epochs) - 1) / 2) * height
        axes.barh(rows + offset, operations.multiples[i], height, color=colour, label=f'{epoch}', zorder=2)
    axes.axvline(1, color='white', linewidth=1.1, zorder=3)  # shows on dark bars, as the dashes do on paper
    axes.axvline(1, color=INK, linewidth=1.1, linestyle=DASHED, zorder=3)
    axes.annotate('uniform', (1, 1), xycoords=('data', 'axes fraction'), ha='center', **_above(NOTES))

    axes.set_xlim(0, max(1.04 * operations.multiples.max(), MIN_REACH))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(axis='x', color=BACKGROUND, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(rows, operations.names, fontsize=NAMES_SIZE, parse_math=False)
    axes.tick_params(axis='y', length=0)
    if operations.num_levels.max() > 1:
        axes.set_xlabel('p_o summed over levels, times uniform (levels / K)', fontsize=9)
    else:
        axes.set_xlabel(f'p_o, times uniform (1/K = {1 / len(rows):.2%})', fontsize=9)

    axes.annotate(
        'p_o of operations, after search epochs',
        (0, 1),
        xycoords='axes fraction',
        **_above(BARS_HEADING, 9.5),
        weight='bold',
    )
    axes.legend(
        loc='lower left',
        bbox_to_anchor=(0, 1),
        bbox_transform=axes.transAxes + ScaledTranslation(0, LEGEND, axes.figure.dpi_scale_trans),
        ncols=len(epochs),
        frameon=False,
        fontsize=8.5,
        handlelength=0.9,
        handletextpad=0.35,
        columnspacing=0.9,
        borderpad=0,
        borderaxespad=0,
    )


def _above(inches: float, size: float = 8.5) -> dict:
    """The style of a note so far above what it is anchored at."""
    return dict(xytext=(0, 72 * inches), textcoords='offset points', fontsize=size, color=INK, va='bottom')


def _columns(operations: Operations) -> list[tuple[str, list[str]]]:
    """Heads and cells of the numbers beside the bars."""
    columns = [
        ('× uniform', [_short(multiple) for multiple in operations.multiples[-1]]),
        ('p_o', [f'{share:.1%}' for share in operations.shares[-1]]),
    ]
    if operations.num_levels.max() > 1:
        columns.insert(0, ('levels', [f'{number}' for number in operations.num_levels]))
    return columns


def _write_columns(axes: Axes, columns: list[tuple[str, list[str]]], caption: str, leading: int | None) -> None:
    """Numbers to the right of the bars, in columns that are flush right; ``caption`` heads them all."""
    for i, (head, cells) in enumerate(columns, start=1):
        right = 1 + i * COLUMN / BARS
        axes.annotate(head, (right, 1), xycoords='axes fraction', ha='right', **_above(NOTES))
        for row, cell in enumerate(cells):
            look = dict(color=LEADING_INK, weight='bold') if row == leading else dict(color=INK)
            place = axes.get_yaxis_transform()
            axes.text(right, row, cell, transform=place, ha='right', va='center', fontsize=8.5, **look)
    axes.annotate(caption, (right, 1), xycoords='axes fraction', ha='right', **_above(LEGEND))


def _mark_row(axes: Axes, row: int, names: float, numbers: float) -> None:
    """The leading operation: a band behind its row, which reaches so many inches beyond the bars, and its name."""
    left, width = -names / BARS, 1 + (names + numbers) / BARS
    place = axes.get_yaxis_transform()
    band = Rectangle((left, row - 0.5), width, 1, transform=place, color=LEADING_BAND, linewidth=0, clip_on=False)
    axes.add_artist(band).set_zorder(0)
    axes.get_yticklabels()[row].set(color=LEADING_INK, weight='bold')
