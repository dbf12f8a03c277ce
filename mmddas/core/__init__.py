"""The method, for any PyTorch loop: search space, policy, gradients, estimators, schedule. PyTorch and NumPy only."""

from .effects import Effects, Findings
from .estimators import (
    ESTIMATORS,
    MeanGradientEstimator,
    PaperEstimator,
    PastGradient,
    PolicyEstimator,
    ShrinkageEstimator,
    build_estimator,
)
from .evidence import Evidence
from .gradients import ViewGradients, reference_rate
from .policy import (
    AugmentationPolicy,
    expected_loss_weights,
    policy_gradients,
    sample_sub_policies,
    step_policy,
    update_policy,
)
from .schedule import PolicyFileError, PolicySchedule, PolicySnapshot
from .search_space import Candidate, SearchSpace

__all__ = [
    'ESTIMATORS',
    'AugmentationPolicy',
    'Candidate',
    'Effects',
    'Evidence',
    'Findings',
    'MeanGradientEstimator',
    'PaperEstimator',
    'PastGradient',
    'PolicyEstimator',
    'PolicyFileError',
    'PolicySchedule',
    'PolicySnapshot',
    'SearchSpace',
    'ShrinkageEstimator',
    'ViewGradients',
    'build_estimator',
    'expected_loss_weights',
    'policy_gradients',
    'reference_rate',
    'sample_sub_policies',
    'step_policy',
    'update_policy',
]
