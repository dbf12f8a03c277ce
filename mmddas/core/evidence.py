"""What a search knows of its candidates: their effects, with standard errors.

A policy says what to do; the evidence says how sure that is. The alignments of a step are compared with each other:
what a candidate does to them, beside what the other sub-policies of the step do. K candidates, L^ sub-policies of N_o
candidates in a step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from .search_space import SearchSpace

# Neighbouring steps share a state of the network, and with it errors; sums over blocks of steps have these in. Of
# several lengths of block, the one with the largest error counts, among those of which there are enough.
BLOCKS = (10, 40)
MIN_BLOCKS = 12
SCALE_DECAY = 0.95  # of the running mean of alignments' sizes
FALSE_DISCOVERY_RATE = 0.05


@dataclass(frozen=True)
class Effects:
    """Estimated effects of candidates, or of operations.

    An effect is what one occurrence in a sub-policy adds to its alignment, beside the mean of all candidates, in units
    of the mean absolute alignment of the time. Positive hurts, negative helps. All are ``(K,)`` float64; NaN where
    nothing is known yet.
    """

    draws: np.ndarray
    effect: np.ndarray
    error: np.ndarray
    freedom: np.ndarray
    """Degrees of freedom of the error, for Student's t."""

    COLUMNS: ClassVar = ('draws', 'effect', 'error', 'freedom')

    def rows(self) -> list[dict[str, float | None]]:
        """One for each, for a file; what is not known is None."""
        columns = (np.asarray(getattr(self, name), float).tolist() for name in self.COLUMNS)
        return [
            {name: None if math.isnan(value) else value for name, value in zip(self.COLUMNS, row, strict=True)}
            for row in zip(*columns, strict=True)
        ]

    @property
    def scores(self) -> np.ndarray:
        """Effects over errors, as a normal distribution would have them; 0 where nothing is known."""
        with np.errstate(divide='ignore', invalid='ignore'):
            ratio = self.effect / self.error
            # Wallace's transformation of Student's t (1959).
            size = (8 * self.freedom + 1) / (8 * self.freedom + 3)
            size = size * np.sqrt(self.freedom * np.log1p(ratio**2 / self.freedom))
        return np.where(np.isfinite(ratio) & np.isfinite(size), np.copysign(size, ratio), 0.0)

    @property
    def p_values(self) -> np.ndarray:
        """The chance of so large a score where there is no effect, ``(K,)``."""
        return np.array([math.erfc(abs(score) / math.sqrt(2)) for score in self.scores])

    def stand_out(self, rate: float = FALSE_DISCOVERY_RATE) -> np.ndarray:
        """Which differ from 0 at this false discovery rate, ``(K,)`` bool (Benjamini and Hochberg, 1995)."""
        p_values = self.p_values
        order = np.argsort(p_values, kind='stable')
        passes = p_values[order] <= rate * np.arange(1, len(order) + 1) / len(order)
        count = int(np.flatnonzero(passes)[-1]) + 1 if passes.any() else 0
        found = np.zeros(len(order), bool)
        found[order[:count]] = True
        return found


@dataclass(frozen=True)
class Findings:
    """What a search has found after so many steps."""

    steps: int
    operations: list[str]
    operation_effects: Effects
    """Of each operation, its levels together, ``(operations,)``."""
    candidate_effects: Effects
    """Of each candidate, ``(K,)``."""

    def sentence(self, epochs: int) -> str:
        """How many operations stand out after so many epochs, which, and when the next one would."""
        effects, names = self.operation_effects, self.operations
        found, scores = effects.stand_out(), effects.scores
        order = np.argsort(scores, kind='stable')
        helping = [names[row] for row in order if found[row] and scores[row] < 0]
        hurting = [names[row] for row in order[::-1] if found[row] and scores[row] > 0]
        count = f'{int(found.sum())} of {len(names)} operations stand out'
        said = [f'{", ".join(group)} ({word})' for group, word in ((helping, 'help'), (hurting, 'hurt')) if group]
        if not said:
            count = f'none of {len(names)} operations stands out: the policy cannot be told from chance'
        text = f'{count} (false discovery rate {FALSE_DISCOVERY_RATE:.0%})' + (f': {"; ".join(said)}' if said else '')
        ahead = self._next(epochs)
        return text + (f". {ahead[0]}, of today's size, would after {ahead[1]} epochs" if ahead else '')

    def _next(self, epochs: int) -> tuple[str, int] | None:
        """The best known operation of those that do not stand out, and the epochs after which it would."""
        effects, found = self.operation_effects, self.operation_effects.stand_out()
        scores = np.where(found, 0.0, np.abs(effects.scores))
        if not scores.any():
            return None
        row, rank = int(scores.argmax()), int(found.sum()) + 1
        needed = _normal_quantile(FALSE_DISCOVERY_RATE * rank / len(scores) / 2)
        return self.operations[row], math.ceil(epochs * max((needed / scores[row]) ** 2, 1.0))

    def to_dict(self) -> dict:
        """For a policy's file; what is not known is None."""
        named = zip(self.operations, self.operation_effects.rows(), strict=True)
        return dict(
            steps=self.steps,
            operations=[dict(op=op, **row) for op, row in named],
            candidates=self.candidate_effects.rows(),
        )


