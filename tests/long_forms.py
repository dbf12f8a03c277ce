"""How many examples property-based tests try."""

import os

# ``MMDDAS_EXAMPLES=10000 python -m pytest -k any_bytes`` and the like: the long form.
EXAMPLES = int(os.environ.get('MMDDAS_EXAMPLES', 0))


def examples(usual: int) -> int:
    """``usual``, or what MMDDAS_EXAMPLES asks for."""
    return EXAMPLES or usual
