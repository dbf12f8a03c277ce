"""Let MMEngine resume from its checkpoints under PyTorch >= 2.6.

``torch.load`` accepts weights only by now, and MMEngine's checkpoints hold the training log, too: NumPy scalars and
``HistoryBuffer`` objects. ``onedl-mmengine`` admits these; the original ``mmengine`` (0.10.7) cannot resume. Nothing is
admitted here that could run code of a file's choosing.
"""

from __future__ import annotations

import pickle

import numpy as np
import torch

_LOGGED_DTYPES = (np.float64, np.float32, np.float16, np.int64, np.int32, np.uint8, np.bool_)


def admit_checkpoint_classes() -> bool:
    """Let ``torch.load`` read the classes in MMEngine's checkpoints; return whether that was needed."""
    if torch.__version__ < (2, 6):
        return False
    try:
        from mmengine.logging import HistoryBuffer
        from mmengine.runner import checkpoint
    except ImportError:
        return False
    if hasattr(checkpoint, 'get_torch_safe_globals'):
        return False
    torch.serialization.add_safe_globals([HistoryBuffer, (_history_statistic, 'builtins.getattr'), *_numpy_classes()])
    return True


def _history_statistic(owner: type, name: str):
    """Return a method of ``HistoryBuffer``: pickle names them by ``getattr``, in whose place this stands."""
    from mmengine.logging import HistoryBuffer

    if owner is not HistoryBuffer or name.startswith('_'):
        raise pickle.UnpicklingError(
            f"The checkpoint names '{name}' of {owner!r}; public methods of HistoryBuffer alone are allowed"
        )
    return getattr(owner, name)


def _numpy_classes() -> list:
    """Return what a pickled NumPy scalar or array names, under the module names of NumPy 1 and of NumPy 2."""
    reconstruct, scalar = np.empty(0).__reduce__()[0], np.float64(0).__reduce__()[0]
    renamed = [
        (function, f'numpy.{core}.multiarray.{name}')
        for core in ('core', '_core')
        for function, name in ((reconstruct, '_reconstruct'), (scalar, 'scalar'))
    ]
    return [np.ndarray, np.dtype, *renamed, *(type(np.dtype(dtype)) for dtype in _LOGGED_DTYPES)]
