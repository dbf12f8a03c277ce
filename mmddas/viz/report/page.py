"""From a policy and the facts of its search to a page of HTML."""

from __future__ import annotations

import base64
import os
import shlex
from itertools import dropwhile
from pathlib import Path
from typing import NamedTuple

import jinja2
import numpy as np

from mmddas.core import Findings, PolicySchedule
from mmddas.files import write_text
from mmddas.version import __version__

from .facts import REPORT_FILE, Facts, read_warnings

# Okabe and Ito's colours, which colour-blind people tell apart; the page has them as classes c0 to c5.
NUM_LINES = 6
_FALLBACK_TRAINING = 'MY_TRAINING.py'


class Line(NamedTuple):
    """A curve over the epochs.

    Args:
        name: What it is of.
        values: One an epoch.
        points: Of an SVG of 100 x 100, y upwards inverted.
        emphasis: The number of its colour; None for the grey ones in the background.
    """

    name: str
    values: list[float]
    points: str
    emphasis: int | None


class Chart(NamedTuple):
    """Curves with their axis.

    Args:
        lines: The grey ones first.
        low, high: The ends of the axis.
        ticks: Value and place (in percent from below) of each.
        reference: Place of the uniform policy, in percent from below; None for none.
    """

    lines: list[Line]
    low: float
    high: float
    ticks: list[tuple[str, float]]
    reference: float | None


class Bar(NamedTuple):
    """An operation's effect with its interval; places in percent of the axis, from the left (hurts) to the right."""

    op: str
    verdict: str
    place: float
    left: float
    width: float
    effect: str
    draws: str
    multiple: float


def write_report(work_dir: str | os.PathLike, comparison: str | os.PathLike | None = None) -> Path:
    """Write ``report.html`` into a search's work dir, from what lies there.

    Args:
        work_dir: With ``policy.json``, and with ``report.json`` and logs where the search has written them.
        comparison: A work dir of ``mmddas compare``, whose table and figure are added.

    Raises:
        FileNotFoundError: There is no policy, or no comparison.
        PolicyFileError: The policy's file is not valid.
    """
    work_dir = Path(work_dir)
    facts = Facts.load(work_dir)
    policy = work_dir / 'policy.json'
    # Before its first epoch has ended, a search has none: what lies there is of an earlier one.
    has_policy = policy.exists() and facts.epochs_done > 0 if facts else True
    schedule = PolicySchedule.load(policy) if has_policy else None
    facts = facts or Facts(str((schedule.meta or {}).get('config', work_dir.name)), task=schedule.meta.get('task'))
    html = (
        _environment()
        .get_template('template.html')
        .render(
            facts=facts,
            version=__version__,
            schedule=schedule,
            time=_time(facts),
            findings=_findings(schedule),
            total_prob=None if schedule is None else total_prob_chart(schedule),
            operations=None if schedule is None else operations_chart(schedule),
            bars=[] if schedule is None or schedule.findings is None else effect_bars(schedule),
            examples=_by_candidate(facts),
            warnings=read_warnings(work_dir),
            commands=commands(facts, work_dir, schedule),
            comparison=None if comparison is None else _comparison(Path(comparison)),
        )
    )
    path = work_dir / REPORT_FILE
    write_text(path, html)
    return path


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters['json'] = lambda value: jinja2.utils.htmlsafe_json_dumps(value)
    return environment


def _findings(schedule: PolicySchedule | None) -> str | None:
    if schedule is None or schedule.findings is None:
        return None
    return schedule.findings.sentence(len(schedule))


def _time(facts: Facts) -> str:
    """What it has taken, and what is left."""
    done, left = facts.epochs_done, facts.seconds_left
    if left is None:
        return 'the first epoch has not ended yet'
    spent = f'{duration(sum(facts.epoch_seconds))} spent'
    return spent if done >= facts.max_epochs else f'{spent}, about {duration(left)} left'


def duration(seconds: float) -> str:
    """``'3 h 05 min'``, ``'12 min'`` or ``'40 s'``."""
    if seconds < 90:
        return f'{seconds:.0f} s'
    minutes = round(seconds / 60)
    return f'{minutes // 60} h {minutes % 60:02} min' if minutes >= 60 else f'{minutes} min'


def total_prob_chart(schedule: PolicySchedule) -> Chart:
    """p_tp over the epochs."""
    values = [snapshot.total_prob for snapshot in schedule.snapshots]
    return _chart({'p_tp': values}, ['p_tp'], low=0.0, high=1.0)


def operations_chart(schedule: PolicySchedule) -> Chart:
    """p_o of each operation, summed over its levels, as a multiple of what it is in a uniform policy."""
    names = [candidate.op for candidate in schedule.space.candidates]
    order = list(dict.fromkeys(names))
    member = np.array([[name == op for name in names] for op in order], float)
    probs = np.array([snapshot.op_probs for snapshot in schedule.snapshots])
    multiples = probs @ member.T * len(names) / member.sum(axis=1)
    values = {op: multiples[:, row].tolist() for row, op in enumerate(order)}
    leading = sorted(order, key=lambda op: -values[op][-1])[:NUM_LINES]
    high = max(1.5, float(multiples.max()) * 1.05)
    return _chart(values, leading, low=0.0, high=high, reference=1.0)


