"""The report of a search while it runs: there from the start, after every epoch, without a say in what is found."""

import base64
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from reports import policy
from searches import final_policy

from mmddas.core import Candidate, PolicySnapshot
from mmddas.engine.hooks.search_report_hook import SearchReportHook, config_file, shown_candidates
from mmddas.viz.report import Facts


def searched(config):
    Runner.from_cfg(config).train()
    return config


def decoded(jpeg: str) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(base64.b64decode(jpeg), np.uint8), cv2.IMREAD_COLOR)


@pytest.fixture(scope='module')
def config(make_search_config):
    return searched(make_search_config({'derived_from': 'training.py'}))


def test_facts_are_those_of_the_search(config):
    facts = Facts.load(config.work_dir)
    assert (facts.training, facts.config, facts.task) == ('training.py', config.filename, 'detection')
    assert facts.max_epochs == 2 and len(facts.epoch_seconds) == 2 and min(facts.epoch_seconds) > 0
    assert facts.passes_per_step == config.train_cfg.get('num_sub_policies', 3) + 2
    assert facts.classes[0][0] == 'class' and facts.classes[-1][:2] == ['all', '12']
    assert 'Epoch 2 of 2' in Path(config.work_dir, 'report.html').read_text()


def test_examples_are_operations_on_images_of_s_train(config):
    examples = Facts.load(config.work_dir).examples
    assert len(examples) >= 2 and len(examples) % 2 == 0
    for example in examples:
        before, after = decoded(example.before), decoded(example.after)
        assert before.shape == after.shape
        if example.changed:
            assert not np.array_equal(before, after), example.candidate
    assert any(example.changed for example in examples)


def test_the_report_has_no_say_in_the_search(config, search_config):
    without = search_config({'custom_hooks': [dict(type='SearchReportHook', interval=1000)]})
    assert final_policy(searched(without)) == final_policy(config)
    assert Facts.load(without.work_dir).examples != []  # the last epoch has a report in any case


@pytest.mark.slow
def test_there_is_a_report_before_the_first_epoch_and_a_resumed_search_adds_to_its_times(search_config):
    config = search_config({'train_cfg.max_epochs': 1, 'log_level': 'INFO'})
    searched(config)
    log = next(Path(config.work_dir).glob('*/*.log')).read_text()
    assert f'The report of this search, rewritten after every epoch: {config.work_dir}/report.html' in log
    first = Facts.load(config.work_dir)
    assert len(first.epoch_seconds) == 1
    config = search_config({'train_cfg.max_epochs': 2})
    config.resume = True
    config.experiment_name = config.visualizer.name = f'{config.experiment_name}_resumed'
    searched(config)
    both = Facts.load(config.work_dir)
    assert both.epoch_seconds[:1] == first.epoch_seconds and len(both.epoch_seconds) == 2


@pytest.mark.slow
def test_after_ten_steps_it_says_how_long_it_takes(search_config):
    config = search_config({'train_cfg.max_epochs': 4, 'log_level': 'INFO'})
    steps = -(-12 // config.train_dataloader.batch_size)
    config.train_cfg.max_epochs = 12 // steps
    searched(config)
    log = next(Path(config.work_dir).glob('*/*.log')).read_text()
    said = [line for line in log.splitlines() if 'A step takes' in line]
    assert len(said) == 1 and said[0].endswith(f'for the {12 // steps * steps - 11} to come')


def test_an_epoch_that_was_interrupted_counts_whole(monkeypatch):
    now = iter([100.0, 110.0, 130.0, 140.0])
    monkeypatch.setattr('mmddas.engine.hooks.search_report_hook.time.monotonic', lambda: next(now))
    hook = SearchReportHook(interval=10)
    hook._facts, hook._steps = Facts(''), 5
    runner = SimpleNamespace(epoch=0, rank=1, max_epochs=20, iter=8)
    hook.before_train_epoch(runner)
    for batch in (8, 9):  # of ten
        hook.after_train_iter(runner, batch)
    hook.after_train_epoch(runner)
    assert hook._facts.epoch_seconds == [50.0]


def test_the_config_of_a_derived_search_is_the_one_in_its_work_dir(tmp_path):
    settings = dict(derived_from='training.py', experiment_name='training_search')
    runner = SimpleNamespace(cfg=Config(settings), work_dir=tmp_path, experiment_name='training_search_2026')
    assert config_file(runner) == 'training.py'
    (tmp_path / 'training_search.py').write_text('')
    assert config_file(runner) == f'{tmp_path}/training_search.py'
    mine = tmp_path / 'mine.py'
    mine.write_text(Config(settings).pretty_text)
    runner.cfg = Config.fromfile(mine)
    assert config_file(runner) == str(mine)


def test_pictures_are_of_what_stands_out_and_else_of_what_leads():
    schedule = policy()
    assert shown_candidates(schedule) == [Candidate('Solarize', 8), Candidate('Rotate_BBox', 4)]
    schedule.findings = None
    probs = np.array([0.1, 0.2, 0.1, 0.5, 0.1])
    schedule.snapshots.append(PolicySnapshot(0.3, probs))
    assert shown_candidates(schedule)[0] == Candidate('Rotate_BBox', 4)
    assert Candidate('Identity', None) not in shown_candidates(schedule)
    schedule.snapshots.append(PolicySnapshot(0.3, np.full(5, 0.2)))
    levels = [candidate.level for candidate in schedule.space.candidates if candidate.op == 'Solarize']
    assert Candidate('Solarize', levels[len(levels) // 2]) in shown_candidates(schedule)
