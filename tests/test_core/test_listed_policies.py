"""Policies of listed sub-policies: drawn as their authors draw them, and kept in files."""

import math
from collections import Counter

import numpy as np
import pytest

from mmddas.core import Candidate, ListedOperation, ListedSnapshot, PolicyFileError, PolicySchedule, SearchSpace

DRAWS = 100_000
LISTED = [
    [ListedOperation('A', 2, 0.3), ListedOperation('B', None, 0.9)],
    [ListedOperation('A', 4, 1.0), ListedOperation('A', 2, 0.5), ListedOperation('B', None, 0.0)],
    [ListedOperation('B', None, 0.4)],
]
SPACE = SearchSpace([('A', 2), 'B', ('A', 4)], num_ops=3)


def draws(snapshot, count=DRAWS, in_boxes=lambda name: False):
    numbers = np.random.default_rng(0)
    return [snapshot.draw(SPACE, numbers.random, in_boxes) for _ in range(count)]


def within_chance(count, expected, total=DRAWS):
    return abs(count - total * expected) < 4.5 * math.sqrt(total * expected * (1 - expected)) + 1e-9


def test_sub_policies_are_equally_likely_and_operations_have_their_own_coins_in_order():
    found = Counter(tuple(drawn) for drawn in draws(ListedSnapshot.of(SPACE, LISTED)))
    a2, b, a4 = SPACE.candidates
    expected = {
        (a2,): 0.3 * 0.1 / 3,
        (b,): (0.7 * 0.9 + 0.4) / 3,
        (a2, b): 0.3 * 0.9 / 3,
        (): (0.7 * 0.1 + 0.6) / 3,
        (a4,): 0.5 / 3,
        (a4, a2): 0.5 / 3,
    }
    assert set(found) == set(expected) and sum(expected.values()) == pytest.approx(1)
    assert all(within_chance(found[drawn], prob) for drawn, prob in expected.items())


@pytest.mark.parametrize('max_applied', [None, [0.2, 0.3, 0.5, 0.0], [0.0, 1.0], [1.0], [0.1, 0.2, 0.3, 0.4]])
def test_shares_are_those_of_what_is_applied(max_applied):
    snapshot = ListedSnapshot.of(SPACE, LISTED, max_applied)
    found = draws(snapshot)
    counts = Counter(candidate for drawn in found for candidate in drawn)
    for candidate, share in zip(SPACE.candidates, snapshot.op_probs, strict=True):
        assert abs(counts[candidate] / DRAWS - share * snapshot.applied) < 0.008
    assert snapshot.op_probs.sum() == pytest.approx(1)


def test_no_more_are_applied_than_drawn_for_and_in_random_order():
    certain = [[ListedOperation(name, None, 1.0) for name in 'ABC']]
    space = SearchSpace(['A', 'B', 'C'], num_ops=3)
    snapshot = ListedSnapshot.of(space, certain, [0.2, 0.3, 0.5, 0.0])
    numbers = np.random.default_rng(1)
    found = Counter(
        ''.join(c.op for c in snapshot.draw(space, numbers.random, lambda name: False)) for _ in range(DRAWS)
    )
    sizes = Counter()
    for drawn, count in found.items():
        sizes[len(drawn)] += count
    assert all(within_chance(sizes[size], prob) for size, prob in enumerate((0.2, 0.3, 0.5, 0.0)))
    pairs = [found[pair] for pair in ('AB', 'BA', 'AC', 'CA', 'BC', 'CB')]
    assert all(within_chance(count, 0.5 / 6) for count in pairs)


def test_operations_in_boxes_are_always_drawn_and_bring_the_probability_of_a_box():
    found = draws(ListedSnapshot.of(SPACE, LISTED[:1]), 1000, in_boxes=lambda name: name == 'A')
    assert all(drawn[0] == LISTED[0][0] for drawn in found)
    assert {type(candidate) for drawn in found for candidate in drawn[1:]} == {Candidate}


def test_a_file_gives_back_the_same_list(tmp_path):
    schedule = PolicySchedule(SPACE, [ListedSnapshot.of(SPACE, LISTED)], meta=dict(task='detection'))
    schedule.save(tmp_path / 'policy.json')
    loaded = PolicySchedule.load(tmp_path / 'policy.json')
    assert loaded.snapshots == schedule.snapshots and loaded.meta == schedule.meta
    assert set(loaded.space.candidates) == set(SPACE.candidates) and loaded.space.num_ops == 3
    assert loaded.to_dict()['sub_policies'][2] == [dict(op='B', level=None, prob=0.4)]


def test_a_schedule_of_lists_says_for_how_many_epochs_each_is(tmp_path):
    first, second = (ListedSnapshot.of(SPACE, LISTED, most) for most in (None, [0.5, 0.5]))
    schedule = PolicySchedule(SPACE, [first] * 3 + [second] * 2 + [first])
    schedule.save(tmp_path / 'policy.json')
    loaded = PolicySchedule.load(tmp_path / 'policy.json')
    assert loaded.snapshots == schedule.snapshots
    assert [epoch.get('repeat', 1) for epoch in loaded.to_dict()['epochs']] == [3, 2, 1]
    assert loaded.at(7, 12).max_applied == (0.5, 0.5) and loaded.smooth(3).snapshots == loaded.snapshots


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (dict(sub_policies=[]), 'sub_policies: expected a list of sub-policies'),
        (dict(sub_policies=[[]]), 'sub_policies: expected a list of sub-policies'),
        (dict(sub_policies=[['A']]), r'sub_policies\[0\]\[0\]: expected an object with "op", "level" and "prob"'),
        (dict(sub_policies=[[dict(op='A')]]), '"prob"'),
        (dict(sub_policies=[[dict(op='A', prob=2)]]), r'sub_policies\[0\]\[0\].prob: expected a probability'),
        (dict(sub_policies=[[dict(op='A', level='x', prob=1)]]), r'sub_policies\[0\]\[0\]: .*the level must be'),
        (
            dict(sub_policies=[[dict(op='A', prob=1)]], max_applied=[0.5]),
            'max_applied: expected probabilities that sum',
        ),
        (dict(sub_policies=[[dict(op='A', prob=1)]], repeat=0), 'repeat: expected a whole number from 1'),
        (dict(sub_policies=[[dict(op='A', prob=1)]], candidates=[]), 'sub_policies alone'),
        (dict(sub_policies=[[dict(op='A', prob=1)]], epochs=[]), 'not both'),
        (dict(epochs=[dict(sub_policies=[[dict(op='A', prob=1)]]), {}]), r'epochs\[1\]: expected an object with'),
        (dict(sub_policies=[[dict(op='A', prob=1)] * 200]), 'at most 100 operations in each, found 200'),
    ],
)
def test_a_wrong_list_is_refused_by_source_and_field(content, message):
    with pytest.raises(PolicyFileError, match=f'my.json: .*{message}'):
        PolicySchedule.from_dict(content, 'my.json')