def _chart(
    values: dict[str, list[float]], leading: list[str], low: float, high: float, reference: float | None = None
) -> Chart:
    def place(value: float) -> float:
        return 100 * (value - low) / (high - low)

    lines = []
    for name, curve in values.items():
        steps = np.linspace(0, 100, len(curve)) if len(curve) > 1 else np.array([0.0])
        points = [(x, 100 - place(y)) for x, y in zip(steps, curve, strict=True)]
        if len(points) == 1:
            points.append((100.0, points[0][1]))
        text = ' '.join(f'{x:.2f},{y:.2f}' for x, y in points)
        lines.append(Line(name, [round(y, 4) for y in curve], text, leading.index(name) if name in leading else None))
    lines.sort(key=lambda line: -1 if line.emphasis is None else line.emphasis)
    step = next(step for step in (0.25, 0.5, 1, 2, 5, 10, 20, 50, 100) if (high - low) / step <= 6)
    ticks = [(f'{tick:g}', place(tick)) for tick in np.arange(low, high + 1e-9, step)]
    return Chart(lines, low, high, ticks, None if reference is None else place(reference))


def effect_bars(schedule: PolicySchedule) -> list[Bar]:
    """Every operation that is known, the helping ones first; with 95% intervals."""
    findings: Findings = schedule.findings
    effects = findings.operation_effects
    half_widths = effects.half_widths
    known = np.flatnonzero(np.isfinite(effects.effect) & np.isfinite(half_widths))
    if not len(known):
        return []
    found = effects.significant()
    reach = float(np.max(np.abs(effects.effect[known]) + half_widths[known])) or 1.0
    last = {line.name: line.values[-1] for line in operations_chart(schedule).lines}
    bars = []
    for row in sorted(known.tolist(), key=lambda row: effects.scores[row]):
        # An effect above 0 hurts; to the right is what helps.
        helps, half = -effects.effect[row], half_widths[row]
        verdict = 'unknown' if not found[row] else 'helps' if helps > 0 else 'hurts'
        bars.append(
            Bar(
                findings.operations[row],
                verdict,
                50 + 50 * helps / reach,
                50 + 50 * (helps - half) / reach,
                100 * half / reach,
                f'{helps:+.2f} ± {half:.2f}',
                f'{effects.draws[row]:.0f}',
                last.get(findings.operations[row], 1.0),
            )
        )
    return bars


def commands(facts: Facts, work_dir: Path, schedule: PolicySchedule | None) -> list[tuple[str, str]]:
    """What to type next: why, and the whole command."""
    policy, training = shlex.quote(str(work_dir / 'policy.json')), facts.training or _FALLBACK_TRAINING
    quoted, found = shlex.quote(training), []
    if schedule is None or len(schedule) < facts.max_epochs:
        given = shlex.join(['--work-dir', str(work_dir), '--resume', *facts.options])
        config = shlex.quote(facts.config)
        if facts.processes == 1:
            found.append(('Go on where it was interrupted', f'mmddas search {config} {given}'))
        else:
            reason = f'Go on where it was interrupted, with as many processes ({facts.processes})'
            found.append((reason, f'bash tools/dist_search.sh {config} {facts.processes} {given}'))
    sheet = shlex.quote(str(work_dir / 'augmented.png'))
    of_training, of_data = facts.training_options, [*dropwhile('--cfg-options'.__ne__, facts.training_options)]
    browse = f'mmddas browse {quoted} --policy {policy} --out {sheet}'
    train = f'mmddas train {quoted} --policy {policy}'
    compare = f'mmddas compare {quoted} --policies none uniform trivialaugment {policy} --seeds 5'
    return [
        *found,
        ('Look at training images under the policy', _with(browse, of_data)),
        ('Train with it', _with(train, of_training)),
        ('Does it help? Compare before you rely on it', _with(compare, of_data)),
    ]


def _with(command: str, options: list[str]) -> str:
    return f'{command} {shlex.join(options)}' if options else command


def _by_candidate(facts: Facts) -> list[tuple[str, list]]:
    groups: dict[str, list] = {}
    for example in facts.examples:
        groups.setdefault(example.candidate, []).append(example)
    return [*groups.items()]


class _Comparison(NamedTuple):
    rows: list[list[str]]
    text: str
    figure: str


def _comparison(folder: Path) -> _Comparison:
    """The table, the sentence and the figure of ``mmddas compare``."""
    file, figure = folder / 'comparison.md', folder / 'comparison.png'
    if not file.is_file() or not figure.is_file():
        raise FileNotFoundError(f"there is no comparison in '{folder}': comparison.md and .png, of mmddas compare")
    rows, text = [], []
    for line in file.read_text(encoding='utf-8').splitlines():
        if line.startswith('|'):
            cells = [cell.strip() for cell in line.strip('|').split('|')]
            rows += [cells] if set(''.join(cells)) - set('-: ') else []
        elif line.strip() and not line.startswith(('#', '```', '    ')):
            text.append(line.strip())
    return _Comparison(rows, ' '.join(text), base64.b64encode(figure.read_bytes()).decode())
