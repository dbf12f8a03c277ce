"""The examples do what their pages say."""

import re
import runpy
from pathlib import Path

import pytest
from make_shapes import make_shapes
from without_packages import OPENMMLAB, run_script_without

from mmddas.core import Candidate, PolicySchedule

DOCS = Path(__file__).parents[2] / 'docs'
EXAMPLE = DOCS / 'examples' / 'core_loop.py'


@pytest.mark.slow
def test_the_planted_candidate_leads(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLE), run_name='__main__')
    schedule = PolicySchedule.load('policy.json')
    last = schedule.snapshots[-1]
    assert schedule.space.candidates[last.op_probs.argmax()] == ('rotate', 90)
    assert last.op_probs.max() > 0.4
    assert 'leading rotate 90' in capsys.readouterr().out.splitlines()[-1]


def test_the_page_shows_the_example_as_it_is():
    blocks = re.findall(r'```python\n(.*?)```', (DOCS / 'core_loop.md').read_text(encoding='utf-8'), re.DOTALL)
    assert blocks
    source = ''.join(path.read_text(encoding='utf-8') for path in EXAMPLE.parent.glob('*.py'))
    for block in blocks:
        assert block in source


def without_openmmlab(name: str, *arguments: str, folder: Path) -> str:
    """What an example prints where OpenMMLab is not installed."""
    done = run_script_without(OPENMMLAB, EXAMPLE.with_name(name), *arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_detector_of_torchvision_is_searched_for_without_openmmlab(tmp_path):
    make_shapes(tmp_path / 'data/shapes', 8, 8, 1)
    printed = without_openmmlab('detection_search.py', '--epochs', '2', folder=tmp_path)
    assert 'none of 26 operations is significant' in printed
    schedule = PolicySchedule.load(tmp_path / 'policy.json')
    assert len(schedule) == 2 and schedule.findings.steps == 4


@pytest.mark.slow
def test_that_search_finds_what_was_planted(tmp_path):
    make_shapes(tmp_path / 'data/shapes')
    printed = without_openmmlab('detection_search.py', folder=tmp_path)
    schedule = PolicySchedule.load(tmp_path / 'policy.json')
    assert schedule.space.candidates[schedule.snapshots[-1].op_probs.argmax()] == Candidate('Solarize', 0)
    assert 'Solarize' in printed.splitlines()[-2]


@pytest.mark.slow
@pytest.mark.parametrize('policy', [(), ('zoph_v1',)])
def test_a_detector_of_torchvision_is_trained_without_openmmlab(tmp_path, policy):
    make_shapes(tmp_path / 'data/shapes')
    printed = without_openmmlab('train_torchvision.py', *policy, folder=tmp_path)
    losses = [float(loss) for loss in re.findall(r'loss ([0-9.]+)', printed)]
    assert len(losses) == 2 and losses[1] < losses[0]
