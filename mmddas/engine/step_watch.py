"""Warnings and errors of a search about its steps: the policy cannot learn from them, or they overshoot."""

from __future__ import annotations

import logging

import torch
from mmengine.logging import print_log
from torch import Tensor

# The cosine below which, on average, a step went too far; where they do it is -0.07 to -0.24 (research/results.md).
OVERSHOT = 0.02


class StepWatch:
    """A count of the steps from which the policy could not learn, and a warning of epochs whose steps overshoot.

    Args:
        max_skipped_in_a_row: So many steps without an update, one after the other, end the search.
    """

    def __init__(self, max_skipped_in_a_row: int) -> None:
        self.max_skipped_in_a_row = max_skipped_in_a_row
        self.skipped_updates = 0
        self._in_a_row = 0
        self._cosines: list[Tensor] = []  # of the epoch's steps

    def note(self, found: dict, iteration: int) -> None:
        """Take note of a step.

        Args:
            found: What :class:`~mmddas.engine.search_step.SearchStep` returns.
            iteration: The step's number, from 1.

        Raises:
            FloatingPointError: It is one too many without an update.
        """
        self._cosines.append(found['grad_cosine'])
        self.skipped_updates += not found['updated']
        self._in_a_row = 0 if found['updated'] else self._in_a_row + 1
        if self._in_a_row >= self.max_skipped_in_a_row:
            losses = ', '.join(f'{loss:.4g}' for loss in found['loss_views'].tolist())
            raise FloatingPointError(
                f'The policy could not learn from {self._in_a_row} steps in a row, the last one of iteration '
                f'{iteration}: gradients are not finite, or all alignments are 0 (losses of the views, the clean one '
                f'first: {losses}; of S_val: {found["loss_val"].item():.4g}). If the losses have grown, start anew '
                'with a lower learning rate or with clipped gradients (--resume keeps the rate of the checkpoint).'
            )

    def end_epoch(self) -> None:
        """Warn where the network's steps go beyond what first-order gradients of the policy describe."""
        cosines = torch.stack(self._cosines or [torch.zeros(())])
        cosines = cosines[cosines.isfinite()].double()
        self._cosines.clear()
        mean = cosines.mean().item() if len(cosines) else 0.0
        # Beyond chance, and by more than a rate near 0 makes of rounding.
        error = (cosines.std() / len(cosines) ** 0.5).item() if len(cosines) > 1 else 0.0
        if mean < -max(OVERSHOT, 2 * error):
            print_log(
                "The network's steps overshoot: after them the gradient of S_val points against that of the clean view "
                f'(mean cosine {mean:.2f} over the epoch, "grad_cosine" in the log). The policy then favours views '
                'that point there less, and p_tp may rise. Try a lower learning rate.',
                logger='current',
                level=logging.WARNING,
            )

    def state_dict(self) -> dict[str, int]:
        return dict(skipped_updates=self.skipped_updates, skipped_in_a_row=self._in_a_row)

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.skipped_updates, self._in_a_row = state['skipped_updates'], state['skipped_in_a_row']
