"""Format a policy, or several side by side, as a plain-text table."""

from __future__ import annotations

from mmddas.core import Candidate, ListedSnapshot, PolicySchedule, PolicySnapshot

from .tables import text_table

MISSING = '-'
Ranking = dict[Candidate, tuple[int, float]]
"""The rank of each candidate (from 1) and its probability, by falling probability."""


def policy_table(schedules: dict[str, PolicySchedule], top: int | None = None, epoch: int = -1) -> str:
    """List candidates by falling probability, with the policies in columns.

    With several policies, candidates are sorted by the highest of their probabilities. With two, a last column has the
    difference, second less first, in percentage points.

    Args:
        schedules: The policies, by the names that head their columns.
        top: The number of rows; one more row sums up the others. None shows all candidates.
        epoch: The snapshot, counted from 0, or from the end if negative.

    Raises:
        ValueError: There is no policy, ``top`` is below 1, or a policy does not have that epoch.
    """
    if not schedules:
        raise ValueError('There is no policy to show: schedules is empty')
    if top is not None and top < 1:
        raise ValueError(f'top must be at least 1, or None for all candidates, got {top!r}')
    captions, rankings = [], []
    for name, schedule in schedules.items():
        if not -len(schedule) <= epoch < len(schedule):
            raise ValueError(f'{name} has no snapshot {epoch}: it has {len(schedule)}, from 0 (-1: the last)')
        snapshot = schedule.snapshots[epoch]
        captions.append(_caption(name, schedule, snapshot, epoch % len(schedule) + 1))
        ranked = sorted(zip(snapshot.op_probs.tolist(), schedule.space.candidates, strict=True), key=lambda x: -x[0])
        rankings.append({candidate: (rank, prob) for rank, (prob, candidate) in enumerate(ranked, start=1)})
    candidates = list(dict.fromkeys(candidate for ranking in rankings for candidate in ranking))
    candidates.sort(key=lambda candidate: -max(ranking[candidate][1] for ranking in rankings if candidate in ranking))
    rows = [*_heads(list(schedules)), *(_row(candidate, rankings) for candidate in candidates[:top])]
    if len(candidates) > len(candidates[:top]):
        rows.append(_rest(candidates[top:], rankings))
    return '\n'.join([*captions, '', text_table(rows)])


def _caption(name: str, schedule: PolicySchedule, snapshot: PolicySnapshot, epoch: int) -> str:
    if isinstance(snapshot, ListedSnapshot):
        drawn = f'{snapshot.applied:.2f} operations an image of {len(snapshot.sub_policies)} listed sub-policies'
    else:
        drawn = f'p_tp {snapshot.total_prob:.4f}, N_o {schedule.space.num_ops}'
    size = len(schedule.space)
    return f'{name}: {drawn}, K {size} (uniform {1 / size:.2%}), after epoch {epoch} of {len(schedule)}'


def _heads(names: list[str]) -> list[list[str]]:
    fields = ['operation', 'level', *['#', 'probability', 'x uniform'] * len(names)]
    if len(names) == 1:
        return [fields]
    named = ['', '', *(cell for name in names for cell in ('', name, ''))]
    return [named, fields] if len(names) > 2 else [[*named, 'difference'], [*fields, '(points)']]


def _row(candidate: Candidate, rankings: list[Ranking]) -> list[str]:
    cells = [candidate.op, MISSING if candidate.level is None else f'{candidate.level:g}']
    for ranking in rankings:
        rank, prob = ranking.get(candidate, (None, None))
        cells += [MISSING] * 3 if rank is None else [f'{rank}', f'{prob:.2%}', f'{prob * len(ranking):.2f}']
    return cells + _difference([ranking.get(candidate, (None, None))[1] for ranking in rankings])


def _rest(candidates: list[Candidate], rankings: list[Ranking]) -> list[str]:
    sums = [sum(ranking[item][1] for item in candidates if item in ranking) for ranking in rankings]
    cells = [cell for total in sums for cell in ('', f'{total:.2%}', '')]
    return [f'({len(candidates)} more)', '', *cells, *_difference(sums)]


def _difference(probs: list[float | None]) -> list[str]:
    if len(probs) != 2:
        return []
    return [MISSING if None in probs else f'{100 * (probs[1] - probs[0]):+.2f}']
