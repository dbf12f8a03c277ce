"""What tests of figures share."""

import runpy
import sys

import pytest


@pytest.fixture
def run(request, monkeypatch, capsys):
    """Calls the tool that the module names as ``TOOL`` with arguments, in this process; returns what it printed."""
    path = request.module.TOOL

    def call(*arguments):
        monkeypatch.setattr(sys, 'argv', [path.name, *map(str, arguments)])
        runpy.run_path(str(path), run_name='__main__')
        return capsys.readouterr().out

    return call
