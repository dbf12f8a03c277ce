"""Python where some packages are as if they were not installed."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
OPENMMLAB = {'mmengine', 'mmcv', 'mmdet', 'mmpretrain'}
# Neither found nor imported.
HIDE = """
import sys
from importlib.machinery import PathFinder
hidden = set(sys.argv[1].split(','))
class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split('.')[0] in hidden else PathFinder.find_spec(name, path, target)
sys.meta_path = [Without if finder is PathFinder else finder for finder in sys.meta_path]
"""


def run_without(names: set[str], code: str, folder: Path | None = None) -> subprocess.CompletedProcess:
    """Run code in ``folder``; ``sys.argv[1]`` names what is hidden."""
    command = [sys.executable, '-c', HIDE + code, ','.join(sorted(names))]
    paths = {'PYTHONPATH': str(ROOT), 'HOME': os.environ.get('HOME', '/')}
    return subprocess.run(command, env=os.environ | paths, cwd=folder, capture_output=True, text=True)


def run_script_without(
    names: set[str], script: Path, *arguments: str, folder: Path | None = None
) -> subprocess.CompletedProcess:
    """Run a script with these arguments."""
    given = [str(script), *arguments]
    code = f'import runpy; sys.argv = {given!r}; runpy.run_path({str(script)!r}, run_name="__main__")'
    return run_without(names, code, folder)
