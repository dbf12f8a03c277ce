"""The method, for any PyTorch loop: search space, policy, gradients, schedule. PyTorch and NumPy only."""

from .gradients import ViewGradients
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
    'AugmentationPolicy',
    'Candidate',
    'PolicyFileError',
    'PolicySchedule',
    'PolicySnapshot',
    'SearchSpace',
    'ViewGradients',
    'expected_loss_weights',
    'policy_gradients',
    'sample_sub_policies',
    'step_policy',
    'update_policy',
]
