"""Transforms that apply a policy, without OpenMMLab: on NumPy, OpenCV and PyTorch."""

from .applied_policy import AppliedPolicy
from .policy_transform import PolicyTransform

__all__ = ['AppliedPolicy', 'PolicyTransform']
