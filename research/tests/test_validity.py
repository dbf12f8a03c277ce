"""What is measured beside what is estimated: known effects and worths, agreeing and opposed."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
OPERATIONS = [f'Op{number}' for number in range(8)]


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two searches of 180 steps in which later operations help more, and trainings in which they add more."""
    (tmp_path / 'given.py').write_text("yardstick = dict(preset='none', metric='accuracy')\n")
    rows = [
        dict(name=name, seed=seed, seconds=1, evaluations={'1': {'accuracy': 9.0}, '2': {'accuracy': value + seed}})
        for seed in (0, 1)
        for name, value in [('none', 50.0), *((op, 50.0 + number) for number, op in enumerate(OPERATIONS))]
    ]
    (tmp_path / 'given.jsonl').write_text(''.join(json.dumps(row) + '\n' for row in rows))
    rng = np.random.default_rng(0)
    for seed in (0, 1):
        indices = rng.integers(len(OPERATIONS), size=(180, 4, 2))
        # Along the second direction the opposite helps.
        along = -indices.sum(axis=-1) + 0.1 * rng.normal(size=(180, 4))
        np.savez(
            tmp_path / f'given_search_{seed}.npz',
            directions=np.array(['after', 'opposite']),
            candidates=np.array([(op, 'None') for op in OPERATIONS]),
            indices=indices,
            alignments=np.stack([along, -along], axis=1),
        )
    return tmp_path


@pytest.mark.slow
def test_agreement_and_its_opposite_are_told(folder):
    command = [sys.executable, ROOT / 'research/validity.py', folder / 'given.py', '--seeds', '0', '1']
    where = ['--records', folder, '--results', folder, '--way', 'after', '--figure', folder / 'worth.png']
    done = subprocess.run([*command, *where], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert 'accuracy of given: 8 of 8 operations, training seeds [0, 1]' in done.stdout
    assert 'training seeds 0 and 1: +1.00' in done.stdout
    assert lines['after'].count('+1.00 [') == 4  # all steps and the three thirds
    assert lines['opposite'].count('-1.00 [') == 4
    assert (folder / 'worth.png').stat().st_size > 10_000
