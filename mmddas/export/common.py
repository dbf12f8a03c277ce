"""What the exports of a policy share: how sub-policies are drawn in another library, and what it has to leave out."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mmddas import ops
from mmddas.core import Candidate, ListedSnapshot, PolicySchedule, PolicySnapshot
from mmddas.transforms import PolicyTransform

MAX_LEVEL = 10


class Export(NamedTuple):
    """A policy in another form.

    Args:
        content: A transform's config (MMDetection), or a serialised transform (Albumentations).
        left_out: Operations of which the library has none that does the same, with their shares of what is drawn.
        differences: Where the others are not the policy's, a sentence each.
    """

    content: dict
    left_out: dict[str, float]
    differences: list[str]

    @property
    def share_left_out(self) -> float:
        return sum(self.left_out.values())


def final(schedule: PolicySchedule) -> PolicySnapshot:
    """The last snapshot."""
    return schedule.snapshots[-1]


def mean(schedule: PolicySchedule) -> PolicySnapshot:
    """The mean of the snapshots: what a whole training draws, without its order.

    Raises:
        ValueError: The snapshots are lists of sub-policies, of which there is no mean.
    """
    if any(isinstance(snapshot, ListedSnapshot) for snapshot in schedule.snapshots):
        if all(snapshot == schedule.snapshots[0] for snapshot in schedule.snapshots):
            return schedule.snapshots[0]
        raise ValueError('The policy is a schedule of lists of sub-policies, which have no mean: export the final one')
    weights = np.array([snapshot.total_prob for snapshot in schedule.snapshots])
    if not weights.any():
        return schedule.snapshots[-1]
    probs = np.average([snapshot.op_probs for snapshot in schedule.snapshots], axis=0, weights=weights)
    return PolicySnapshot(float(weights.mean()), probs / probs.sum())


def checked(schedule: PolicySchedule) -> dict:
    """The options of the policy's operations; ValueError for a policy that cannot be exported."""
    if schedule.meta.get('task') == 'classification':
        raise ValueError('The policy is for classification, and exports are for detection')
    options = PolicyTransform(schedule).options  # which looks at operations, levels and options
    for candidate in schedule.space.candidates:
        if candidate.level is not None and not 0 <= candidate.level <= MAX_LEVEL:
            raise ValueError(f'{candidate}: levels of an export are from 0 to {MAX_LEVEL}, those of the literature')
    return options


def drawn(schedule: PolicySchedule, snapshot: PolicySnapshot, one: Callable, choice: Callable) -> list:
    """The choices that an augmented image goes through, one after the other."""
    if isinstance(snapshot, ListedSnapshot):
        if snapshot.max_applied is not None:
            raise ValueError('The policy limits how many operations an image gets, which other libraries cannot say')
        branches = [
            [step for operation in sub_policy for step in one(operation.candidate, operation.prob) or []]
            for sub_policy in snapshot.sub_policies
        ]
        return [choice(branches, [1 / len(branches)] * len(branches))]
    pairs = [
        (one(candidate) or [], prob)
        for candidate, prob in zip(schedule.space.candidates, snapshot.op_probs.tolist(), strict=True)
    ]
    nothing = sum(prob for branch, prob in pairs if not branch)
    kept = [(branch, prob) for branch, prob in pairs if branch and prob > 0]
    if nothing:
        kept.append(([], nothing))
    branches, probs = zip(*kept, strict=True)
    return [choice(branches, probs) for _ in range(schedule.space.num_ops)]


def left_out(
    snapshot: PolicySnapshot, schedule: PolicySchedule, lacks: Callable[[Candidate], bool]
) -> dict[str, float]:
    """By operation, its share of all that is drawn."""
    found: dict[str, float] = {}
    for candidate, share in zip(schedule.space.candidates, snapshot.op_probs.tolist(), strict=True):
        if share > 0 and lacks(candidate):
            found[candidate.op] = found.get(candidate.op, 0.0) + share
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def magnitude(candidate: Candidate) -> float | None:
    return None if candidate.level is None else ops.get(candidate.op).level_to_magnitude(candidate.level)
