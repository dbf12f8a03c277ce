import json

import numpy as np
import pytest
import torch

from mmddas.core import AugmentationPolicy, PolicyFileError, PolicySchedule, PolicySnapshot, SearchSpace
from mmddas.files import atomic_path


def make_schedule(total_probs, size=3):
    space = SearchSpace([f'Op{k}' for k in range(size - 1)] + [('Levelled', 4)])
    rng = np.random.default_rng(0)
    return PolicySchedule(
        space, [PolicySnapshot(prob, rng.dirichlet(np.ones(size))) for prob in total_probs], meta=dict(seed=3)
    )


@pytest.mark.parametrize(('snapshots', 'epochs'), [(20, 200), (30, 150), (3, 7), (5, 5), (7, 3), (1, 10)])
def test_upsampling_is_nearest_neighbour(snapshots, epochs):
    schedule = make_schedule(np.linspace(0.1, 0.9, snapshots))
    numbers = [schedule.snapshots.index(schedule.at(epoch, epochs)) for epoch in range(epochs)]
    assert numbers == [int(np.floor(epoch * snapshots / epochs)) for epoch in range(epochs)]
    assert numbers == sorted(numbers) and numbers[0] == 0
    if epochs >= snapshots:
        shares = np.bincount(numbers, minlength=snapshots)
        assert shares.max() - shares.min() <= 1


@pytest.mark.parametrize('epoch', [-1, 10, 11])
def test_epochs_outside_the_training_are_refused(epoch):
    with pytest.raises(ValueError, match='epoch'):
        make_schedule([0.5]).at(epoch, 10)


def test_smoothing_is_a_mean_over_what_exists():
    probs = [0.1, 0.5, 0.3, 0.9]
    schedule = make_schedule(probs)
    smoothed = schedule.smooth(3)
    found = [snapshot.total_prob for snapshot in smoothed.snapshots]
    np.testing.assert_allclose(found, [0.3, 0.3, (0.5 + 0.3 + 0.9) / 3, 0.6])
    assert all(a.op_probs is b.op_probs for a, b in zip(schedule.snapshots, smoothed.snapshots, strict=True))
    assert [snapshot.total_prob for snapshot in schedule.snapshots] == probs
    assert [snapshot.total_prob for snapshot in schedule.smooth(1).snapshots] == probs
    np.testing.assert_allclose([s.total_prob for s in schedule.smooth(101).snapshots], np.mean(probs))


def test_smoothing_keeps_a_constant():
    found = [snapshot.total_prob for snapshot in make_schedule([0.25] * 6).smooth(5).snapshots]
    np.testing.assert_allclose(found, 0.25, rtol=1e-15)


@pytest.mark.parametrize('window', [0, 2, -3, 1.5, True, '3'])
def test_windows_that_have_no_centre_are_refused(window):
    with pytest.raises(ValueError, match='odd'):
        make_schedule([0.5]).smooth(window)


def test_static_is_the_last_snapshot():
    schedule = make_schedule([0.1, 0.2, 0.3])
    assert schedule.static().at(0, 100) == schedule.snapshots[-1]


def test_file_gives_back_the_same_schedule(tmp_path):
    policy = AugmentationPolicy(SearchSpace.preset('detection'))
    schedule = PolicySchedule(policy.space, meta=dict(config='a', seed=1))
    for seed in range(3):
        with torch.no_grad():
            policy.op_logits.normal_(generator=torch.Generator().manual_seed(seed))
        schedule.append(policy)
    schedule.save(tmp_path / 'policy.json')
    loaded = PolicySchedule.load(tmp_path / 'policy.json')
    assert loaded.space == schedule.space and loaded.meta == schedule.meta
    assert loaded.snapshots == schedule.snapshots
    assert [path.name for path in tmp_path.iterdir()] == ['policy.json']
    content = json.loads((tmp_path / 'policy.json').read_text())
    assert content['format'] == 'mmddas-policy' and content['version'] == 2


def test_inline_policy_needs_neither_format_nor_version_nor_meta():
    content = make_schedule([0.5]).to_dict()
    for key in ('format', 'version', 'meta'):
        del content[key]
    assert len(PolicySchedule.from_dict(content)) == 1


def broken(**changes):
    content = make_schedule([0.5, 0.6]).to_dict()
    for path, value in changes.items():
        *parents, last = path.split('__')
        target = content
        for parent in parents:
            target = target[int(parent) if parent.isdigit() else parent]
        target[int(last) if last.isdigit() else last] = value
    return content


@pytest.mark.parametrize(
    ('content', 'field'),
    [
        ([], 'content'),
        (None, 'content'),
        (broken(format='yaml'), 'format'),
        (broken(version=3), 'version'),
        (broken(version=True), 'version'),
        (broken(num_ops=0), 'num_ops'),
        (broken(num_ops='two'), 'num_ops'),
        (broken(meta=[]), 'meta'),
        (broken(candidates=[]), 'candidates'),
        (broken(candidates={}), 'candidates'),
        (broken(candidates__1='Op1'), r'candidates\[1\]'),
        (broken(candidates__1={'op': 'Op0', 'level': None}), 'more than once'),
        (broken(candidates__1={'op': 'Op1', 'level': []}), 'level'),
        (broken(candidates__1={'op': 'Op1', 'level': 10**400}), 'candidates'),
        (broken(epochs=[]), 'epochs'),
        (broken(epochs='all'), 'epochs'),
        (broken(epochs__1={}), r'epochs\[1\]'),
        (broken(epochs__0__total_prob=1.2), r'epochs\[0\].total_prob'),
        (broken(epochs__0__total_prob=float('nan')), r'epochs\[0\].total_prob'),
        (broken(epochs__0__total_prob=True), r'epochs\[0\].total_prob'),
        (broken(epochs__1__op_probs=[0.5, 0.5]), '3 probabilities'),
        (broken(epochs__1__op_probs=[0.5, 0.5, 0.5]), 'sum to 1'),
        (broken(epochs__1__op_probs__2=-0.5), r'epochs\[1\].op_probs\[2\]'),
        (broken(epochs__1__op_probs__2=None), r'epochs\[1\].op_probs\[2\]'),
        (broken(epochs__1__op_probs='many'), r'epochs\[1\].op_probs'),
    ],
)
def test_wrong_content_is_refused_by_source_and_field(content, field):
    with pytest.raises(PolicyFileError, match=field) as error:
        PolicySchedule.from_dict(content, 'some/policy.json')
    assert 'some/policy.json' in str(error.value)


@pytest.mark.parametrize('data', [b'', b'{', b'\xff\xfe', b'[' * 100_000, b'{"format": "mmddas-policy"}'])
def test_files_that_hold_no_policy_are_refused(tmp_path, data):
    (tmp_path / 'policy.json').write_bytes(data)
    with pytest.raises(PolicyFileError, match=r'policy\.json'):
        PolicySchedule.load(tmp_path / 'policy.json')


def test_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match='policy file'):
        PolicySchedule.load(tmp_path / 'policy.json')


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / 'policy.json').write_text('old')
    with pytest.raises(RuntimeError), atomic_path(tmp_path / 'policy.json') as temporary:
        temporary.write_text('half')
        raise RuntimeError
    assert (tmp_path / 'policy.json').read_text() == 'old'
    assert [path.name for path in tmp_path.iterdir()] == ['policy.json']
