"""The command ``mmddas``: help before any import that takes time, every command with examples, the tools the same."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mmddas_cli
from mmddas.cli import COMMANDS, command_parser

ROOT = Path(__file__).parents[2]
HEAVY = ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain', 'cv2', 'matplotlib', 'numpy')
# Runs a command and says which of the packages it has imported.
PROOF = """
import sys, mmddas_cli
sys.argv = ['mmddas', *sys.argv[1:]]
try:
    mmddas_cli.main()
except SystemExit:
    pass
print('IMPORTED', *(name for name in {heavy} if name in sys.modules))
"""


def imported(*arguments: str) -> tuple[list[str], str]:
    """What of the packages a command imports, and what it prints."""
    command = [sys.executable, '-c', PROOF.format(heavy=HEAVY), *arguments]
    printed = subprocess.run(command, capture_output=True, text=True, cwd='/', env=environment(), check=True).stdout
    text, _, names = printed.rpartition('IMPORTED')
    return names.split(), text


def environment() -> dict[str, str]:
    return os.environ | dict(PYTHONPATH=str(ROOT))


@pytest.mark.parametrize('arguments', [(), *((name,) for name in COMMANDS)], ids=' '.join)
def test_help_imports_nothing_that_takes_time(arguments):
    names, text = imported(*arguments, '--help')
    assert names == [] and 'usage: mmddas' in text


def test_a_table_needs_no_openmmlab():
    names, text = imported('show', 'zoph_v1', '--top', '2')
    assert 'Rotate_BBox' in text
    assert not {'mmengine', 'mmcv', 'mmdet', 'mmpretrain'} & {*names}


def test_an_export_says_what_differs_and_replaces_no_file(tmp_path, monkeypatch, capsys):
    out = tmp_path / 'zoph_v1.py'
    monkeypatch.setattr(sys, 'argv', ['mmddas', 'export', 'zoph_v1', '--to', 'mmdet', '--out', str(out)])
    mmddas_cli.main()
    printed, text = capsys.readouterr().out, out.read_text()
    assert printed.endswith(f'{out}\n') and 'Differs: MMDetection rounds every magnitude' in printed
    assert text.startswith('# zoph_v1 (final) for mmdet: ') and '\npolicy = dict(' in text
    with pytest.raises(SystemExit, match='2'):
        mmddas_cli.main()
    assert f'{out} exists already' in capsys.readouterr().err and out.read_text() == text


@pytest.mark.parametrize('name', COMMANDS)
def test_the_help_of_a_command_has_an_example_and_its_options_are_explained(name):
    parser = command_parser(name, f'mmddas {name}')
    assert re.search(rf'^ *mmddas {name} \S', parser.description, re.MULTILINE)
    assert all(action.help for action in parser._actions)


def test_a_command_that_there_is_not_is_told_those_that_there_are(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['mmddas', 'sarch'])
    with pytest.raises(SystemExit) as stopped:
        mmddas_cli.main()
    assert stopped.value.code == 2
    assert "invalid choice: 'sarch' (choose from" in capsys.readouterr().err


@pytest.mark.parametrize('name', COMMANDS)
def test_a_tool_is_the_command_of_its_name(name):
    (tool,) = [path for path in (ROOT / 'tools').rglob('*.py') if f"main('{name}')" in path.read_text()]
    command = [sys.executable, str(tool), '--help']
    text = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True).stdout
    assert text.startswith(f'usage: python {tool}')
    assert f'mmddas {name}' in text


@pytest.mark.parametrize('script', sorted(path.name for path in (ROOT / 'tools').glob('[ds]*_[st]*.sh')))
def test_shell_scripts_print_their_usage(script):
    for arguments, status in ((), 2), (('--help',), 0):
        done = subprocess.run(['bash', str(ROOT / 'tools' / script), *arguments], capture_output=True, text=True)
        assert f'tools/{script} ' in done.stdout and done.returncode == status


def test_the_installed_program_is_this_command():
    program = shutil.which('mmddas')
    if program is None:
        pytest.skip('mmddas is not installed here')
    text = subprocess.run([program, '--version'], capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(r'mmddas \d+\.\d+\.\d+\S*\n', text)
