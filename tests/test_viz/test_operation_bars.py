"""Operations as bars: true to the schedule, readable for every policy, a whole file; and the command line."""

from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest

from mmddas.core import PolicySchedule, PolicySnapshot, SearchSpace
from mmddas.viz.operation_bars import COLOURMAP, LEADING_INK, MAX_EPOCHS, _figure, _shown_epochs, draw_operation_bars

TOOL = Path(__file__).parents[2] / 'tools' / 'analysis_tools' / 'plot_operations.py'
DETECTION = SearchSpace.preset('detection')
ONE_LEVEL = SearchSpace([(f'Operation_{i}', 6) for i in range(20)])
FEW = SearchSpace(['AutoContrast', ('Rotate_BBox', 6), ('Rotate_BBox', 10)])
SINGLE = SearchSpace(['Identity'])


def rising(space, num_epochs, multiple=4.0, leading=0):
    """From nearly uniform to one candidate at a multiple of uniform; the others differ at random."""
    weights = np.random.default_rng(0).uniform(0.5, 1.5, len(space))
    snapshots = []
    for share in np.arange(1, num_epochs + 1) / num_epochs:
        probs = weights**share
        probs[leading] = 0
        first = (1 + (multiple - 1) * share) / len(space)
        probs *= (1 - first) / max(probs.sum(), 1e-12)
        probs[leading] = first
        snapshots.append(PolicySnapshot(0.35 + 0.2 * share, probs / probs.sum()))
    return PolicySchedule(space, snapshots)


def uniform(space, num_epochs=2):
    return PolicySchedule(space, [PolicySnapshot(0.35, np.full(len(space), 1 / len(space)))] * num_epochs)


def drawn(figure):
    """The axes of p_tp and of the bars, and the bars' lengths by epoch and operation."""
    total_prob, bars = figure.axes
    names = [label.get_text() for label in bars.get_yticklabels()]
    lengths = {}
    for group in bars.containers:
        assert all(bar.get_x() == 0 for bar in group)
        rows = np.array([bar.get_y() + bar.get_height() / 2 for bar in group]).round().astype(int)
        lengths[int(group.get_label())] = {
            names[row]: bar.get_width() for row, bar in zip(rows, group.patches, strict=True)
        }
    return total_prob, bars, lengths


@pytest.mark.parametrize('space', [DETECTION, ONE_LEVEL, FEW, SINGLE], ids=['detection', 'one-level', 'few', 'single'])
def test_a_bar_is_the_mean_multiple_of_uniform_of_its_operations_levels(space):
    schedule = rising(space, 12, multiple=min(4.0, len(space)))
    lengths = drawn(_figure(schedule, [12, 1, 7]))[2]
    assert sorted(lengths) == [1, 7, 12]
    for epoch, by_name in lengths.items():
        probs = schedule.snapshots[epoch - 1].op_probs
        assert set(by_name) == {candidate.op for candidate in space.candidates}
        for name, length in by_name.items():
            levels = [probs[k] for k, candidate in enumerate(space.candidates) if candidate.op == name]
            assert length == pytest.approx(np.mean(levels) * len(space))


def test_an_operation_with_more_levels_has_no_longer_bar_for_it():
    for by_name in drawn(_figure(uniform(DETECTION)))[2].values():
        assert list(by_name.values()) == pytest.approx([1.0] * 26)


def test_operations_keep_the_order_of_the_search_space_from_the_top_down():
    bars = drawn(_figure(rising(DETECTION, 3, leading=50)))[1]
    order = list(dict.fromkeys(candidate.op for candidate in DETECTION.candidates))
    assert [label.get_text() for label in bars.get_yticklabels()] == order
    assert bars.yaxis_inverted()


def test_the_leading_operation_and_no_other_is_marked():
    def marked(schedule, epochs=None):
        labels = drawn(_figure(schedule, epochs))[1].get_yticklabels()
        return [label.get_text() for label in labels if label.get_color() == LEADING_INK]

    assert marked(rising(ONE_LEVEL, 12, leading=7)) == ['Operation_7']
    assert marked(uniform(ONE_LEVEL)) == []
    # Of the last epoch that is shown.
    turning = PolicySchedule(FEW, [PolicySnapshot(0.5, np.array(p)) for p in ([0.8, 0.1, 0.1], [0.2, 0.1, 0.7])])
    assert marked(turning, [1]) == ['AutoContrast']
    assert marked(turning) == ['Rotate_BBox']


def test_p_tp_is_shown_for_all_epochs_whichever_the_bars_show():
    schedule = rising(FEW, 12, multiple=2)
    curve = drawn(_figure(schedule, [3]))[0].lines[0]
    assert curve.get_xdata().tolist() == list(range(1, 13))
    assert curve.get_ydata() == pytest.approx([snapshot.total_prob for snapshot in schedule.snapshots])


@pytest.mark.parametrize('num_epochs', [1, 2, 4, 5, 6, 12, 30, 51, 1000])
def test_by_default_evenly_spread_epochs_are_shown_and_the_last(num_epochs):
    shown = _shown_epochs(None, num_epochs)
    assert len(shown) == min(num_epochs, 5)
    assert shown[-1] == num_epochs and shown[0] >= 1
    assert np.ptp(np.diff([0, *shown])) <= 1


