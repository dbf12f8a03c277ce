"""mmddas: search a data-augmentation policy for your own data set, inside MMDetection and MMPretrain.

Importing the package registers everything (``custom_imports = dict(imports=['mmddas'])`` in a config).
"""

from .compat import install
from .requirements import check_requirements
from .version import __version__

check_requirements()
install()

from . import core, datasets, engine, models, ops  # noqa: E402  (MMDetection must be imported after compat has been installed)

__all__ = ['__version__', 'core', 'datasets', 'engine', 'models', 'ops']
