"""A snapshot of a policy, and how an image's sub-policy is drawn from it: by p_o, or from a list.

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
    """p_tp and p_o, ``(K,)`` float64 summing to 1, of a policy at one time."""

    total_prob: float
    op_probs: np.ndarray

    @functools.cached_property
    def cumulated(self) -> np.ndarray:
        """The cumulative probabilities to draw from, ``(K,)``, ending with 1."""
        sums = self.op_probs.cumsum()
        return sums / sums[-1]

    def draw(self, space: SearchSpace, uniform: Uniform, in_boxes: Callable[[str], bool]) -> list[Candidate]:
        """Draw the sub-policy of an augmented image: N_o candidates from p_o."""
        return [space.candidates[bisect_right(self.cumulated, uniform())] for _ in range(space.num_ops)]

    def __eq__(self, other: object) -> bool:
        return (
            type(self) is type(other)
            and self.total_prob == other.total_prob
            and np.array_equal(self.op_probs, other.op_probs)
        )


class ListedOperation(NamedTuple):
    """An operation of a listed sub-policy, its level (None: it takes none), and its probability to be applied."""

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
    """A list of sub-policies, as AutoAugment and its successors have them; see :meth:`of`.

    Every image gets one sub-policy, all equally likely, and each of its operations with that operation's probability
    (an operation in boxes: for every box). p_tp is 1, and ``op_probs`` are the candidates' shares of all operations
    that are applied.

    Attributes:
        sub_policies: The list.
        max_applied: The probabilities that at most 0, 1, 2, ... operations of a sub-policy are applied, in random order
            (Ho et al., Population Based Augmentation); None: no such limit.
        applied: The mean number of operations applied to an image.
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
        """Make a snapshot of a list; its candidates must be in ``space``."""
        sub_policies = tuple(tuple(sub_policy) for sub_policy in sub_policies)
        index_of = {candidate: index for index, candidate in enumerate(space.candidates)}
        counts = np.zeros(len(space))
        for sub_policy in sub_policies:
            for operation, chance in zip(sub_policy, _chances(sub_policy, max_applied), strict=True):
                counts[index_of[operation.candidate]] += chance / len(sub_policies)
        applied = float(counts.sum())
        op_probs = counts / applied if applied else np.full(len(space), 1 / len(space))
        return cls(1.0, op_probs, sub_policies, None if max_applied is None else tuple(max_applied), applied)

    def draw(
        self, space: SearchSpace, uniform: Uniform, in_boxes: Callable[[str], bool]
    ) -> list[Candidate | ListedOperation]:
        """Draw the operations of an image; those in boxes come with the probability for each box."""
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
    """Compute the probability of each operation of a drawn sub-policy to be applied.

    In random order each of the others comes before an operation with probability u, u uniform on [0, 1]. The integral
    over u is that of a polynomial, which Gauss-Legendre quadrature gives exactly.
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
