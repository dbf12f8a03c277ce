"""Policies compared over seeds: paired differences with their intervals, and what is said of them."""

import numpy as np
import pytest
from scipy import stats

from mmddas.stats.comparison import Comparison, Difference
from mmddas.viz.comparison_figure import _figure, _labels, draw_comparison


def by_seed(*values):
    return dict(enumerate(values))


def compare(values, seeds=3, first='none'):
    names = list(values)
    seconds = {name: [60.0] for name in names}
    return Comparison('coco/bbox_mAP', names, values, seconds, {'searched': '280 steps of 8 passes'}, range(seeds))


def test_the_interval_is_students_of_paired_differences():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 5))
    found = Difference.of(by_seed(*one), by_seed(*other))
    low, high = stats.ttest_rel(one, other).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.mean == pytest.approx(np.mean(one - other)) and found.seeds == 5


def test_what_both_seeds_share_cancels():
    """Seeds that differ a lot hide no difference that is the same at each."""
    seeds = np.array([0.1, 0.3, 0.5])
    found = Difference.of(by_seed(*(seeds + [0.011, 0.010, 0.009])), by_seed(*seeds))
    assert found.is_significant and found.mean == pytest.approx(0.01)


def test_intervals_hold_what_they_promise():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(2000):
        found = Difference.of(by_seed(*rng.normal(0.3, 1, 3)), by_seed(*rng.normal(0, 1, 3)))
        covered += found.low <= 0.3 <= found.high
    assert 0.935 < covered / 2000 < 0.965


def test_only_seeds_that_both_have_are_compared():
    found = Difference.of({0: 1.0, 1: 2.0, 5: 9.0}, {1: 1.0, 5: 7.0, 7: 0.0})
    assert found.seeds == 2 and found.mean == 1.5
    assert Difference.of({0: 1.0}, {1: 1.0}) is None


def test_values_that_are_too_coarse_tell_nothing():
    """An mAP that is rounded to 0.001, of two seeds: an interval of no width is not beyond chance."""
    found = compare(dict(none=by_seed(0.41, 0.398), uniform=by_seed(0.411, 0.399)), seeds=2)
    assert not found.rows[1].difference.is_significant
    assert (
        'No significant difference to none: uniform (the same difference at every seed: the metric is'
        in found.sentence()
    )


def test_so_many_seeds_would_tell():
    found = Difference.of(by_seed(0.2, 0.1, 0.3), by_seed(0.1, 0.1, 0.1))
    assert not found.is_significant
    half = [stats.t.ppf(0.975, n - 1) * found.deviation / n**0.5 for n in (found.seeds_needed - 1, found.seeds_needed)]
    assert half[1] < found.mean <= half[0]
    assert Difference.of(by_seed(0.1, -0.1), by_seed(0, 0)).seeds_needed is None


def test_the_sentence_says_what_is_better_worse_open_and_missing():
    comparison = compare(
        {
            'none': by_seed(0.30, 0.31, 0.32),
            'searched': by_seed(0.34, 0.35, 0.361),
            'uniform': by_seed(0.25, 0.26, 0.272),
            'zoph_v1': by_seed(0.30, 0.33, 0.31),
            'gone': {},
            'half': {0: 0.3, 2: 0.4},
        }
    )
    text = comparison.sentence()
    assert 'Significantly better than none: searched;' in text
    assert 'significantly worse than none: uniform;' in text.lower()
    assert 'no significant difference to none: half (' in text and 'zoph_v1 (' in text
    assert text.endswith('failed or have not been run: gone, seed 0; gone, seed 1; gone, seed 2; half, seed 1.')


def test_one_seed_gives_no_interval_and_says_so():
    comparison = compare({'none': {0: 0.3}, 'uniform': {0: 0.4}}, seeds=1)
    assert 'One seed gives no interval' in comparison.sentence()
    assert comparison.table()[1][:6] == ['uniform', '1', '0.4000', '', '+0.1000', '']


def test_table_and_files_have_every_policy_best_first(tmp_path):
    comparison = compare({'none': by_seed(30.0, 31.0), 'searched': by_seed(34.0, 35.5)}, seeds=2)
    head, *rows = comparison.table()
    assert [row[0] for row in rows] == ['searched', 'none'] and rows[0][-1] == '280 steps of 8 passes'
    assert rows[0][2] == '34.75' and rows[0][4] == '+4.25'
    assert comparison.csv().splitlines() == [
        'policy,seed,coco/bbox_mAP',
        'none,0,30.0',
        'none,1,31.0',
        'searched,0,34.0',
        'searched,1,35.5',
    ]
    text = comparison.markdown('python tools/compare.py my.py')
    assert text.count('\n| ') == 3 and comparison.sentence() in text and 'tools/compare.py my.py' in text
    for values in (comparison, compare({'none': {0: 0.3}, 'uniform': {0: 0.4}}, seeds=1)):
        draw_comparison(values, tmp_path / 'comparison.png')
        assert (tmp_path / 'comparison.png').stat().st_size > 5000


def test_the_figure_names_files_without_the_folders_that_they_share():
    names = ['none', 'runs/a_{seed}/policy.json', 'runs/b/policy.json', 'zoph_v1']
    assert _labels(names) == ['none', 'a_{seed}/policy.json', 'b/policy.json', 'zoph_v1']
    assert _labels(['none', 'runs/a/policy.json']) == ['none', 'a/policy.json']  # and policy.json would not say whose
    for unchanged in (['none', 'zoph_v1'], ['policy.json', 'none'], ['/runs/a.json', 'b/c.json']):
        assert _labels(unchanged) == unchanged


@pytest.mark.parametrize('first', ['none', 'my_first_data_set/recommended_detection_{seed}.json'])
def test_nothing_that_the_figure_says_is_cut_off(first):
    other = 'my_second_data_set/recommended_detection_{seed}.json'
    figure = _figure(compare({first: by_seed(0.30, 0.31), other: by_seed(0.34, 0.35)}, seeds=2))
    figure.draw_without_rendering()
    (axes,) = figure.axes
    texts = [*axes.get_yticklabels(), axes.xaxis.label, *figure.texts]
    assert sum(first in text.get_text() for text in texts) == 2  # its row, and what others are compared with
    for text in texts:
        place = text.get_window_extent()
        assert figure.bbox.x0 <= place.x0 and place.x1 <= figure.bbox.x1, text.get_text()
        assert figure.bbox.y0 <= place.y0 and place.y1 <= figure.bbox.y1, text.get_text()
