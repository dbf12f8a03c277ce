"""Run a script with the substitutes in place: ``python -m mmddas.compat SCRIPT [ARGUMENT ...]``.

``custom_imports`` in a config comes too late for MMDetection's ``tools/test.py`` and other scripts that import
``mmdet.evaluation`` or ``mmdet.apis`` before they read the config.
"""

from __future__ import annotations

import os
import runpy
import sys

import mmddas.compat


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit('usage: python -m mmddas.compat SCRIPT [ARGUMENT ...]')
    mmddas.compat.install()
    del sys.argv[0]
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))  # where Python puts the folder of a script
    runpy.run_path(sys.argv[0], run_name='__main__')


if __name__ == '__main__':
    main()