def test_later_epochs_are_darker():
    lightness = COLOURMAP(np.linspace(0, 1, MAX_EPOCHS))[:, :3] @ (0.3, 0.59, 0.11)
    assert (np.diff(lightness) < -0.02).all()


def shown_texts(figure):
    """All texts but the labels of ticks that lie outside of their axis."""
    hidden = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks():
            if not low <= tick.get_loc() <= high:
                hidden.add(tick.label1)
    texts = figure.findobj(matplotlib.text.Text)
    return [text for text in texts if text.get_text() and text.get_visible() and text not in hidden]


@pytest.mark.parametrize(
    'schedule',
    [
        rising(DETECTION, 30),
        rising(ONE_LEVEL, 2000, multiple=20.0),
        rising(SearchSpace(['An_operation_with_an_uncommonly_long_name', '$odd$ {name}']), 2, multiple=1.0),
        rising(SINGLE, 1, multiple=1.0),
        PolicySchedule(FEW, [PolicySnapshot(1.0, np.array([0.0, 1.0, 0.0]))]),
    ],
    ids=['detection', 'one-level', 'long-name', 'single', 'certain'],
)
@pytest.mark.parametrize('many', [False, True], ids=['default', 'most-epochs'])
def test_no_text_is_clipped_and_none_covers_another(schedule, many):
    epochs = range(max(1, len(schedule) - MAX_EPOCHS + 1), len(schedule) + 1) if many else None
    figure = _figure(schedule, epochs)
    renderer = figure.canvas.get_renderer()
    figure.draw(renderer)
    texts = shown_texts(figure)
    assert len(texts) > 10
    boxes = np.array([text.get_window_extent(renderer).extents for text in texts])
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= figure.bbox.extents[2:]).all()
    for i, text in enumerate(texts):
        low, high = np.maximum(boxes[i, :2], boxes[:, :2]), np.minimum(boxes[i, 2:], boxes[:, 2:])
        covered = [texts[j].get_text() for j in np.flatnonzero((high - low > 1).all(axis=1)) if j != i]
        assert not covered, (text.get_text(), covered)


def test_a_figure_appears_whole_and_matplotlibs_state_stays(tmp_path):
    before = dict(matplotlib.rcParams)
    path = tmp_path / 'new' / 'operations.png'
    draw_operation_bars(rising(FEW, 2, multiple=2), path)
    first = path.read_bytes()
    draw_operation_bars(rising(FEW, 3, multiple=2), path, [1])
    assert path.read_bytes() != first
    assert (cv2.imread(str(path)) != 255).any()
    assert [item.name for item in path.parent.iterdir()] == ['operations.png']
    assert dict(matplotlib.rcParams) == before


def test_what_cannot_be_drawn_is_refused_and_leaves_no_file(tmp_path):
    schedule = rising(ONE_LEVEL, 12)
    for epoch in (0, 13, -1, 1.5, '3'):
        with pytest.raises(ValueError, match=rf'must lie in 1\.\.12, .*; got {epoch!r}'):
            draw_operation_bars(schedule, tmp_path / 'operations.png', [1, epoch])
    for epochs in ([], range(1, 12)):
        with pytest.raises(ValueError, match=f'from 1 to 10 different ones, got {len(epochs)}'):
            draw_operation_bars(schedule, tmp_path / 'operations.png', epochs)
    with pytest.raises(ValueError, match='nothing has been searched'):
        draw_operation_bars(PolicySchedule(FEW), tmp_path / 'operations.png')
    with pytest.raises(ValueError, match='suffix'):
        draw_operation_bars(schedule, tmp_path / 'operations.txt')
    assert not list(tmp_path.iterdir())


def test_the_tool_draws_beside_the_policy_or_where_it_is_told(tmp_path, run):
    rising(FEW, 4, multiple=2).save(tmp_path / 'policy.json')
    assert run(tmp_path / 'policy.json') == f'{tmp_path / "operations.png"}\n'
    run(tmp_path / 'policy.json', '--out', tmp_path / 'figures' / 'bars.svg', '--epochs', 1, 4)
    assert cv2.imread(str(tmp_path / 'operations.png')) is not None
    assert '<svg' in (tmp_path / 'figures' / 'bars.svg').read_text()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['policy.json', '--epochs', 1, 5], 'epochs must lie in 1..4'),
        (['policy.json', '--epochs', 0], 'epochs must lie in 1..4'),
        (['policy.json', '--epochs', 'last'], 'invalid int value'),
        (['policy.json', '--out', 'bars.txt'], 'suffix'),
        (['policy.json', '--out', 'policy.json/bars.png'], 'policy.json'),
        (['missing.json'], 'no policy file'),
        (['.'], 'JSON file'),
    ],
)
def test_the_tool_says_what_is_wrong(tmp_path, run, arguments, message, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rising(FEW, 4, multiple=2).save('policy.json')
    with pytest.raises(SystemExit) as stopped:
        run(*arguments)
    assert stopped.value.code == 2 and message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ['policy.json']
