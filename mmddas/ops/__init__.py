"""Image operations on NumPy arrays, with boxes and masks moved along. NumPy and OpenCV only."""

from . import classification, detection  # noqa: F401  (fill the table)
from .operation import (
    INTERPOLATIONS,
    OPERATIONS,
    Move,
    Operation,
    Options,
    apply,
    apply_with_moves,
    check_candidates,
    get,
    homography,
    list_ops,
    move_mask,
    register,
)

__all__ = [
    'INTERPOLATIONS',
    'OPERATIONS',
    'Move',
    'Operation',
    'Options',
    'apply',
    'apply_with_moves',
    'check_candidates',
    'get',
    'homography',
    'list_ops',
    'move_mask',
    'register',
]
