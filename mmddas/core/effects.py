"""Effects with standard errors: which of them stand out, and what is left of them where errors are taken into account.

K candidates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

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
    def half_widths(self) -> np.ndarray:
        """Half the widths of the 95% intervals, ``(K,)``: errors times Student's t at their degrees of freedom."""
        # The inverse of what scores are made with.
        normal = 1.96 * (8 * self.freedom + 3) / (8 * self.freedom + 1)
        with np.errstate(divide='ignore', invalid='ignore', over='ignore'):
            return self.error * np.sqrt(self.freedom * np.expm1(normal**2 / self.freedom))

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

    def agreement(self, other: Findings) -> str:
        """How far two searches agree on the operations that both know, in words; empty where these are fewer than five.

        The rank correlation of their effects with its 95% interval (Fisher's transformation, its variance by Bonett and
        Wright, 2000), and the operations that stand out in both, to the other side.
        """
        mine, its = (
            dict(zip(found.operations, found.operation_effects.effect, strict=True)) for found in (self, other)
        )
        names = [name for name in mine if math.isfinite(mine[name]) and math.isfinite(its.get(name, math.nan))]
        if len(names) < 5:
            return ''
        ranks = [np.argsort(np.argsort([found[name] for name in names])) for found in (mine, its)]
        correlation = float(np.corrcoef(ranks)[0, 1])
        error = math.sqrt((1 + correlation**2 / 2) / (len(names) - 3))
        middle = math.atanh(min(max(correlation, -0.999), 0.999))
        low, high = math.tanh(middle - 1.96 * error), math.tanh(middle + 1.96 * error)
        text = f'ranks of {len(names)} operations agree by {correlation:.2f} ({low:.2f} to {high:.2f})'
        sure = [{*np.array(found.operations)[found.operation_effects.stand_out()]} for found in (self, other)]
        turned = [name for name in names if name in sure[0] & sure[1] and mine[name] * its[name] < 0]
        return text + (f'; they stand out to opposite sides: {", ".join(turned)}' if turned else '')

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


def shares(effects: Effects) -> tuple[np.ndarray, float]:
    """How much of each observed effect is no noise: effects are N(0, tau^2), observed with normal errors.

    Empirical Bayes (Efron and Morris, 1975), with the tau of DerSimonian and Laird (1986) less what chance may give it:
    of Q, the sum of the squared scores, only what exceeds n + 2 sqrt(2 n) counts, which Q is above in few searches
    without any effect (its mean then is n, its standard deviation sqrt(2 n)). So tau is 0 up to there, and grows from 0
    beyond, with no step; theirs has Q - n. With far larger Q the two are alike.

    Returns:
        tau^2 / (tau^2 + error^2), ``(K,)``, 0 where nothing is known; and the mean square of effects and errors, tau^2
        and the harmonic mean of the squared errors, 0 where tau is.
    """
    scores, found = effects.scores, np.zeros(len(effects.effect))
    known = scores != 0
    count = int(known.sum())
    if count < 2:
        return found, 0.0
    # Without any spread, sum z^2 is chi-squared: of mean n and variance 2 n. Its excess, over what is certain of each.
    excess = (scores**2).sum() - count - 2 * np.sqrt(2 * count)
    if excess <= 0:
        return found, 0.0
    noise = effects.error[known] ** 2
    certainty = (1 / noise).sum()
    spread = excess / certainty
    found[known] = spread / (spread + noise)
    return found, spread + count / certainty


def shrunk(effects: Effects, share: np.ndarray, towards: np.ndarray | float = 0.0) -> np.ndarray:
    """Posterior means, ``(K,)``: from what is expected (``towards``), at a share of 0, to what is observed, at 1."""
    return np.where(share > 0, towards + share * (effects.effect - towards), towards)
