"""Trainings side by side: each result is kept, nothing is run twice, failures are named."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmddas.experiments.trainings import Results, Training, run_trainings

# Stands for tools/train.py: writes what MMEngine would, fails where the policy's name says so.
TRAINING = """
import json, pathlib, sys, time
*given, _, folder = sys.argv[1:]
options = dict(option.split('=', 1) for option in given)
folder = pathlib.Path(folder)
folder.mkdir(parents=True, exist_ok=True)
begun = time.monotonic()
with open('started.txt', 'a') as file:
    file.write(options['policy_file'] + ' ' + options['randomness.seed'] + chr(10))
if 'slow' in options['policy_file']:
    time.sleep(60)
if 'broken' in options['policy_file']:
    sys.exit('cannot train')
if 'held' in options['policy_file']:
    time.sleep(1.5)
    with open('times.txt', 'a') as file:
        file.write(f'{begun} {time.monotonic()}' + chr(10))
rows = [dict(at=1, last=False, metrics={'coco/bbox_mAP': 0.1}), dict(at=2, last=True, metrics={'coco/bbox_mAP': 0.2})]
if 'stopped' in options['policy_file']:  # in the last evaluation
    rows = rows[:1]
if 'diverged' in options['policy_file']:
    rows[1]['metrics'] = {}
folder.joinpath('evaluations.jsonl').write_text(chr(10).join(json.dumps(row) for row in rows))
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('train.py').write_text(TRAINING)
    results = Results('results.jsonl')

    def run(*trainings: Training) -> list[str]:
        return run_trainings(trainings, results, tmp_path / 'work', 2)

    run.results = results
    return run


def training(name: str, seed: int, **marks) -> Training:
    return Training(name, seed, ('train.py', f'policy_file={name}.json'), marks)


def test_an_earlier_evaluation_is_no_result(run):
    (failed,) = run(training('stopped', 0), training('a', 0))
    assert failed.startswith('stopped, seed 0: ') and [row['name'] for row in run.results.rows()] == ['a']


def test_a_network_that_detects_nothing_in_the_end_has_a_result_without_metrics(run, capsys):
    assert run(training('diverged', 0)) == []
    assert run.results.rows()[0]['evaluations'] == {'1': {'coco/bbox_mAP': 0.1}, '2': {}}
    assert 'diverged, seed 0: nothing is detected' in capsys.readouterr().out


def test_folders_may_have_any_name(run, tmp_path):
    """Settings of --cfg-options lose their blanks, and become lists at commas."""
    run_trainings([training('a', 0)], run.results, tmp_path / 'my runs, here', 1)
    assert len(run.results.rows()) == 1


def test_results_that_do_not_say_what_they_are_of_are_taken_for_the_same(run):
    """As those of versions that did not look at it."""
    run.results.add(dict(name='a', seed=0, settings='x', evaluations={}))
    assert training('a', 0, settings='x', data='1').result(run.results.rows())
    run.results.add(dict(name='b', seed=0, settings='x', data='2', evaluations={}))
    assert training('b', 0, settings='x', data='1').result(run.results.rows()) is None
    assert training('a', 0, settings='y').result(run.results.rows()) is None


def test_a_folder_that_cannot_be_removed_costs_no_result(run, monkeypatch):
    """Files that another program has open stay on network file systems."""
    kept = []

    def refuse(folder, ignore_errors=False):
        kept.extend(run.results.rows())
        if not ignore_errors:
            raise OSError('Directory not empty')

    monkeypatch.setattr('mmddas.experiments.trainings.shutil.rmtree', refuse)
    assert run(training('a', 0)) == [] and [row['name'] for row in kept] == ['a']


