"""Estimators turn alignments into a step of the policy: one a file, chosen by name.

``train_cfg=dict(type='DDASSearchLoop', estimator=dict(type='PaperEstimator'), ...)``. To add your own, write
``ESTIMATORS['MyEstimator'] = MyEstimator`` in a module that the config's ``custom_imports`` names.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from torch.optim import Optimizer

from ..policy import AugmentationPolicy
from .base import PolicyEstimator
from .paper import PaperEstimator
from .past_gradient import PastGradient
from .shrinkage import ShrinkageEstimator

ESTIMATORS: dict[str, type[PolicyEstimator]] = {
    estimator.__name__: estimator for estimator in (PaperEstimator, ShrinkageEstimator)
}


def build_estimator(
    policy: AugmentationPolicy, optimizers: Sequence[Optimizer], type: str = 'PaperEstimator', **settings: object
) -> PolicyEstimator:
    """Build an estimator by name.

    Args:
        policy: The policy.
        optimizers: The optimizers of its logits; empty for an estimator that uses none.
        type: A name of ``ESTIMATORS``.
        **settings: Its other arguments.

    Raises:
        ValueError: There is no such estimator, or it has no such setting.
    """
    if type not in ESTIMATORS:
        raise ValueError(f'Unknown estimator {type!r}; known are {sorted(ESTIMATORS)}')
    known = [*inspect.signature(ESTIMATORS[type]).parameters][2:]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise ValueError(f'{type} has no setting {unknown[0]!r}; it takes {known}')
    return ESTIMATORS[type](policy, optimizers, **settings)


__all__ = [
    'ESTIMATORS',
    'PaperEstimator',
    'PastGradient',
    'PolicyEstimator',
    'ShrinkageEstimator',
    'build_estimator',
]
