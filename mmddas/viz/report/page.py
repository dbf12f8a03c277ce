"""Write the report of a search: one page of HTML."""

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

from ..policy_figure import history_svg
from .facts import REPORT_FILE, Facts, read_warnings

_FALLBACK_TRAINING = 'MY_TRAINING.py'


class Bar(NamedTuple):
    """An operation's effect with its interval, in percent of the axis from the left (hurts) to the right (helps)."""

    op: str
    verdict: str
    place: float
    left: float
    width: float
    effect: str
    draws: str
    multiple: float


def write_report(work_dir: str | os.PathLike, comparison: str | os.PathLike | None = None) -> Path:
    """Write ``report.html`` into a search's work dir, and return its path.

    Args:
        work_dir: It holds ``policy.json`` and, if the search has written them, ``report.json`` and logs.
        comparison: A work dir of ``mmddas compare``, whose table and figure are added.

    Raises:
        FileNotFoundError: There is no policy, or no comparison.
        PolicyFileError: The policy file is not valid.
    """
    work_dir = Path(work_dir)
    facts = Facts.load(work_dir)
    policy = work_dir / 'policy.json'
    # A policy that is there before the first epoch has ended belongs to an earlier search.
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
            history=None if schedule is None else base64.b64encode(history_svg(schedule)).decode(),
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
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def _findings(schedule: PolicySchedule | None) -> str | None:
    if schedule is None or schedule.findings is None:
        return None
    return schedule.findings.sentence(len(schedule))


def _time(facts: Facts) -> str:
    """Say how long the search has taken, and how long it will."""
    done, left = facts.epochs_done, facts.seconds_left
    if left is None:
        return 'the first epoch has not ended yet'
    spent = f'{duration(sum(facts.epoch_seconds))} spent'
    return spent if done >= facts.max_epochs else f'{spent}, about {duration(left)} left'


def duration(seconds: float) -> str:
    """Format a time as ``'3 h 05 min'``, ``'12 min'`` or ``'40 s'``."""
    if seconds < 90:
        return f'{seconds:.0f} s'
    minutes = round(seconds / 60)
    return f'{minutes // 60} h {minutes % 60:02} min' if minutes >= 60 else f'{minutes} min'


def effect_bars(schedule: PolicySchedule) -> list[Bar]:
    """List the operations with an estimate, those that help first, with 95% intervals."""
    findings: Findings = schedule.findings
    effects = findings.operation_effects
    half_widths = effects.half_widths
    known = np.flatnonzero(np.isfinite(effects.effect) & np.isfinite(half_widths))
    if not len(known):
        return []
    found = effects.significant()
    reach = float(np.max(np.abs(effects.effect[known]) + half_widths[known])) or 1.0
    multiples = schedule.space.operation_multiples(schedule.snapshots[-1].op_probs)
    bars = []
    for row in sorted(known.tolist(), key=lambda row: effects.scores[row]):
        # An effect above 0 hurts; the page shows what helps on the right.
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
                multiples[row],
            )
        )
    return bars


def commands(facts: Facts, work_dir: Path, schedule: PolicySchedule | None) -> list[tuple[str, str]]:
    """List the next commands, each with its purpose."""
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
    """Read the table, the sentences and the figure of ``mmddas compare``."""
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
