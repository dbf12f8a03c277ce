"""Transforms that apply a policy, without OpenMMLab: on NumPy, OpenCV and PyTorch."""

from .applied_policy import DEFAULT_OPTIONS, AppliedPolicy
from .policy_transform import PolicyTransform

__all__ = ['DEFAULT_OPTIONS', 'AppliedPolicy', 'PolicyTransform']
