"""Make MMDetection work where MMCV has no compiled operators.

MMCV's C++ and CUDA operators take many minutes to compile, and do not compile against every PyTorch. Without them
(``mmcv-lite``, or ``MMCV_WITH_OPS=0 pip install onedl-mmcv``) not even ``import mmdet.models`` works: "No module named
'mmcv._ext'". Detectors need few of these operators, and torchvision has those. :func:`install` puts
:mod:`mmddas.compat.mmcv_ext` in the place of ``mmcv._ext``, and leaves MMCV alone where it has its own.
"""

from __future__ import annotations

import importlib
import multiprocessing
import sys
import warnings

from .checkpoints import admit_checkpoint_classes
from .configs import admit_config_package
from .formatter import import_formatter

__all__ = ['import_formatter', 'install']

_EXTENSION = 'mmcv._ext'


def install() -> bool:
    """Make MMCV without compiled operators, MMEngine's checkpoints and this package's configs work.

    ``import mmddas`` calls it. It has to come before ``mmcv.ops`` or ``mmdet.models`` is imported; an import of these
    that has failed already does no harm, nor does a second call.

    Returns:
        True if the substitutes are in place, False if MMCV has its own operators, or is not installed.
    """
    admit_checkpoint_classes()
    admit_config_package()
    try:
        extension = importlib.import_module(_EXTENSION)
    except ImportError as error:
        return _substitute_extension(error)
    return extension is sys.modules.get('mmddas.compat.mmcv_ext')


def _substitute_extension(error: ImportError) -> bool:
    if error.name != _EXTENSION:
        return False  # MMCV as a whole could not be imported
    if not isinstance(error, ModuleNotFoundError):
        warnings.warn(
            f"MMCV's compiled operators do not load ({error}), most often since they were built for another version of "
            "PyTorch; torchvision's are used in their place.",
            stacklevel=3,
        )
    from . import mmcv_ext

    sys.modules[_EXTENSION] = mmcv_ext
    sys.modules['mmcv']._ext = mmcv_ext
    # Spawned data workers need the substitutes before they unpickle MMDetection's data set, whose module imports
    # mmcv.ops in MMDetection 3.3. They unpickle this dict first (Python has no public name for it), and a function of
    # this package in it has the package imported in time.
    getattr(multiprocessing.current_process(), '_config', {})[__name__] = install
    return True
