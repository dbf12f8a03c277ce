"""The figure of a policy: a whole, valid file for every shape of policy, and nothing else left behind."""

import cv2
import matplotlib
import numpy as np
import pytest
import torch

from mmddas.core import Evidence, PolicySchedule, PolicySnapshot, SearchSpace
from mmddas.viz.policy_figure import BACKGROUND, Grid, _apart, _colours, _figure, draw_policy

DETECTION = SearchSpace.preset('detection')
ONE_LEVEL = SearchSpace([(f'Operation_{i}', 6) for i in range(21)])
FEW = SearchSpace(['AutoContrast', ('Rotate_BBox', 6), ('Rotate_BBox', 10)])
MANY_LEVELS = SearchSpace([(f'Operation_{i}', level) for i in range(5) for level in range(26)])


def drifting(space, num_epochs, strength=1.0, meta=None):
    rng = np.random.default_rng(0)
    pull = rng.normal(size=len(space))
    snapshots = []
    for epoch in range(num_epochs):
        weights = np.exp(strength * pull * (epoch + 1) / num_epochs)
        snapshots.append(PolicySnapshot(0.35 + 0.1 * epoch / num_epochs, weights / weights.sum()))
    return PolicySchedule(space, snapshots, meta)


def with_evidence(schedule, steps):
    """The first operation helps."""
    evidence, generator = Evidence(schedule.space), torch.Generator().manual_seed(0)
    for _ in range(steps):
        indices = torch.randint(len(schedule.space), (3, schedule.space.num_ops), generator=generator)
        helps = torch.from_numpy(schedule.space.operation_of == 0)[indices].sum(dim=1)
        evidence.add(indices, torch.randn(3, generator=generator) - 2 * helps)
    schedule.findings = evidence.findings()
    return schedule


@pytest.mark.parametrize(
    'schedule',
    [
        drifting(DETECTION, 30, meta=dict(config='some_$config$_name', seed=0)),
        drifting(DETECTION, 1, strength=0.01),
        drifting(DETECTION, 2, strength=0.0),
        drifting(ONE_LEVEL, 8, strength=8.0),
        drifting(FEW, 50),
        drifting(MANY_LEVELS, 5),
        drifting(SearchSpace(['Identity']), 3),
        PolicySchedule(FEW, [PolicySnapshot(1.0, np.array([0.0, 1.0, 0.0]))]),
        with_evidence(drifting(DETECTION, 2), 60),
        with_evidence(drifting(SearchSpace(['Identity']), 2), 3),
        with_evidence(drifting(FEW, 2), 0),
    ],
    ids=lambda schedule: f'{len(schedule.space)}-{len(schedule)}-{schedule.findings and schedule.findings.steps}',
)
def test_every_shape_of_policy_gives_a_valid_png_and_no_other_file(schedule, tmp_path):
    draw_policy(schedule, tmp_path / 'policy.png')
    image = cv2.imread(str(tmp_path / 'policy.png'))
    assert image is not None and min(image.shape[:2]) > 500
    assert (image != 255).any()
    assert [path.name for path in tmp_path.iterdir()] == ['policy.png']


def test_a_figure_is_replaced_whole_and_matplotlibs_state_stays(tmp_path):
    before = dict(matplotlib.rcParams)
    path = tmp_path / 'new' / 'policy.png'
    draw_policy(drifting(FEW, 2), path)
    first = path.read_bytes()
    draw_policy(drifting(FEW, 3), path)
    assert path.read_bytes() != first and path.read_bytes().endswith(b'IEND\xaeB`\x82')
    assert dict(matplotlib.rcParams) == before


def test_what_cannot_be_drawn_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match='nothing has been searched'):
        draw_policy(PolicySchedule(FEW), tmp_path / 'policy.png')
    with pytest.raises(ValueError, match='suffix'):
        draw_policy(drifting(FEW, 2), tmp_path / 'policy.txt')
    assert not list(tmp_path.iterdir())


def test_the_grid_holds_every_candidate_once_and_sorts_operations_by_their_mean_multiple():
    schedule = drifting(DETECTION, 3)
    grid, probs = Grid.of(schedule), schedule.snapshots[-1].op_probs
    assert np.isfinite(grid.cells).sum() == len(DETECTION)
    for k, place in grid.place.items():
        assert grid.cells[place] == pytest.approx(probs[k] * len(DETECTION))
    assert (np.diff(grid.means) <= 0).all()
    assert grid.summed_probs.sum() == pytest.approx(1)


def test_operations_without_a_significant_effect_are_grey():
    schedule = with_evidence(drifting(MANY_LEVELS, 3), 60)
    *_, bars, effects = _figure(schedule).axes
    found = schedule.findings.operation_effects.significant()
    assert found[0] and not found.all()
    grey = {
        row for row, bar in enumerate(bars.patches) if matplotlib.colors.same_color(bar.get_facecolor(), BACKGROUND)
    }
    rows = Grid.of(schedule).ops
    assert grey == {
        rows.index(name) for name, known in zip(schedule.findings.operations, found, strict=True) if not known
    }
    assert f'{found.sum()} of 5 significant' in [text.get_text() for text in effects.texts][0]


def test_a_candidate_keeps_its_colour_whatever_its_rank():
    assert _colours([8, 1, 3]) == _colours([3, 8, 1])[1:] + _colours([3, 8, 1])[:1]
    assert len(set(_colours([0, 6, 12, 18, 24]))) == 5


def test_labels_do_not_touch_and_stay_below_the_top():
    places = _apart([1.2, 0.99, 0.98, 0.5, 0.02, 0.01], 0.05)
    assert max(places) <= 1 and (-np.diff(places) >= 0.05 - 1e-12).all()
