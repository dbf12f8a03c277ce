"""The method, for any PyTorch loop: search space, policy, gradients, estimators, schedule.

PyTorch, NumPy and SciPy only.
"""

from mmddas.stats.effects import Effects, Findings
from mmddas.stats.evidence import Evidence

from .estimators import (
    ESTIMATORS,
    PaperEstimator,
    PastGradient,
    PolicyEstimator,
    ShrinkageEstimator,
    build_estimator,
)
from .gradients import ViewGradients, reference_rate
from .named import load_policy, policy_names
from .policy import (
    AugmentationPolicy,
    expected_loss_weights,
    policy_gradients,
    sample_sub_policies,
    step_policy,
    update_policy,
)
from .policy_file import PolicyFileError
from .schedule import PolicySchedule
from .search_space import Candidate, SearchSpace
from .snapshots import ListedOperation, ListedSnapshot, PolicySnapshot

__all__ = [
    'ESTIMATORS',
    'AugmentationPolicy',
    'Candidate',
    'Effects',
    'Evidence',
    'Findings',
    'ListedOperation',
    'ListedSnapshot',
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
    'load_policy',
    'policy_gradients',
    'policy_names',
    'reference_rate',
    'sample_sub_policies',
    'step_policy',
    'update_policy',
]
