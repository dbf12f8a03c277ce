"""Policies by name: what is packaged, and what any search space gives."""

from collections import Counter

import numpy as np
import pytest

from mmddas import ops
from mmddas.core import ListedSnapshot, PolicySchedule, SearchSpace, load_policy, policy_names
from mmddas.core.named import GENERATED

PACKAGED = [name for name in policy_names() if name not in GENERATED]


def test_the_published_policies_are_there():
    detection = {f'zoph_v{version}' for version in range(4)}
    fast = {f'fast_autoaugment_{data}' for data in ('cifar10', 'svhn', 'imagenet')}
    assert set(PACKAGED) == detection | fast | {'autoaugment_cifar10', 'pba_cifar10', 'pba_svhn'}


@pytest.mark.parametrize('name', PACKAGED)
def test_a_packaged_policy_says_where_it_is_from_and_can_be_applied(name):
    schedule = load_policy(name)
    task = 'detection' if name.startswith('zoph') else 'classification'
    assert schedule.meta['name'] == name and schedule.meta['task'] == task and schedule.meta['source']
    assert all(isinstance(snapshot, ListedSnapshot) for snapshot in schedule.snapshots)
    ops.check_candidates(schedule.space.candidates)
    known = {operation.name for operation in ops.list_ops('classification')} | {'Posterize'}
    known = {operation.name for operation in ops.list_ops('detection')} if task == 'detection' else known
    assert {candidate.op for candidate in schedule.space.candidates} <= known


def test_lengths_are_those_that_were_published():
    sizes = {name: len(load_policy(name).snapshots[0].sub_policies) for name in PACKAGED}
    assert [sizes[f'zoph_v{version}'] for version in range(4)] == [5, 20, 15, 15]
    assert sizes['autoaugment_cifar10'] == 25 and sizes['fast_autoaugment_cifar10'] == 493
    assert len(load_policy('pba_cifar10')) == 200 and len(load_policy('pba_svhn')) == 160


@pytest.mark.parametrize('preset', ['detection', 'detection_wide', 'cifar', 'imagenet'])
def test_uniform_is_what_a_search_begins_with(preset):
    schedule = load_policy(f'uniform:{preset}:total_prob=0.5:num_ops=3')
    (snapshot,) = schedule.snapshots
    assert schedule.space == SearchSpace.preset(preset, 3) and snapshot.total_prob == 0.5
    assert np.ptp(snapshot.op_probs) == 0 and snapshot.op_probs.sum() == pytest.approx(1)


@pytest.mark.parametrize('preset', ['detection', 'cifar'])
def test_trivialaugment_has_one_operation_on_every_image_whatever_its_levels(preset):
    schedule = load_policy('trivialaugment', preset)
    (snapshot,) = schedule.snapshots
    assert snapshot.total_prob == 1 and schedule.space.num_ops == 1
    shares = Counter()
    for candidate, prob in zip(schedule.space.candidates, snapshot.op_probs, strict=True):
        shares[candidate.op] += prob
    assert np.ptp([*shares.values()]) < 1e-12 and sum(shares.values()) == pytest.approx(1)


def test_randaugment_has_every_operation_once_at_its_level():
    schedule = load_policy('randaugment:cifar:level=7.5:num_ops=3')
    assert schedule.snapshots[0].total_prob == 1 and schedule.space.num_ops == 3
    operations = {candidate.op for candidate in SearchSpace.preset('cifar').candidates}
    assert [candidate.op for candidate in schedule.space.candidates] == list(
        dict.fromkeys(candidate.op for candidate in SearchSpace.preset('cifar').candidates)
    ) and len(operations) == len(schedule.space)
    assert {candidate.level for candidate in schedule.space.candidates} == {None, 7.5}


def test_the_task_says_which_space_is_meant():
    assert load_policy('uniform').meta == dict(task='detection', name='uniform:detection')
    assert load_policy('uniform', 'cifar').meta == dict(task='classification', name='uniform:cifar')


def test_a_name_goes_before_a_file_and_a_path_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load_policy('uniform:cifar').save('zoph_v0')
    assert load_policy('zoph_v0').meta['name'] == 'zoph_v0'
    assert load_policy('./zoph_v0').meta['name'] == 'uniform:cifar'
    load_policy('uniform:cifar').save('mine')
    assert load_policy('mine').meta['name'] == 'uniform:cifar'


@pytest.mark.parametrize(
    ('name', 'error', 'message'),
    [
        ('zoph_v9', FileNotFoundError, "no policy named 'zoph_v9', and no such file; names are uniform, .*zoph_v3"),
        ('work_dirs/policy.json', FileNotFoundError, 'no policy file'),
        ('uniform:detecton', ValueError, 'Unknown search space'),
        ('uniform:cifar:prob=1', ValueError, "uniform takes a search space.* total_prob=.*got 'prob=1'"),
        ('trivialaugment:cifar:level=3', ValueError, 'trivialaugment takes .* and no settings'),
        ('randaugment:level=high', ValueError, "level must be a number, got 'high'"),
        ('uniform:total_prob=2', ValueError, 'total_prob must be a probability'),
        ('uniform:num_ops=0', ValueError, 'num_ops must be a whole number'),
    ],
)
def test_what_is_no_name_is_refused(name, error, message):
    with pytest.raises(error, match=message):
        load_policy(name)


def test_a_file_can_have_another_total_prob(tmp_path):
    path = tmp_path / 'policy.json'
    load_policy('randaugment:cifar').save(path)
    schedule, changed = load_policy(path), load_policy(f'{path}:total_prob=0.7')
    assert [snapshot.total_prob for snapshot in changed.snapshots] == [0.7] and changed.space == schedule.space
    assert np.array_equal(changed.snapshots[0].op_probs, schedule.snapshots[0].op_probs)
    path.rename(tmp_path / 'odd:total_prob=1')
    assert load_policy(tmp_path / 'odd:total_prob=1').snapshots == schedule.snapshots


@pytest.mark.parametrize(
    ('behind', 'message'),
    [
        ('total_prob=2', 'policy.json:total_prob=2: total_prob must be a probability from 0 to 1, got 2$'),
        ('total_prob=much', "policy.json:total_prob=much: total_prob must be a number, got 'much'$"),
        ('level=3', r"policy.json:level=3: a file takes the setting total_prob=\.\.\., got 'level=3'"),
    ],
)
def test_what_no_file_takes_is_refused(tmp_path, behind, message):
    load_policy('uniform').save(tmp_path / 'policy.json')
    with pytest.raises(ValueError, match=message):
        load_policy(f'{tmp_path}/policy.json:{behind}')


def test_a_list_of_sub_policies_has_no_total_prob():
    with pytest.raises(ValueError, match='zoph_v1:total_prob=0.5: .*each operation has its own probability'):
        load_policy('zoph_v1:total_prob=0.5')


def test_policies_of_files_are_read_as_ever(tmp_path):
    load_policy('uniform').save(tmp_path / 'policy.json')
    assert load_policy(tmp_path / 'policy.json').snapshots == load_policy(str(tmp_path / 'policy.json')).snapshots
    assert isinstance(load_policy(tmp_path / 'policy.json'), PolicySchedule)
