"""Log the extent of a search before its first step."""

from __future__ import annotations

import logging
import math

from mmengine.logging import print_log

from mmddas.core import SearchSpace

# With fewer draws of an operation, ranks of operations agree between seeds by less than 0.8 (research/searches.md: 65
# draws on BCCD, after 140 steps, gave 0.81).
ENOUGH_DRAWS = 60


def draws_per_operation(space: SearchSpace, num_sub_policies: int, steps: int) -> float:
    """Return how often a search draws an operation, on average."""
    return steps * num_sub_policies * space.num_ops / len(space.operations)


def epochs_for_evidence(space: SearchSpace, num_sub_policies: int, steps: int, epochs: int) -> int | None:
    """Return the epochs that draw each operation often enough; None where ``epochs`` are enough."""
    draws = draws_per_operation(space, num_sub_policies, steps)
    return math.ceil(epochs * ENOUGH_DRAWS / draws) if draws < ENOUGH_DRAWS else None


def say_how_long(space: SearchSpace, num_sub_policies: int, steps_per_epoch: int, epochs: int) -> None:
    """Log candidates, steps, passes and draws; warn where the draws are too few."""
    steps = steps_per_epoch * epochs
    draws = draws_per_operation(space, num_sub_policies, steps)
    print_log(
        f'{len(space)} candidates, {epochs} epochs of {steps_per_epoch} steps, {num_sub_policies + 2} batches '
        f'a step forward and backward, {steps * (num_sub_policies + 2):,} in all; an operation is drawn some '
        f'{draws:.0f} times',
        logger='current',
    )
    needed = epochs_for_evidence(space, num_sub_policies, steps, epochs)
    if needed is not None:
        print_log(
            f'An operation is drawn some {draws:.0f} times only. Below {ENOUGH_DRAWS} chance decides which ones lead: '
            f'search for at least {needed} epochs',
            logger='current',
            level=logging.WARNING,
        )
