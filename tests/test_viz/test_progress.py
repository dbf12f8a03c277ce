"""The bar: in a terminal below whole lines of the log, in a pipe not there."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Without the rest of the package, whose import takes seconds.
PROGRAM = """
import sys
import mmddas_cli
mmddas_cli.deferred = True
from mmengine.logging import MMLogger
from mmddas.viz.progress import Bar
logger = MMLogger.get_instance('run', log_level='INFO')
bar = Bar(5, 'steps', done=1)
for step in range(4):
    logger.info(f'line {step} of the log')
    print(f'printed {step}')
    bar.advance(f'Solarize x{step}')
if len(sys.argv) > 1:
    raise ValueError('it ends early')
bar.stop()
bar.stop()
logger.info('after it')
print('shown' if bar.shown else 'not shown')
"""
LINES = [f'{kind} {step}' for step in range(4) for kind in ('line', 'printed')]


def in_a_pipe() -> str:
    command = [sys.executable, '-c', PROGRAM]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def in_a_terminal(*arguments: str) -> tuple[int, str]:
    """The exit status, and all that a terminal gets."""
    ours, theirs = pty.openpty()
    environment = os.environ | dict(TERM='xterm', COLUMNS='160')
    child = subprocess.Popen(
        [sys.executable, '-c', PROGRAM, *arguments], stdout=theirs, stderr=theirs, cwd=ROOT, env=environment
    )
    os.close(theirs)
    content = b''
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        content += part
    os.close(ours)
    return child.wait(), content.decode()


def plain(text: str) -> list[str]:
    """Its lines without what moves the cursor and colours."""
    return [line.strip() for line in re.split(r'[\r\n]+', re.sub(r'\x1b\[[0-9;?]*[A-Za-z]', '', text))]


def test_in_a_pipe_there_are_lines_alone():
    found = in_a_pipe()
    assert '\x1b' not in found and 'steps' not in found and found.endswith('not shown\n')
    assert len(found.splitlines()) == len(LINES) + 2


def test_in_a_terminal_it_is_below_whole_lines():
    status, text = in_a_terminal()
    assert status == 0
    lines = plain(text)
    for step in range(4):
        assert f'printed {step}' in lines
        assert any(re.fullmatch(rf'\S+ \S+ - mmengine - INFO - line {step} of the log', line) for line in lines)
    assert any('5/5 steps' in line and 'Solarize x3' in line for line in lines)
    assert any(line.endswith('after it') for line in lines) and 'not shown' in lines


def test_where_the_program_fails_the_terminal_is_left_in_order():
    status, text = in_a_terminal('fail')
    assert status == 1 and 'ValueError: it ends early' in text
    assert text.rindex('\x1b[?25h') > text.rindex('\x1b[?25l')  # the cursor is shown again