def test_a_training_whose_parent_was_killed_is_waited_for_and_not_started_twice(run):
    script = (
        'from pathlib import Path\n'
        'from mmddas.experiments.trainings import Results, Training, run_trainings\n'
        "trainings = [Training('held', 0, ('train.py', 'policy_file=held.json'))]\n"
        "run_trainings(trainings, Results('results.jsonl'), Path('work'), 1)\n"
    )
    process = subprocess.Popen([sys.executable, '-c', script])
    for _ in range(600):
        if Path('started.txt').exists():
            break
        time.sleep(0.1)
    process.kill()
    process.wait()
    assert run(training('held', 0)) == []
    first, second = ([float(time) for time in line.split()] for line in Path('times.txt').read_text().splitlines())
    assert first[1] <= second[0]  # which goes on where the first has stopped
    assert len(run.results.rows()) == 1


def test_the_time_of_a_training_is_that_of_all_its_starts(run):
    folder = Path('work') / training('a', 0).folder
    folder.mkdir(parents=True)
    (folder / 'starts.jsonl').write_text('{"seconds": 1000}\n')
    run(training('a', 0))
    assert 1000 <= run.results.rows()[0]['seconds'] <= 1060


def started() -> list[str]:
    return sorted(Path('started.txt').read_text().splitlines())


def test_each_result_is_kept_and_nothing_is_run_twice(run):
    first, second = training('a', 0), training('a', 1)
    assert run(first) == run(first, second) == []
    rows = run.results.rows()
    assert [(row['name'], row['seed']) for row in rows] == [('a', 0), ('a', 1)]
    assert rows[0]['evaluations'] == {'1': {'coco/bbox_mAP': 0.1}, '2': {'coco/bbox_mAP': 0.2}}
    assert started() == ['a.json 0', 'a.json 1'] and not [path for path in Path('work').iterdir() if path.is_dir()]


def test_what_fails_is_named_with_its_log_and_tried_again(run):
    trainings = [training('broken', 0), training('a', 0)]
    for _ in range(2):
        (failure,) = run(*trainings)
        assert failure.startswith('broken, seed 0: ')
        assert 'cannot train' in Path(failure.split(': ')[1]).read_text()
    assert started() == ['a.json 0', 'broken.json 0', 'broken.json 0']


def test_results_under_other_settings_are_others(run):
    run(training('a', 0, epochs=1))
    run(training('a', 0, epochs=2))
    run(training('a', 0, epochs=2))
    assert [row['epochs'] for row in run.results.rows()] == [1, 2]


def test_a_training_under_other_settings_does_not_go_on_in_the_folder_of_the_first():
    folders = [training('a', 0).folder, *(training('a', 0, epochs=epochs).folder for epochs in (1, 2))]
    assert len(set(folders)) == 3 and folders[0] == 'a_0'


def test_a_line_that_was_cut_short_is_passed_over(run):
    run(training('a', 0))
    with Path('results.jsonl').open('a') as file:
        file.write('{"name": "b", "se')
    run(training('a', 1))
    assert [row['seed'] for row in run.results.rows()] == [0, 1]
    assert len(Path('results.jsonl').read_text().splitlines()) == 3


def test_trainings_end_with_the_process_that_runs_them(run):
    script = (
        'import signal, sys\n'
        'from pathlib import Path\n'
        'from mmddas.experiments.trainings import Results, Training, run_trainings\n'
        'signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\n'
        "trainings = [Training('slow', seed, ('train.py', 'policy_file=slow.json')) for seed in range(4)]\n"
        "run_trainings(trainings, Results('results.jsonl'), Path('work'), 2)\n"
    )
    process = subprocess.Popen([sys.executable, '-c', script])
    while not (Path('started.txt').exists() and len(started()) == 2):
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 3
    time.sleep(0.5)
    assert len(started()) == 2 and Results('results.jsonl').rows() == []
    listed = subprocess.run(['ps', '-eo', 'args'], capture_output=True, text=True).stdout
    assert 'slow.json' not in listed


def test_rows_are_json(run):
    run(training('a', 0))
    assert all(json.loads(line) for line in Path('results.jsonl').read_text().splitlines())
