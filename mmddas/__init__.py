"""mmddas: search a data-augmentation policy for your own data set, inside MMDetection and MMPretrain.

Importing the package registers everything (``custom_imports = dict(imports=['mmddas'])`` in a config). Where none of
OpenMMLab's packages is installed, it brings the method and the operations alone, ``mmddas.core`` and ``mmddas.ops``.
"""

import importlib.util

from .requirements import check_opencv, check_requirements, some_of_openmmlab
from .version import __version__

check_opencv()
from . import ops  # noqa: E402  (the sentence above comes first)

__all__ = ['__version__', 'ops']

if importlib.util.find_spec('torch') is not None:
    from . import core

    __all__ += ['core']

if some_of_openmmlab():
    from . import datasets, engine, models

    __all__ += ['datasets', 'engine', 'models']


def __getattr__(name: str) -> object:
    """Say what a part needs that has not been imported."""
    if name == 'core':
        raise AttributeError('mmddas.core needs PyTorch, which is not installed: pip install torch')
    if name in ('datasets', 'engine', 'models'):
        try:
            check_requirements()
        except ImportError as error:
            raise AttributeError(f'mmddas.{name} is not there: {error}') from error
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
