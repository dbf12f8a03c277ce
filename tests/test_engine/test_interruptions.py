"""Searches that are killed or told to stop, in processes of their own, and resumed."""

import argparse
import contextlib
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch
from searches import final_policy

from mmddas.cli.arguments import add_arguments
from mmddas.cli.config import load_config
from mmddas.cli.run import build_runner
from mmddas.core import PolicySchedule
from mmddas.engine.stopping import SAME_EVENT_SECONDS


def run_search(config_file: Path, work_dir: Path) -> None:
    """What ``tools/search.py CONFIG --work-dir DIR --resume`` does, without its imports."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored where tests run
    torch.set_num_threads(1)
    arguments = [str(config_file), '--work-dir', str(work_dir), '--resume']
    with open(os.devnull, 'w') as nowhere, contextlib.redirect_stdout(nowhere):
        build_runner(load_config(add_arguments(argparse.ArgumentParser()).parse_args(arguments))).train()


def started(config_file: Path, work_dir: Path) -> multiprocessing.Process:
    process = multiprocessing.get_context('fork').Process(target=run_search, args=(config_file, work_dir))
    process.start()
    return process


def finished(config_file: Path, work_dir: Path) -> None:
    process = started(config_file, work_dir)
    process.join(timeout=120)
    assert process.exitcode == 0 and not session(process.pid)


def session(leader: int) -> list[int]:
    """The processes that ``leader`` has left, itself included."""
    alive = []
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            state, _, _, group = stat.read_text().rpartition(')')[2].split()[:4]
        except OSError:  # ended meanwhile
            continue
        if int(group) == leader and state != 'Z':
            alive.append(int(stat.parent.name))
    return alive


def wait_until(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'waited in vain'
        time.sleep(0.02)


@pytest.fixture(scope='module')
def config_file(make_search_config, tmp_path_factory) -> Path:
    """Four epochs of three steps, one checkpoint kept, after every second iteration, and data workers that stay."""
    config = make_search_config({'train_cfg.max_epochs': 4})
    for loader in (config.train_dataloader, config.train_cfg.policy_dataloader):
        loader.update(num_workers=1, persistent_workers=True)
    config.default_hooks.checkpoint.update(by_epoch=False, interval=2, max_keep_ckpts=1)
    path = tmp_path_factory.mktemp('config') / 'search.py'
    config.dump(path)
    return path


@pytest.fixture(scope='module')
def uninterrupted(config_file, tmp_path_factory) -> tuple[dict, float]:
    """The policy of a search that nothing disturbs, and how long it took."""
    work_dir = tmp_path_factory.mktemp('whole')
    begun = time.monotonic()
    finished(config_file, work_dir)
    return final_policy(argparse.Namespace(work_dir=work_dir)), time.monotonic() - begun


def check_a_kill(config_file: Path, work_dir: Path, seconds: float, expected: dict) -> None:
    process = started(config_file, work_dir)
    process.join(timeout=seconds)
    process.kill()
    process.join()
    for path in work_dir.glob('policy.json'):
        assert 1 <= len(PolicySchedule.load(path)) <= 4, 'half a policy file'
    finished(config_file, work_dir)
    assert final_policy(argparse.Namespace(work_dir=work_dir)) == expected


@pytest.mark.slow  # a search in this process is told to stop in the fast tests
@pytest.mark.parametrize('seed', range(20))
def test_a_search_killed_at_a_random_moment_and_resumed_ends_as_if_it_had_not_been(
    config_file, uninterrupted, tmp_path, seed
):
    expected, seconds = uninterrupted
    check_a_kill(config_file, tmp_path / 'killed', random.Random(seed).uniform(0.1, 1.0) * seconds, expected)


@pytest.mark.slow  # a search in this process is told to stop in the fast tests
@pytest.mark.parametrize('to_all', [True, False], ids=['all', 'leader'])
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_search_with_its_workers_and_a_checkpoint(config_file, uninterrupted, tmp_path, number, to_all):
    """Also one that all processes get, data workers among them: from a terminal, or from a cluster."""
    work_dir = tmp_path / 'stopped'
    process = started(config_file, work_dir)
    wait_until(lambda: (work_dir / 'policy.json').exists())
    (os.killpg if to_all else os.kill)(process.pid, number)
    process.join(timeout=60)
    assert process.exitcode == 128 + number
    wait_until(lambda: not session(process.pid), seconds=10)
    assert Path((work_dir / 'last_checkpoint').read_text()) == work_dir / 'stopped.pth'
    finished(config_file, work_dir)
    assert final_policy(argparse.Namespace(work_dir=work_dir)) == uninterrupted[0]


def test_a_later_signal_ends_it_at_once(config_file, tmp_path):
    """Here it comes while the search waits for a batch that its data worker, held up, does not bring."""
    work_dir = tmp_path / 'stopped'
    process = started(config_file, work_dir)
    wait_until(lambda: (work_dir / 'policy.json').exists())
    workers = [pid for pid in session(process.pid) if pid != process.pid]
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    os.kill(process.pid, signal.SIGTERM)
    time.sleep(SAME_EVENT_SECONDS + 0.5)
    os.kill(process.pid, signal.SIGTERM)
    wait_until(lambda: process.exitcode is not None)  # a join would wait for the workers too
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGCONT)
    assert process.exitcode in (-signal.SIGTERM, 128 + signal.SIGTERM)
    wait_until(lambda: not session(process.pid), seconds=15)


def test_what_a_killed_run_was_writing_is_removed_by_the_next(config_file, tmp_path):
    left = tmp_path / '.epoch_1.abc123.pth'
    left.write_bytes(b'half')
    finished(config_file, tmp_path)
    assert not left.exists() and not list(tmp_path.glob('.*'))
