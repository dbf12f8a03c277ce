"""Import yapf, which MMEngine formats configs with, in several processes at once.

yapf keeps the tables of Python's grammar in the user's cache, and names the file before it is whole. Where there is no
cache yet, another process of the same launcher may read it cut off: ``EOFError: Ran out of input`` from
``Config.pretty_text``, with which MMEngine logs the config of every run.
"""

from __future__ import annotations

import importlib
import pickle
import time
from collections.abc import Callable

_INTERVAL = 0.1  # seconds


def import_formatter(patience: float = 5.0) -> Callable[..., tuple[str, bool]]:
    """Return yapf's ``FormatCode``, after a wait of up to ``patience`` seconds for another process's file.

    Raises:
        RuntimeError: The file stays cut off, as a killed process has left it.
    """
    give_up = time.monotonic() + patience
    while True:
        try:
            return importlib.import_module('yapf.yapflib.yapf_api').FormatCode
        except (EOFError, pickle.UnpicklingError) as error:
            if time.monotonic() > give_up:
                raise RuntimeError(
                    'yapf, with which MMEngine formats configs, cannot read its cache, which a killed run has left cut '
                    "off: remove the folder 'YAPF' of your cache (~/.cache/YAPF on Linux)"
                ) from error
            time.sleep(_INTERVAL)
