"""The evidence of a search: estimated effects of its candidates, with standard errors.

The estimate compares the alignments within each step: those of sub-policies with a candidate and without it. K
candidates, L^ sub-policies of N_o candidates in a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .effects import Effects, Findings, shrinkage_factors, shrunk

if TYPE_CHECKING:
    from mmddas.core import SearchSpace

# Neighbouring steps share a state of the network, and so errors: errors come from sums over blocks of steps. Among the
# lengths with enough blocks, the one with the largest error counts.
BLOCKS = (10, 40)
MIN_BLOCKS = 12
SCALE_DECAY = 0.95  # of the running mean of alignments' sizes


class Evidence:
    """Sums over the steps of a search, from which effects and their standard errors are computed at any time.

    Let y_l = a_l / s, s the running mean of |a|, and n_lk the number of times that candidate k is in sub-policy l, both
    less their means over the step. The slope sum(n y) / sum(n n) is what k adds compared with the mean of the other
    candidates; (K - 1) / K of it is what k adds compared with the mean of all ((K - m) / K for an operation with m
    levels). Its standard error comes from the residuals of blocks of steps. Draws are independent, so that other
    candidates add noise and no bias. Effects e known from earlier steps (:meth:`shrunk`) reduce that noise:
    sum(n_k (y - n e)) + sum(n_k n_k) e_k K / (K - 1) has the same mean as sum(n_k y) for any e.

    Memory: 5 K numbers for each length of block, and as many for the operations.

    Args:
        space: The candidates.

    Attributes:
        steps: The number of steps so far.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        levels = np.bincount(space.operation_of)
        self._places = torch.from_numpy(space.operation_of)
        self._beside_all = torch.from_numpy(1 - np.concatenate([np.ones(len(space)), levels]) / len(space))
        self.steps = 0
        size = len(space) + len(space.operations)
        self._draws = torch.zeros(size, dtype=torch.float64)
        self._scale = torch.zeros((), dtype=torch.float64)  # the running mean of |a|, not yet divided by its weight
        self._slopes = [_BlockSlopes(size, length) for length in BLOCKS]
        self._known = torch.zeros(
            size, dtype=torch.float64
        )  # effects of candidates, then of operations: the mean over levels

    @torch.no_grad()
    def add(self, indices: Tensor, alignments: Tensor) -> bool:
        """Add a step.

        Args:
            indices: Sub-policies ``(L^, N_o)``, or ``(R, L^, N_o)`` if R processes draw their own.
            alignments: ``(L^,)`` or ``(R, L^)``.

        Returns:
            False if the alignments say nothing: they are not finite, or all 0.
        """
        indices, alignments = indices.reshape(-1, indices.shape[-1]), alignments.reshape(-1).double()
        size = alignments.abs().mean()
        if not (torch.isfinite(size) and size > 0):
            return False
        self.steps += 1
        # Not the size in this step: steps with small alignments would count as much as those with large ones.
        self._scale = SCALE_DECAY * self._scale + (1 - SCALE_DECAY) * size
        scaled = alignments / (self._scale / (1 - SCALE_DECAY**self.steps))  # (L^,) y_l
        counts = torch.zeros(len(indices), len(self.space), dtype=torch.float64)  # (L^, K) n_lk
        counts.scatter_add_(1, indices, torch.ones_like(indices, dtype=torch.float64))
        by_operation = torch.zeros(len(indices), len(self.space.operations), dtype=torch.float64)
        by_operation.index_add_(1, self._places, counts)
        counts = torch.cat([counts, by_operation], dim=1)
        self._draws += counts.sum(dim=0)
        scaled, counts = scaled - scaled.mean(), counts - counts.mean(dim=0)
        squares = (counts * counts).sum(dim=0)
        rest = scaled - counts[:, : len(self.space)] @ self._known[: len(self.space)]
        products = rest @ counts + squares * self._known_slopes
        for slopes in self._slopes:
            slopes.add(products, squares)
        if self.steps % BLOCKS[0] == 0:
            self._take_as_known(self.shrunk()[0])
        return True

    def _take_as_known(self, effects: np.ndarray) -> None:
        effects = effects - effects.mean()
        of_operations = np.bincount(self.space.operation_of, weights=effects) / np.bincount(self.space.operation_of)
        self._known = torch.from_numpy(np.concatenate([effects, of_operations]))

    @property
    def _known_slopes(self) -> Tensor:
        """The known effects as slopes: compared with the mean of the others."""
        return self._known / self._beside_all.clamp_min(1 / len(self.space))  # 0 where there are no others

    def shrunk(self) -> tuple[np.ndarray, float]:
        """Shrink the candidates' effects by their errors, and estimate how far effects spread.

        The effect of candidate k of operation o is taken as e_o + d_k, with e_o ~ N(0, tau_op^2) and d_k ~
        N(0, tau_level^2); both tau come from the evidence itself
        (:func:`~mmddas.stats.effects.shrinkage_factors`). An operation's effect is shrunk towards 0, a candidate's
        towards its operation's shrunk effect.

        Returns:
            ``(K,)``, 0 where nothing is known; and the root of the mean square of effects and errors, 0 if effects
            spread no further than their errors explain.
        """
        findings, of_operation = self.findings(), self.space.operation_of
        operations, candidates = findings.operation_effects, findings.candidate_effects
        factor, spread = shrinkage_factors(operations)
        expected = shrunk(operations, factor)[of_operation]
        alone = np.bincount(of_operation)[of_operation] == 1
        within = np.where(alone, np.nan, candidates.effect - operations.effect[of_operation])
        factor, spread_within = shrinkage_factors(
            Effects(candidates.draws, within, candidates.std_error, candidates.dof)
        )
        return shrunk(candidates, factor, expected), float(np.sqrt(spread + spread_within))

    def findings(self) -> Findings:
        """Return the current estimates."""
        lengths = [slopes for slopes in self._slopes if slopes.blocks >= MIN_BLOCKS] or self._slopes[:1]
        found = [slopes.estimate() for slopes in lengths]
        errors = np.stack([error for _, error, _ in found])  # (lengths, K + operations), NaN: not known
        widest = np.where(np.isnan(errors), -1.0, errors).argmax(axis=0), np.arange(errors.shape[1])
        dof = np.stack([dof for *_, dof in found])[widest]
        beside = self._beside_all.numpy()
        columns = self._draws.numpy().copy(), found[0][0] * beside, errors[widest] * beside, dof
        size = len(self.space)
        candidates, operations = (
            Effects(*(column[part] for column in columns)) for part in (np.s_[:size], np.s_[size:])
        )
        return Findings(self.steps, self.space.operations, operations, candidates)

    def state_dict(self) -> dict:
        """Return all sums, as tensors and plain values."""
        slopes = [slopes.state_dict() for slopes in self._slopes]
        sums = dict(draws=self._draws.clone(), scale=self._scale.clone(), known=self._known.clone())
        return dict(steps=self.steps, slopes=slopes, **sums)

    def load_state_dict(self, state: dict) -> None:
        """Restore :meth:`state_dict` exactly."""
        self.steps, self._known = state['steps'], state['known'].clone()
        self._draws, self._scale = state['draws'].clone(), state['scale'].clone()
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
        """The number of complete blocks."""
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
        """Return slopes, standard errors and degrees of freedom; the incomplete block counts as one."""
        whole = self
        if self.steps % self.length:
            whole = _BlockSlopes(len(self.products), self.length)
            whole.load_state_dict(self.state_dict())
            self._close(whole)
        products, squares, pp, pq, qq = (getattr(whole, name).numpy() for name in self._SUMS[:5])
        with np.errstate(divide='ignore', invalid='ignore'):
            slope = products / squares
            # Blocks without a draw say nothing: the effective number of blocks, by Kish (1965).
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
