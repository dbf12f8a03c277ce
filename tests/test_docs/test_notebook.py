"""The notebook runs from top to bottom; its outputs are kept, and of no one's machine."""

from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / 'demo' / 'search_on_your_own_data.ipynb'


@pytest.mark.slow
def test_the_notebook_runs():
    """Needs ``pip install nbclient ipykernel``; ten minutes."""
    nbformat = pytest.importorskip('nbformat')
    nbclient = pytest.importorskip('nbclient')
    pytest.importorskip('ipykernel')
    notebook = nbformat.read(NOTEBOOK, 4)
    kept = [cell.outputs for cell in notebook.cells if cell.cell_type == 'code']
    nbclient.NotebookClient(notebook, timeout=1200, kernel_name='python3').execute()
    found = [cell.outputs for cell in notebook.cells if cell.cell_type == 'code']
    assert [bool(outputs) for outputs in found] == [bool(outputs) for outputs in kept]
    assert any('policy.json' in str(outputs) for outputs in found)


def test_its_outputs_are_kept():
    text = NOTEBOOK.read_text()
    assert '"image/png"' in text and 'bbox_mAP_copypaste' in text
    assert not any(f'/{folder}/' in text for folder in ('home', 'root', 'tmp'))
