"""The table of a policy, or of two: sorted, complete, joined on the candidates; and its command line."""

from pathlib import Path

import numpy as np
import pytest

from mmddas.core import Effects, Findings, PolicySchedule, PolicySnapshot, SearchSpace
from mmddas.viz.policy_table import policy_table

TOOL = Path(__file__).parents[2] / 'tools' / 'analysis_tools' / 'show_policy.py'
SPACE = SearchSpace(['Equalize', ('Rotate_BBox', 2), ('Rotate_BBox', 10), ('Color', 4)])
OTHER = SearchSpace([('Color', 4), 'Equalize', 'Identity'])


@pytest.fixture
def schedule():
    return PolicySchedule(
        SPACE,
        [
            PolicySnapshot(0.35, np.full(4, 0.25)),
            PolicySnapshot(0.41, np.array([0.1, 0.2, 0.4, 0.3])),
        ],
    )


@pytest.fixture
def other():
    return PolicySchedule(OTHER, [PolicySnapshot(0.5, np.array([0.25, 0.15, 0.6]))])


def rows(table):
    """The cells of the body, without captions and heads."""
    lines = table.splitlines()
    start = max(i for i, line in enumerate(lines) if 'operation' in line or '(points)' in line) + 1
    return [line.split() for line in lines[start:]]


def test_rows_fall_in_probability_and_sum_to_one(schedule):
    table = policy_table({'a': schedule})
    assert 'p_tp 0.4100' in table
    assert rows(table) == [
        ['Rotate_BBox', '10', '1', '40.00%', '1.60'],
        ['Color', '4', '2', '30.00%', '1.20'],
        ['Rotate_BBox', '2', '3', '20.00%', '0.80'],
        ['Equalize', '-', '4', '10.00%', '0.40'],
    ]


def test_what_top_leaves_out_is_summed_up(schedule):
    assert rows(policy_table({'a': schedule}, top=1)) == [
        ['Rotate_BBox', '10', '1', '40.00%', '1.60'],
        ['(3', 'more)', '60.00%'],
    ]
    assert policy_table({'a': schedule}, top=4) == policy_table({'a': schedule}, top=None)


def test_two_policies_are_joined_on_their_candidates_and_their_difference_shown(schedule, other):
    assert rows(policy_table({'a': schedule, 'b': other})) == [
        ['Identity', '-', '-', '-', '-', '1', '60.00%', '1.80', '-'],
        ['Rotate_BBox', '10', '1', '40.00%', '1.60', '-', '-', '-', '-'],
        ['Color', '4', '2', '30.00%', '1.20', '2', '25.00%', '0.75', '-5.00'],
        ['Rotate_BBox', '2', '3', '20.00%', '0.80', '-', '-', '-', '-'],
        ['Equalize', '-', '4', '10.00%', '0.40', '3', '15.00%', '0.45', '+5.00'],
    ]


def test_lines_are_plain_and_columns_aligned(schedule, other):
    table = policy_table({'a': schedule, 'other': other})
    assert table.isascii() and '\x1b' not in table
    body = table.split('\n\n')[1].splitlines()
    assert len({len(line) for line in body}) == 1


def test_epochs_count_from_zero_or_from_the_end(schedule):
    assert policy_table({'a': schedule}, epoch=0) == policy_table({'a': schedule}, epoch=-2)
    assert 'after epoch 1 of 2' in policy_table({'a': schedule}, epoch=0)
    for epoch in (2, -3):
        with pytest.raises(ValueError, match=f'no snapshot {epoch}'):
            policy_table({'a': schedule}, epoch=epoch)


def test_nothing_to_show_is_an_error(schedule):
    with pytest.raises(ValueError, match='no policy'):
        policy_table({})
    with pytest.raises(ValueError, match='top'):
        policy_table({'a': schedule}, top=0)


def test_the_tool_shows_policies_by_their_differing_folders(schedule, other, tmp_path, run):
    paths = [tmp_path / name / 'policy.json' for name in ('seed0', 'seed1')]
    for item, path in zip((schedule, other), paths, strict=True):
        item.save(path)
    shown = run(*paths, '--top', 2, '--epoch', 1, '--smoothing', 3)
    assert shown.startswith('seed0: p_tp 0.3800,')
    assert 'seed1: p_tp 0.5000' in shown and '(3 more)' in shown


def test_the_tool_says_how_far_the_evidence_of_two_policies_agrees(tmp_path, run):
    space = SearchSpace([f'op{number}' for number in range(6)])
    columns = np.full(6, 50.0), np.linspace(-1, 1, 6), np.full(6, 0.1), np.full(6, 30.0)
    findings = Findings(90, [candidate.op for candidate in space.candidates], Effects(*columns), Effects(*columns))
    for name in 'ab':
        PolicySchedule(space, [PolicySnapshot(0.4, np.full(6, 1 / 6))], {}, findings).save(tmp_path / f'{name}.json')
    assert 'a.json and b.json: effects of 6 operations have a rank correlation of 1.00' in run(
        tmp_path / 'a.json', tmp_path / 'b.json'
    )


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['policy.json', '--epoch', 3], '--epoch must be from 1 to 2'),
        (['policy.json', '--epoch', 0], '--epoch must be from 1 to 2'),
        (['policy.json', '--smoothing', 2], 'odd'),
        (['policy.json', 'policy.json'], 'twice'),
        (['missing.json'], 'no policy file'),
    ],
)
def test_the_tool_says_what_is_wrong(schedule, tmp_path, run, arguments, message, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    schedule.save('policy.json')
    with pytest.raises(SystemExit) as stopped:
        run(*arguments)
    assert stopped.value.code == 2 and message in capsys.readouterr().err
