"""Effects with standard errors: test them, and shrink them by their errors.

K candidates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import stats

FALSE_DISCOVERY_RATE = 0.05


@dataclass(frozen=True)
class Effects:
    """Estimated effects of candidates, or of operations.

    An effect is what one occurrence in a sub-policy adds to its alignment, compared with the mean of all candidates, in
    units of the mean absolute alignment of the time. Positive hurts, negative helps. All are ``(K,)`` float64; NaN
    where nothing is known yet.
    """

    draws: np.ndarray
    effect: np.ndarray
    std_error: np.ndarray
    dof: np.ndarray
    """Degrees of freedom of ``std_error``, for Student's t."""

    COLUMNS: ClassVar = ('draws', 'effect', 'std_error', 'dof')

    def rows(self) -> list[dict[str, float | None]]:
        """List the effects as dicts, for a file; None where nothing is known."""
        columns = (np.asarray(getattr(self, name), float).tolist() for name in self.COLUMNS)
        return [
            {name: None if math.isnan(value) else value for name, value in zip(self.COLUMNS, row, strict=True)}
            for row in zip(*columns, strict=True)
        ]

    @property
    def scores(self) -> np.ndarray:
        """Convert effects over errors to normal scores, ``(K,)``; 0 where nothing is known."""
        # Wallace's formula (1959), although SciPy has ``norm.isf(t.sf(x, dof))``: that is infinite beyond a score of
        # 38, takes 12 times as long (186 us for 139 effects), and differs in the second decimal, so that every policy
        # would change.
        with np.errstate(divide='ignore', invalid='ignore'):
            ratio = self.effect / self.std_error
            size = (8 * self.dof + 1) / (8 * self.dof + 3)
            size = size * np.sqrt(self.dof * np.log1p(ratio**2 / self.dof))
        return np.where(np.isfinite(ratio) & np.isfinite(size), np.copysign(size, ratio), 0.0)

    @property
    def half_widths(self) -> np.ndarray:
        """Half the widths of the 95% intervals, ``(K,)``: Student's t times the standard errors."""
        return self.std_error * stats.t.ppf(0.975, self.dof)

    @property
    def p_values(self) -> np.ndarray:
        """Test each effect against 0 (two-sided t test): ``(K,)``, 1 where nothing is known."""
        with np.errstate(divide='ignore', invalid='ignore'):
            return np.nan_to_num(2 * stats.t.sf(np.abs(self.effect / self.std_error), self.dof), nan=1.0)

    def significant(self, rate: float = FALSE_DISCOVERY_RATE) -> np.ndarray:
        """Find the effects that differ from 0 at this false discovery rate, ``(K,)`` bool (Benjamini, Hochberg)."""
        return stats.false_discovery_control(self.p_values) <= rate


@dataclass(frozen=True)
class Findings:
    """The effects that a search has estimated after a number of steps."""

    steps: int
    operations: list[str]
    operation_effects: Effects
    """One effect per operation, over all of its levels, ``(operations,)``."""
    candidate_effects: Effects
    """One effect per candidate, ``(K,)``."""

    def sentence(self, epochs: int) -> str:
        """Say how many operations are significant after ``epochs``, which, and when the next one would be."""
        effects, names = self.operation_effects, self.operations
        found, scores = effects.significant(), effects.scores
        order = np.argsort(scores, kind='stable')
        helping = [names[row] for row in order if found[row] and scores[row] < 0]
        hurting = [names[row] for row in order[::-1] if found[row] and scores[row] > 0]
        count = f'{int(found.sum())} of {len(names)} operations are significant'
        groups = [f'{", ".join(group)} ({word})' for group, word in ((helping, 'help'), (hurting, 'hurt')) if group]
        if not groups:
            count = f'none of {len(names)} operations is significant: the policy may be chance'
        text = f'{count} (false discovery rate {FALSE_DISCOVERY_RATE:.0%})'
        text += f': {"; ".join(groups)}' if groups else ''
        ahead = self._next(epochs)
        if ahead:
            text += f'. {ahead[0]} would be significant after {ahead[1]} epochs, if its effect stays as it is'
        return text

    def _next(self, epochs: int) -> tuple[str, int] | None:
        """Return the operation that is next to become significant, and after how many epochs; None: no effect."""
        effects, found = self.operation_effects, self.operation_effects.significant()
        scores = np.where(found, 0.0, np.abs(effects.scores))
        if not scores.any():
            return None
        row, rank = int(scores.argmax()), int(found.sum()) + 1
        needed = stats.norm.isf(FALSE_DISCOVERY_RATE * rank / len(scores) / 2)
        return self.operations[row], math.ceil(epochs * max((needed / scores[row]) ** 2, 1.0))

    def rank_agreement(self, other: Findings) -> str:
        """Say how far two searches agree; empty if they have fewer than five operations in common.

        It is the rank correlation of their effects with its 95% interval (Fisher's transformation, its variance by
        Bonett and Wright, 2000), and the operations that are significant in both with opposite signs.
        """
        mine, its = (
            dict(zip(found.operations, found.operation_effects.effect, strict=True)) for found in (self, other)
        )
        names = [name for name in mine if math.isfinite(mine[name]) and math.isfinite(its.get(name, math.nan))]
        if len(names) < 5:
            return ''
        correlation = float(stats.spearmanr(*([found[name] for name in names] for found in (mine, its))).statistic)
        error = math.sqrt((1 + correlation**2 / 2) / (len(names) - 3))
        middle = math.atanh(min(max(correlation, -0.999), 0.999))
        low, high = math.tanh(middle - 1.96 * error), math.tanh(middle + 1.96 * error)
        text = (
            f'effects of {len(names)} operations have a rank correlation of {correlation:.2f} ({low:.2f} to {high:.2f})'
        )
        sure = [{*np.array(found.operations)[found.operation_effects.significant()]} for found in (self, other)]
        turned = [name for name in names if name in sure[0] & sure[1] and mine[name] * its[name] < 0]
        return text + (f'; significant with opposite signs: {", ".join(turned)}' if turned else '')

    def to_dict(self) -> dict:
        """Return the content for a policy's file; None where nothing is known."""
        named = zip(self.operations, self.operation_effects.rows(), strict=True)
        return dict(
            steps=self.steps,
            operations=[dict(op=op, **row) for op, row in named],
            candidates=self.candidate_effects.rows(),
        )


def shrinkage_factors(effects: Effects) -> tuple[np.ndarray, float]:
    """Estimate how much of each observed effect is no noise: effects are N(0, tau^2), observed with normal errors.

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
    noise = effects.std_error[known] ** 2
    certainty = (1 / noise).sum()
    spread = excess / certainty
    found[known] = spread / (spread + noise)
    return found, spread + count / certainty


def shrunk(effects: Effects, factor: np.ndarray, towards: np.ndarray | float = 0.0) -> np.ndarray:
    """Compute posterior means, ``(K,)``: what is expected (``towards``) at a factor of 0, what is observed at 1."""
    return np.where(factor > 0, towards + factor * (effects.effect - towards), towards)
