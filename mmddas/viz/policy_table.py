"""A policy, or several side by side, as a plain-text table for the terminal."""

from __future__ import annotations

from typing import NamedTuple

from mmddas.core import Candidate, ListedSnapshot, PolicySchedule, PolicySnapshot

MISSING = '-'
GAP = '  '


class Ranked(NamedTuple):
    """A candidate's place in a policy (from 1), its probability, and that as a multiple of 1/K."""

    rank: int
    prob: float
    multiple: float


def policy_table(schedules: dict[str, PolicySchedule], top: int | None = None, epoch: int = -1) -> str:
    """Candidates by falling probability, the policies in columns, joined on the candidates.

    With several policies, a candidate stands where the highest of its probabilities puts it, so that the
    leaders of each come first. With two, a last column has the difference, second less first, in points.

    Args:
        schedules: Policies by the names that head their columns.
        top: Rows to show, the others are summed up in one row; None shows all.
        epoch: The snapshot, counted from 0, or from the end if negative.

    Raises:
        ValueError: No policies, ``top`` below 1, or a policy without that epoch.
    """
    if not schedules:
        raise ValueError('There is no policy to show: schedules is empty')
    if top is not None and top < 1:
        raise ValueError(f'top must be at least 1, or None for all candidates, got {top!r}')
    snapshots = {name: _snapshot(schedule, epoch, name) for name, schedule in schedules.items()}
    rankings = [_ranking(schedule, snapshots[name]) for name, schedule in schedules.items()]
    candidates = _joined(rankings)
    rows = [_row(candidate, rankings) for candidate in candidates[:top]]
    if top is not None and len(candidates) > top:
        rows.append(_rest(candidates[top:], rankings))
    captions = [_caption(name, schedule, snapshots[name], epoch) for name, schedule in schedules.items()]
    return '\n'.join([*captions, '', *_aligned([*_heads(list(schedules)), *rows])])


def _snapshot(schedule: PolicySchedule, epoch: int, name: str) -> PolicySnapshot:
    if not -len(schedule) <= epoch < len(schedule):
        raise ValueError(f'{name}: there is no snapshot {epoch}; it has {len(schedule)}, counted from 0 (-1: the last)')
    return schedule.snapshots[epoch]


def _ranking(schedule: PolicySchedule, snapshot: PolicySnapshot) -> dict[Candidate, Ranked]:
    """The candidates by falling probability; equally probable ones in the space's order."""
    probs, candidates = snapshot.op_probs, schedule.space.candidates
    order = (-probs).argsort(kind='stable').tolist()
    return {
        candidates[k]: Ranked(rank, float(probs[k]), float(probs[k] * len(probs)))
        for rank, k in enumerate(order, start=1)
    }


def _joined(rankings: list[dict[Candidate, Ranked]]) -> list[Candidate]:
    """All candidates, each once, by the highest probability that a policy gives it."""
    highest: dict[Candidate, float] = {}
    for ranking in rankings:
        for candidate, ranked in ranking.items():
            highest[candidate] = max(ranked.prob, highest.get(candidate, 0.0))
    return sorted(highest, key=highest.get, reverse=True)


def _caption(name: str, schedule: PolicySchedule, snapshot: PolicySnapshot, epoch: int) -> str:
    number = epoch % len(schedule) + 1
    if isinstance(snapshot, ListedSnapshot):
        drawn = f'{snapshot.applied:.2f} operations an image of {len(snapshot.sub_policies)} listed sub-policies'
    else:
        drawn = f'p_tp {snapshot.total_prob:.4f}, N_o {schedule.space.num_ops}'
    return (
        f'{name}: {drawn}, K {len(schedule.space)} (uniform {1 / len(schedule.space):.2%}), '
        f'after epoch {number} of {len(schedule)}'
    )


def _heads(names: list[str]) -> list[list[str]]:
    fields = ['operation', 'level', *['#', 'probability', 'x uniform'] * len(names)]
    if len(names) == 1:
        return [fields]
    named = [cell for name in names for cell in ('', name, '')]
    if len(names) > 2:
        return [['', '', *named], fields]
    return [['', '', *named, 'difference'], [*fields, '(points)']]


def _row(candidate: Candidate, rankings: list[dict[Candidate, Ranked]]) -> list[str]:
    found = [ranking.get(candidate) for ranking in rankings]
    cells = [candidate.op, MISSING if candidate.level is None else f'{candidate.level:g}']
    for item in found:
        cells += [str(item.rank), f'{item.prob:.2%}', f'{item.multiple:.2f}'] if item else [MISSING] * 3
    return cells + _difference([item and item.prob for item in found])


def _rest(candidates: list[Candidate], rankings: list[dict[Candidate, Ranked]]) -> list[str]:
    sums = [sum(ranking[item].prob for item in candidates if item in ranking) for ranking in rankings]
    cells = [f'({len(candidates)} more)', '']
    for total in sums:
        cells += ['', f'{total:.2%}', '']
    return cells + _difference(sums)


def _difference(probs: list[float | None]) -> list[str]:
    if len(probs) != 2:
        return []
    return [MISSING if None in probs else f'{100 * (probs[1] - probs[0]):+.2f}']


def _aligned(rows: list[list[str]]) -> list[str]:
    """The rows as lines: the first column to the left, all others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True))]
        lines.append(GAP.join(cells).rstrip())
    return lines
