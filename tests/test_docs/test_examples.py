"""The example of a hand-written loop does what its page says."""

import re
import runpy
from pathlib import Path

from mmddas.core import PolicySchedule

DOCS = Path(__file__).parents[2] / 'docs'
EXAMPLE = DOCS / 'examples' / 'core_loop.py'


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
    source = EXAMPLE.read_text(encoding='utf-8')
    for block in blocks:
        assert block in source
