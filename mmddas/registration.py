"""Importing what the installed packages allow, which registers it."""

import importlib
import importlib.util

from .requirements import check_opencv, some_of_openmmlab


def import_all() -> list[str]:
    """Import the parts of mmddas that can be; returns their names."""
    check_opencv()
    parts = ['ops']
    parts += ['core', 'transforms'] if importlib.util.find_spec('torch') is not None else []
    parts += ['datasets', 'engine', 'models'] if some_of_openmmlab() else []
    for part in parts:
        importlib.import_module(f'mmddas.{part}')
    return parts
