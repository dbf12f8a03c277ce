"""Convert what a policy draws to choices of another library, and find the operations that it lacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from mmddas import ops
from mmddas.core import Candidate, ListedSnapshot, PolicySchedule, PolicySnapshot
from mmddas.transforms import PolicyTransform

MAX_LEVEL = 10  # the literature's
# Converts a candidate to transforms, applied with a probability (None: always); None where the library has none.
Convert = Callable[[Candidate, float | None], list | None]
# Makes a transform that draws one of several lists of transforms by their probabilities.
Choose = Callable[[Sequence[list], Sequence[float]], object]


class Export(NamedTuple):
    """A policy in the transforms of another library.

    Args:
        content: A transform's config (MMDetection), or a serialised transform (Albumentations).
        left_out: Operations that the library lacks, with their shares of what is drawn.
        differences: Differences of the others from the policy's, a sentence each.
    """

    content: dict
    left_out: dict[str, float]
    differences: list[str]

    @property
    def share_left_out(self) -> float:
        return sum(self.left_out.values())


def final(schedule: PolicySchedule) -> PolicySnapshot:
    """Return the last snapshot."""
    return schedule.snapshots[-1]


def mean(schedule: PolicySchedule) -> PolicySnapshot:
    """Return the mean of the snapshots: what a whole training draws, without its order.

    Raises:
        ValueError: The snapshots are different lists of sub-policies, which have no mean.
    """
    last = schedule.snapshots[-1]
    if any(isinstance(snapshot, ListedSnapshot) for snapshot in schedule.snapshots):
        if all(snapshot == last for snapshot in schedule.snapshots):
            return last
        raise ValueError('The policy is a schedule of lists of sub-policies, which have no mean: export the final one')
    weights = np.array([snapshot.total_prob for snapshot in schedule.snapshots])
    if not weights.any():
        return last
    probs = np.average([snapshot.op_probs for snapshot in schedule.snapshots], axis=0, weights=weights)
    return PolicySnapshot(float(weights.mean()), probs / probs.sum())


def checked_options(schedule: PolicySchedule) -> dict:
    """Return the options of the policy's operations.

    Raises:
        ValueError: The policy is not for detection, or has levels that an export cannot have.
    """
    if schedule.meta.get('task') == 'classification':
        raise ValueError('The policy is for classification, and exports are for detection')
    options = PolicyTransform(schedule).options  # which checks operations, levels and options
    for candidate in schedule.space.candidates:
        if candidate.level is not None and not 0 <= candidate.level <= MAX_LEVEL:
            raise ValueError(f'{candidate}: levels of an export are from 0 to {MAX_LEVEL}, those of the literature')
    return options


def choices(schedule: PolicySchedule, snapshot: PolicySnapshot, convert: Convert, choose: Choose) -> list:
    """Return the transforms that an augmented image gets, one after the other; each draws one of its branches."""
    if isinstance(snapshot, ListedSnapshot):
        if snapshot.max_applied is not None:
            raise ValueError('The policy limits how many operations an image gets, which other libraries cannot do')
        branches = [
            [step for operation in sub_policy for step in convert(operation.candidate, operation.prob) or []]
            for sub_policy in snapshot.sub_policies
        ]
        return [choose(branches, [1 / len(branches)] * len(branches))]
    pairs = [
        (convert(candidate, None) or [], prob)
        for candidate, prob in zip(schedule.space.candidates, snapshot.op_probs.tolist(), strict=True)
    ]
    kept = [(branch, prob) for branch, prob in pairs if branch and prob > 0]
    nothing = sum(prob for branch, prob in pairs if not branch)
    if nothing:
        kept.append(([], nothing))
    branches, probs = zip(*kept, strict=True)
    return [choose(branches, probs) for _ in range(schedule.space.num_ops)]


def left_out(schedule: PolicySchedule, snapshot: PolicySnapshot, convert: Convert) -> dict[str, float]:
    """Return the operations that the library lacks, with their shares of all that is drawn, the largest first."""
    found: dict[str, float] = {}
    for candidate, share in zip(schedule.space.candidates, snapshot.op_probs.tolist(), strict=True):
        if share > 0 and convert(candidate, None) is None:
            found[candidate.op] = found.get(candidate.op, 0.0) + share
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def magnitude(candidate: Candidate) -> float | None:
    """Return a candidate's magnitude in its operation's unit; None for an operation without levels."""
    return None if candidate.level is None else ops.get(candidate.op).level_to_magnitude(candidate.level)
