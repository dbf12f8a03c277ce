"""A formatter whose cache another process is writing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mmddas.compat import formatter

# By its file: the package, whose import takes seconds, is not needed.
FORMATTER = Path(formatter.__file__)
WAIT_FOR_IT = 'import formatter; print(formatter.import_formatter({patience})("a=1\\n")[0])'


@pytest.fixture
def cut_off(tmp_path) -> Path:
    """A cache whose files are there and empty."""
    subprocess.run([sys.executable, '-c', 'import yapf'], env=environment(tmp_path), check=True)
    files = list(tmp_path.rglob('*.pickle'))
    if not files:
        pytest.skip('this yapf keeps no cache, or elsewhere')
    for file in files:
        file.write_bytes(b'')
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, 'XDG_CACHE_HOME': str(folder)}


def imported(folder: Path, patience: float) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, '-c', WAIT_FOR_IT.format(patience=patience)],
        env=environment(folder) | {'PYTHONPATH': str(FORMATTER.parent)},
        capture_output=True,
        text=True,
    )


def test_a_file_that_is_being_written_is_waited_for(cut_off):
    whole = threading.Timer(2, lambda: [file.unlink() for file in cut_off.rglob('*.pickle')])
    whole.start()
    begun = time.monotonic()
    found = imported(cut_off, patience=60)
    assert time.monotonic() - begun > 2
    assert found.stdout == 'a = 1\n\n', found.stderr


def test_a_file_that_stays_cut_off_is_named(cut_off):
    assert 'RuntimeError: yapf, with which MMEngine formats' in imported(cut_off, patience=0.2).stderr
