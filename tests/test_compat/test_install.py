"""When the substitutes are put in place, and when they keep out."""

from __future__ import annotations

import importlib
import subprocess
import sys
import types

import pytest

from mmddas import compat


def refuse_to_import(monkeypatch, error: ImportError) -> None:
    """Let the import of ``mmcv._ext`` fail with ``error``, for the length of a test."""

    def fail(name):
        raise error

    monkeypatch.delitem(sys.modules, 'mmcv._ext')
    monkeypatch.setattr(importlib, 'import_module', fail)


def test_installing_again_changes_nothing():
    before = sys.modules['mmcv._ext']
    assert compat.install() == (before.__name__ == 'mmddas.compat.mmcv_ext')
    assert sys.modules['mmcv._ext'] is before


def test_mmcvs_own_operators_are_left_alone(monkeypatch):
    own = types.ModuleType('mmcv._ext')
    monkeypatch.setitem(sys.modules, 'mmcv._ext', own)
    assert compat.install() is False
    assert sys.modules['mmcv._ext'] is own


def test_nothing_happens_without_mmcv(monkeypatch):
    refuse_to_import(monkeypatch, ModuleNotFoundError("No module named 'mmcv'", name='mmcv'))
    assert compat.install() is False
    assert 'mmcv._ext' not in sys.modules


def test_operators_built_for_another_pytorch_are_replaced_with_a_warning(monkeypatch):
    refuse_to_import(monkeypatch, ImportError('undefined symbol: _ZN3c10', name='mmcv._ext', path='_ext.so'))
    with pytest.warns(UserWarning, match='undefined symbol.*another version of PyTorch'):
        assert compat.install() is True
    assert sys.modules['mmcv._ext'].__name__ == 'mmddas.compat.mmcv_ext'


@pytest.mark.slow
def test_mmdet_can_be_imported_after_it_failed():
    """MMDetection's tools/train.py imports ``mmdet.utils`` first, others ``mmdet.models`` in vain."""
    script = """if True:
        import mmdet.utils
        try:
            import mmdet.models
        except ModuleNotFoundError as error:
            assert error.name == 'mmcv._ext'
        from mmddas import compat
        compat.install()
        import mmcv.ops, mmdet.apis, mmdet.models
        from mmengine.utils.dl_utils import mmcv_full_available
        assert mmcv_full_available()
    """
    subprocess.run([sys.executable, '-W', 'ignore', '-c', script], check=True)


@pytest.mark.slow
def test_a_script_that_imports_mmdet_first_can_be_run(tmp_path):
    script = tmp_path / 'evaluate.py'
    script.write_text('import sys, mmdet.evaluation, beside_it; print(__name__, sys.argv[1:], beside_it.__name__)')
    (tmp_path / 'beside_it.py').touch()
    command = [sys.executable, '-W', 'ignore', '-m', 'mmddas.compat', str(script), '--out', 'x']
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert output.splitlines()[-1] == "__main__ ['--out', 'x'] beside_it"
