"""What counts as a number where one is given: in a config, a policy's file, or by a caller."""

from __future__ import annotations

import sys


def is_number(value: object) -> bool:
    """A finite one, which fits a float; True and False are none, though Python calculates with them."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def is_whole(value: object) -> bool:
    """One without a fraction by its type, as what is counted has."""
    return isinstance(value, int) and not isinstance(value, bool)
