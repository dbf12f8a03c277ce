"""The formatter of config texts, where several processes import it first at once.

yapf keeps the tables of Python's grammar in a cache of the user's. It gives the file its name before the last of it is
written, so that another process of the same launcher, on a machine where there is no cache yet, may find it cut off:
``EOFError: Ran out of input`` out of ``Config.pretty_text``, with which MMEngine logs the config of every run.
"""

from __future__ import annotations

import importlib
import pickle
import time
from collections.abc import Callable

_INTERVAL = 0.1  # seconds


def import_formatter(patience: float = 5.0) -> Callable[..., tuple[str, bool]]:
    """Import yapf, waiting until the file that another process writes is whole.

    Args:
        patience: Seconds to wait.

    Returns:
        Callable: yapf's ``FormatCode``.

    Raises:
        RuntimeError: The file stays cut off, as one that a killed process has left.
    """
    give_up = time.monotonic() + patience
    while True:
        try:
            return importlib.import_module('yapf.yapflib.yapf_api').FormatCode
        except (EOFError, pickle.UnpicklingError) as error:
            if time.monotonic() > give_up:
                raise RuntimeError(
                    'yapf, with which MMEngine formats configs, cannot read its own cache, which a run that was killed '
                    "has left cut off: remove the folder 'YAPF' of your cache (~/.cache/YAPF on Linux)"
                ) from error
            time.sleep(_INTERVAL)