def _normal_quantile(tail: float) -> float:
    """The score that a normal number is above with this probability."""
    return math.sqrt(2) * torch.special.erfinv(torch.tensor(1 - 2 * tail, dtype=torch.float64)).item()


class Evidence:
    """Sums over a search's steps, of which effects and their errors can be told at any time.

    With y_l = a_l / s, s the running mean of |a|, and n_lk, how often candidate k is in sub-policy l, both less their
    means over the step, sum(n y) / sum(n n) is the slope of y over n: what k adds beside the mean of the other
    candidates. (K - 1) / K of it is what it adds beside the mean of all; of an operation with m levels, (K - m) / K.
    Its standard error comes from the residuals of blocks of steps. The draws are independent of each other, so that
    what other candidates do is noise in it, and no bias.

    Memory is 5 K numbers for each length of block, and as much for the operations.

    Args:
        space: The candidates.

    Attributes:
        operations: Names, in the order in which the space has them.
        operation_of: The place of each candidate's operation among them, ``(K,)``.
        steps: How many have been taken in.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.operations = list(dict.fromkeys(candidate.op for candidate in space.candidates))
        place = {op: row for row, op in enumerate(self.operations)}
        self.operation_of = np.array([place[candidate.op] for candidate in space.candidates])
        levels = np.bincount(self.operation_of)
        self._beside_all = 1 - np.concatenate([np.ones(len(space)), levels]) / len(space)
        self.steps = 0
        size = len(space) + len(self.operations)
        self._draws = torch.zeros(size, dtype=torch.float64)
        self._scale = torch.zeros((), dtype=torch.float64)  # the running mean of |a|, less the weight of no steps
        self._slopes = [_BlockSlopes(size, length) for length in BLOCKS]

    @torch.no_grad()
    def add(self, indices: Tensor, alignments: Tensor) -> bool:
        """Take a step's findings in.

        Args:
            indices: Sub-policies ``(L^, N_o)``, or ``(R, L^, N_o)`` of R processes that have drawn their own.
            alignments: ``(L^,)`` or ``(R, L^)``.

        Returns:
            False where they tell nothing: they are not finite, or all 0.
        """
        indices, alignments = indices.reshape(-1, indices.shape[-1]), alignments.reshape(-1).double()
        size = alignments.abs().mean()
        if not (torch.isfinite(size) and size > 0):
            return False
        self.steps += 1
        # Not the size of the step at hand: steps that tell little would count as much as those that tell a lot.
        self._scale = SCALE_DECAY * self._scale + (1 - SCALE_DECAY) * size
        shares = alignments / (self._scale / (1 - SCALE_DECAY**self.steps))  # (L^,) y_l
        counts = torch.zeros(len(indices), len(self.space), dtype=torch.float64)  # (L^, K) n_lk
        counts.scatter_add_(1, indices, torch.ones_like(indices, dtype=torch.float64))
        by_operation = torch.zeros(len(indices), len(self.operations), dtype=torch.float64)
        by_operation.index_add_(1, torch.from_numpy(self.operation_of), counts)
        counts = torch.cat([counts, by_operation], dim=1)
        self._draws += counts.sum(dim=0)
        shares, counts = shares - shares.mean(), counts - counts.mean(dim=0)
        products, squares = shares @ counts, (counts * counts).sum(dim=0)
        for slopes in self._slopes:
            slopes.add(products, squares)
        return True

    def findings(self) -> Findings:
        """What is known now."""
        lengths = [slopes for slopes in self._slopes if slopes.blocks >= MIN_BLOCKS] or self._slopes[:1]
        found = [slopes.estimate() for slopes in lengths]
        errors = np.stack([error for _, error, _ in found])  # (lengths, K + operations), NaN: not known
        widest = np.where(np.isnan(errors), -1.0, errors).argmax(axis=0), np.arange(errors.shape[1])
        freedom = np.stack([freedom for *_, freedom in found])[widest]
        beside = self._beside_all
        columns = self._draws.numpy().copy(), found[0][0] * beside, errors[widest] * beside, freedom
        size = len(self.space)
        candidates, operations = (
            Effects(*(column[part] for column in columns)) for part in (np.s_[:size], np.s_[size:])
        )
        return Findings(self.steps, self.operations, operations, candidates)

    def state_dict(self) -> dict:
        """All sums, as tensors and plain values."""
        slopes = [slopes.state_dict() for slopes in self._slopes]
        return dict(steps=self.steps, draws=self._draws.clone(), scale=self._scale.clone(), slopes=slopes)

    def load_state_dict(self, state: dict) -> None:
        """Go on from :meth:`state_dict`, to the bit."""
        self.steps, self._draws, self._scale = state['steps'], state['draws'].clone(), state['scale'].clone()
        for slopes, saved in zip(self._slopes, state['slopes'], strict=True):
            slopes.load_state_dict(saved)


class _BlockSlopes:
    """Slopes through the origin, with errors from the residuals of blocks of ``length`` steps.

    With P_b and Q_b, a block's sums of products and squares, the slope is sum P / sum Q and its variance is
    sum (P_b - slope Q_b)^2 / (sum Q)^2 * B / (B - 1); of that, sums of P^2, PQ and Q^2 over the blocks are kept.
    """

    _SUMS = ('products', 'squares', 'pp', 'pq', 'qq', 'block_products', 'block_squares')

    def __init__(self, size: int, length: int) -> None:
        self.length, self.steps = length, 0
        for name in self._SUMS:
            setattr(self, name, torch.zeros(size, dtype=torch.float64))

    @property
    def blocks(self) -> int:
        """Whole ones."""
        return self.steps // self.length

    def add(self, products: Tensor, squares: Tensor) -> None:
        self.block_products += products
        self.block_squares += squares
        self.steps += 1
        if self.steps % self.length == 0:
            self._close(self)
            self.block_products.zero_()
            self.block_squares.zero_()

    def _close(self, into: _BlockSlopes) -> None:
        products, squares = self.block_products, self.block_squares
        into.products += products
        into.squares += squares
        into.pp += products * products
        into.pq += products * squares
        into.qq += squares * squares

    def estimate(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Slopes, their standard errors, and the degrees of freedom of these; the block at hand counts as one."""
        whole = self
        if self.steps % self.length:
            whole = _BlockSlopes(len(self.products), self.length)
            whole.load_state_dict(self.state_dict())
            self._close(whole)
        products, squares, pp, pq, qq = (getattr(whole, name).numpy() for name in self._SUMS[:5])
        with np.errstate(divide='ignore', invalid='ignore'):
            slope = products / squares
            # Blocks without a draw of it say nothing: the number of those that do, by Kish (1965).
            effective = squares**2 / qq
            residual = np.maximum(pp - 2 * slope * pq + slope**2 * qq, 0.0)
            error = np.sqrt(residual / squares**2 * effective / (effective - 1))
        known = (effective > 2) & (error > 0)
        return (
            np.where(squares > 0, slope, np.nan),
            np.where(known, error, np.nan),
            np.where(known, effective - 1, np.nan),
        )

    def state_dict(self) -> dict:
        return dict(steps=self.steps, **{name: getattr(self, name).clone() for name in self._SUMS})

    def load_state_dict(self, state: dict) -> None:
        self.steps = state['steps']
        for name in self._SUMS:
            setattr(self, name, state[name].clone())
