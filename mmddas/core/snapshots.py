"""A policy at one time, and how an image's sub-policy is drawn from it: by p_tp and p_o, or from a list.

K candidates.
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .search_space import Candidate, SearchSpace

Uniform = Callable[[], float]
"""Gives numbers drawn uniformly from [0, 1)."""


@dataclass(frozen=True, eq=False)
class PolicySnapshot:
    """The policy's probabilities at one time: p_tp, and p_o as ``(K,)`` float64 summing to 1."""

    total_prob: float
    op_probs: np.ndarray

    @functools.cached_property
    def cumulated(self) -> np.ndarray:
        """The probability of each candidate and all before it, ``(K,)``, ending with 1: for drawing from."""
        sums = self.op_probs.cumsum()
        return sums / sums[-1]

    def draw(self, space: SearchSpace, uniform: Uniform, in_boxes: Callable[[str], bool]) -> list[Candidate]:
        """The sub-policy of an image that is augmented: N_o candidates from p_o."""
        return [space.candidates[bisect_right(self.cumulated, uniform())] for _ in range(space.num_ops)]

    def __eq__(self, other: object) -> bool:
        return (
            type(self) is type(other)
            and self.total_prob == other.total_prob
            and np.array_equal(self.op_probs, other.op_probs)
        )


class ListedOperation(NamedTuple):
    """An operation of a listed sub-policy, at a level (None: it takes none), and the probability that it is applied."""

    op: str
    level: float | None
    prob: float

    @property
    def candidate(self) -> Candidate:
        return Candidate(self.op, self.level)

    def __str__(self) -> str:
        return f'{self.candidate} ({self.prob:g})'


@dataclass(frozen=True, eq=False)
class ListedSnapshot(PolicySnapshot):
    """A list of sub-policies, as AutoAugment and its successors give them; see :meth:`of`.

    Every image gets one of them, all equally likely, and each of its operations by a coin of its own. An operation in
    boxes has a coin for every box instead. p_tp is 1, and ``op_probs`` are shares: what part of all operations that are
    applied each candidate has.

    Attributes:
        sub_policies: The list.
        max_applied: Where at most so many operations of a sub-policy are applied, taken in random order: the
            probabilities of 0, 1, 2, ... for that number (Ho et al., Population Based Augmentation).
        applied: Operations that are applied to an image in the mean.
    """

    sub_policies: tuple[tuple[ListedOperation, ...], ...]
    max_applied: tuple[float, ...] | None
    applied: float

    @classmethod
    def of(
        cls,
        space: SearchSpace,
        sub_policies: Iterable[Sequence[ListedOperation]],
        max_applied: Sequence[float] | None = None,
    ) -> ListedSnapshot:
        """A list whose candidates are among those of ``space``."""
        sub_policies = tuple(tuple(sub_policy) for sub_policy in sub_policies)
        places = {candidate: place for place, candidate in enumerate(space.candidates)}
        counts = np.zeros(len(space))
        for sub_policy in sub_policies:
            for operation, chance in zip(sub_policy, _chances(sub_policy, max_applied), strict=True):
                counts[places[operation.candidate]] += chance / len(sub_policies)
        applied = float(counts.sum())
        shares = counts / applied if applied else np.full(len(space), 1 / len(space))
        return cls(1.0, shares, sub_policies, None if max_applied is None else tuple(max_applied), applied)

    def draw(
        self, space: SearchSpace, uniform: Uniform, in_boxes: Callable[[str], bool]
    ) -> list[Candidate | ListedOperation]:
        """What is applied to an image; operations in boxes with the probability that each box has."""
        chosen = list(self.sub_policies[int(uniform() * len(self.sub_policies))])
        most = len(chosen)
        if self.max_applied is not None:
            most = bisect_right(np.cumsum(self.max_applied)[:-1], uniform())
            for last in range(len(chosen) - 1, 0, -1):
                other = int(uniform() * (last + 1))
                chosen[last], chosen[other] = chosen[other], chosen[last]
        drawn = []
        for operation in chosen:
            if len(drawn) == most:
                break
            if in_boxes(operation.op):
                drawn.append(operation)
            elif uniform() < operation.prob:
                drawn.append(operation.candidate)
        return drawn

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ListedSnapshot)
            and self.sub_policies == other.sub_policies
            and self.max_applied == other.max_applied
        )


def _chances(sub_policy: Sequence[ListedOperation], max_applied: Sequence[float] | None) -> list[float]:
    """How likely each operation of a drawn sub-policy is to be applied.

    In random order an operation has u of the others before it, u uniform on [0, 1]; of those each is applied with u
    times its probability, unless the number of operations is reached. The integral over u is one of a polynomial of as
    many degrees as there are others, which Gauss's and Legendre's nodes give exactly.
    """
    probs = [operation.prob for operation in sub_policy]
    if max_applied is None:
        return probs
    nodes, weights = np.polynomial.legendre.leggauss(len(probs) // 2 + 1)
    u = (nodes + 1) / 2
    more_than = 1 - np.cumsum(max_applied)[:-1]  # that the number is above 0, 1, ...
    found = []
    for place, prob in enumerate(probs):
        before = np.zeros((len(more_than), len(u)))  # that 0, 1, ... of the others are applied before it
        before[:1] = 1.0
        for other in probs[:place] + probs[place + 1 :]:
            applied = before * (u * other)
            before -= applied
            before[1:] += applied[:-1]
        found.append(prob * float(more_than @ before @ weights) / 2)
    return found
