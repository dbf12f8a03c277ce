"""MMDetection where MMCV has no compiled operators.

"No module named 'mmcv._ext'" is the most common complaint of MMDetection's users: MMCV's C++ and CUDA
operators take many minutes to compile, do not compile against every PyTorch, and without them (``mmcv-lite``,
or ``MMCV_WITH_OPS=0 pip install onedl-mmcv``) not even ``import mmdet.models`` works. The detectors that this
package is used with need few of these operators, and torchvision has those.

:func:`install` puts :mod:`mmddas.compat.mmcv_ext` in the place of the missing module ``mmcv._ext``. All of
MMCV's Python (classes, registries, signatures) stays its own. Where MMCV has operators, nothing is touched.
"""

from __future__ import annotations

import importlib
import multiprocessing
import sys
import warnings

from .checkpoints import admit_checkpoint_classes
from .configs import admit_config_package
from .formatter import import_formatter

__all__ = ['admit_checkpoint_classes', 'admit_config_package', 'import_formatter', 'install']

_EXTENSION = 'mmcv._ext'


def install() -> bool:
    """Make MMCV without compiled operators, and MMEngine's checkpoints, work with the PyTorch at hand.

    It also lets MMEngine find this package's configs. Call it before ``mmcv.ops`` or ``mmdet.models`` is imported,
    as ``import mmddas`` does; an import of these that has failed already does no harm, nor does calling it again.

    Returns:
        bool: True if the substitutes are in place, False if MMCV has its own operators (or is not installed).
    """
    admit_checkpoint_classes()
    admit_config_package()
    try:
        extension = importlib.import_module(_EXTENSION)
    except ImportError as error:
        return _substitute_extension(error)
    return extension is sys.modules.get('mmddas.compat.mmcv_ext')


def _substitute_extension(error: ImportError) -> bool:
    """Put the substitutes in place if ``mmcv._ext`` could not be imported, rather than MMCV as a whole."""
    if error.name != _EXTENSION:
        return False
    if not isinstance(error, ModuleNotFoundError):
        warnings.warn(
            f"MMCV's compiled operators do not load ({error}); torchvision's are used in their place. "
            'Most often they were built for another version of PyTorch.',
            stacklevel=3,
        )
    from . import mmcv_ext

    sys.modules[_EXTENSION] = mmcv_ext
    sys.modules['mmcv']._ext = mmcv_ext
    _install_in_spawned_processes()
    return True


def _install_in_spawned_processes() -> None:
    """Let data workers that do not inherit this process's modules install the substitutes too.

    They unpickle MMDetection's data set, whose module needs ``mmcv.ops`` in MMDetection 3.3, but before it what every
    process hands on to its children; a reference to :func:`install` in that has this package imported in time.
    """
    handed_on = getattr(multiprocessing.current_process(), '_config', {})
    handed_on[__name__] = install
