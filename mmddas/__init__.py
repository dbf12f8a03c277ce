"""mmddas: search a data-augmentation policy for your own data set, inside MMDetection and MMPretrain.

Importing the package registers everything (``custom_imports = dict(imports=['mmddas'])`` in a config). Where none of
OpenMMLab's packages is installed, it brings the method, the operations and a transform for other trainings:
``mmddas.core``, ``mmddas.ops`` and ``mmddas.PolicyTransform``.
"""

import sys

from .requirements import check_requirements, import_all
from .version import __version__

__all__ = ['__version__']

# The command line imports the parts that a command needs, and none before --help.
if not getattr(sys.modules.get('mmddas_cli'), 'deferred', False):
    __all__ += import_all()
    if 'transforms' in __all__:
        from .transforms import PolicyTransform

        __all__ += ['PolicyTransform']


def __getattr__(name: str) -> object:
    """Raise AttributeError with what a part needs that has not been imported."""
    if name in ('core', 'transforms', 'PolicyTransform'):
        raise AttributeError(f'mmddas.{name} needs PyTorch, which is not installed: pip install torch')
    if name in ('datasets', 'engine', 'models'):
        try:
            check_requirements()
        except ImportError as error:
            raise AttributeError(f'mmddas.{name} is not there: {error}') from error
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
