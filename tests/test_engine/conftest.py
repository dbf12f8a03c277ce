"""What takes longer than a tiny search is left out: its figure, and the formatting of configs in shared searches."""

import pytest

from mmddas.viz import policy_figure


@pytest.fixture(scope='module', autouse=True)
def draw_policy():
    """The function that draws, for a test that wants the figure."""
    drawing = policy_figure.draw_policy
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy_figure, 'draw_policy', lambda *args, **kwargs: None)
        patch.setattr('yapf.yapflib.yapf_api.FormatCode', lambda text, **kwargs: (text, True))
        yield drawing
