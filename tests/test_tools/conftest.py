"""What the tests of tools share."""

import runpy
import sys
from types import SimpleNamespace

import pytest


@pytest.fixture
def run_tool(request, monkeypatch, capsys):
    """Run the tool ``TOOL`` of the test's module in this process; returns its status and what it has printed."""

    tool = request.module.TOOL

    def run(*arguments) -> SimpleNamespace:
        monkeypatch.setattr(sys, 'argv', [tool.name, *map(str, arguments)])
        status = 0
        try:
            runpy.run_path(str(tool), run_name='__main__')
        except SystemExit as end:
            status = end.code
        printed = capsys.readouterr()
        return SimpleNamespace(returncode=status, stdout=printed.out, stderr=printed.err)

    return run
