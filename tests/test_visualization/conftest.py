"""What tests of figures share."""

import importlib
import sys

import pytest


@pytest.fixture
def run(request, monkeypatch, capsys):
    """Calls the tool that the module names as ``TOOL`` with arguments, in this process; returns what it printed."""
    path = request.module.TOOL
    monkeypatch.syspath_prepend(str(path.parent))
    tool = importlib.import_module(path.stem)

    def call(*arguments):
        monkeypatch.setattr(sys, 'argv', [path.name, *map(str, arguments)])
        tool.main()
        return capsys.readouterr().out

    return call
