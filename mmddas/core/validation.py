"""Checks for numbers in configs, policy files and arguments."""

from __future__ import annotations

import sys


def is_number(value: object) -> bool:
    """Whether ``value`` is a finite number that fits a float, and not a bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def is_whole(value: object) -> bool:
    """Whether ``value`` is an integer by its type, and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)
