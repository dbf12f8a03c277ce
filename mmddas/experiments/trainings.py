"""Trainings that differ in policy and seed, side by side; each result is data in a file the moment it is there."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from mmddas.viz.progress import Bar

# As EvaluationRecordHook writes it.
EVALUATIONS = 'evaluations.jsonl'


@dataclass(frozen=True)
class Training:
    """One training.

    Args:
        name: What is trained with: a policy's name, for instance.
        seed: Its seed.
        command: A script and its arguments, up to ``--cfg-options`` and some settings, to which the seed and
            ``--work-dir`` are added: ``tools/train.py`` and a config, or what else writes ``evaluations.jsonl``.
        marks: What its result says beside name and seed. A result that says otherwise is not one of this training; a
            key that it lacks, as results of earlier versions may, counts as equal.
    """

    name: str
    seed: int
    command: tuple[str, ...]
    marks: dict[str, object] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The name of its work dir, which no training with other marks goes on in."""
        return '_'.join([file_stem(self.name), str(self.seed), *map(str, self.marks.values())])

    def is_in(self, rows: Iterable[dict]) -> bool:
        own = [row for row in rows if (row.get('name'), row.get('seed')) == (self.name, self.seed)]
        return any(all(row.get(key, value) == value for key, value in self.marks.items()) for row in own)


def file_stem(name: str) -> str:
    """A name as a file may have it."""
    return re.sub(r'[^A-Za-z0-9_.=-]+', '_', name)


class Results:
    """Results of trainings, a JSON object a line: ``name``, ``seed``, ``evaluations`` (by epoch, then by metric), ...

    Several processes may add to one file. A line that a killed one has left unfinished is passed over.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)

    def rows(self) -> list[dict]:
        """All of them, as they came."""
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_text(encoding='utf-8').splitlines():
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return found

    def add(self, row: dict) -> None:
        """Add one, for good when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open('a+b') as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0, os.SEEK_END)
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b'\n':
                    file.write(b'\n')
            file.write(json.dumps(row).encode() + b'\n')
            file.flush()
            os.fsync(file.fileno())


def last_values(row: dict) -> dict[str, float]:
    """A result's metrics after the last epoch; none where nothing is detected."""
    return row['evaluations'][max(row['evaluations'], key=int)]


def run_trainings(
    trainings: Iterable[Training],
    results: Results,
    work_dir: Path,
    jobs: int,
    check: Callable[[dict], None] | None = None,
) -> list[str]:
    """Run what the results lack, ``jobs`` at a time and on one thread each, in the order given.

    Args:
        trainings: What is to be there in the end.
        results: Where it goes.
        work_dir: For a folder of each, which is removed when its result is there; an interrupted one is resumed.
        jobs: How many at a time.
        check: Called with every new result; what it raises ends all trainings.

    Returns:
        What has failed, as ``'NAME, seed SEED: LOG'``.
    """
    trainings, rows = list(trainings), results.rows()
    missing = [training for training in trainings if not training.is_in(rows)]
    children, failed, began = _Children(), [], time.monotonic()
    have = len(trainings) - len(missing)
    print(f'{have} results are in {results.path}, {len(missing)} trainings to go, {jobs} at a time', flush=True)
    bar = Bar(len(missing), 'trainings')
    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(_run, training, results, work_dir, children): training for training in missing}
        try:
            for number, future in enumerate(as_completed(futures), start=1):
                training, outcome = futures[future], future.result()
                bar.advance(f'running: {", ".join(sorted(children.names)) or "no other"}')
                left = (time.monotonic() - began) / number * (len(missing) - number) / 60
                if isinstance(outcome, Path):
                    failed.append(f'{training.name}, seed {training.seed}: {outcome}')
                    print(
                        f'{number}/{len(missing)} {training.name}, seed {training.seed} failed: {outcome}', flush=True
                    )
                    continue
                if check is not None:
                    check(outcome)
                last = last_values(outcome)
                metric = next(iter(last), None)
                said = 'nothing is detected' if metric is None else f'{metric} {last[metric]:.4g}'
                print(
                    f'{number}/{len(missing)} {training.name}, seed {training.seed}: {said} '
                    f'({outcome["seconds"]:.0f} s); running: {", ".join(sorted(children.names)) or "no other"}; '
                    f'about {left:.0f} minutes left',
                    flush=True,
                )
        except BaseException:
            children.end()
            pool.shutdown(cancel_futures=True)
            raise
        finally:
            bar.stop()
    return failed


class _Children:
    """The processes that run, so that they end with this one."""

    def __init__(self) -> None:
        self._lock, self._running, self.ended = threading.Lock(), {}, False

    @property
    def names(self) -> list[str]:
        with self._lock:
            return [*self._running.values()]

    def run(self, name: str, command: list[str], log: Path, inherited: int) -> int:
        with self._lock:
            if self.ended:
                return -1
            with log.open('ab') as output:
                child = subprocess.Popen(
                    command,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=os.environ | dict(OMP_NUM_THREADS='1'),
                    start_new_session=True,
                    pass_fds=[inherited],
                )
            self._running[child] = name
        try:
            return child.wait()
        finally:
            with self._lock:
                del self._running[child]

    def end(self) -> None:
        with self._lock:
            self.ended = True
            for child in self._running:
                with suppress(ProcessLookupError):  # it has just ended
                    os.killpg(child.pid, signal.SIGTERM)


def _run(training: Training, results: Results, work_dir: Path, children: _Children) -> dict | Path:
    """The result, which is for good in ``results`` before its folder goes, or the log of what went wrong."""
    folder = work_dir / training.folder
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder, children) as lock:
        if lock is None:
            return folder / 'train.log'
        found = next((row for row in results.rows() if training.is_in([row])), None)  # of whom was waited for
        if found is None:
            found = _trained(training, folder, children, lock)
            if isinstance(found, Path):
                return found
            results.add(found)
        # What a network's file system or another program holds open stays.
        shutil.rmtree(folder, ignore_errors=True)
    return found


@contextmanager
def _alone_in(folder: Path, children: _Children) -> Iterator[int | None]:
    """Wait until no process is at a training's folder; one whose parent was killed goes on without it.

    What is yielded is the file that is locked for as long as this process, or one that inherits it, has it open; None
    where all is to end. (On NFS, whose locks are not inherited, an orphan is not noticed.)
    """
    descriptor = os.open(folder.with_name(f'.{folder.name}.lock'), os.O_RDWR | os.O_CREAT)
    try:
        waited = False
        while not (locked := _lock(descriptor)) and not children.ended:
            if not waited:
                print(f'Another process trains in {folder}, and is waited for', flush=True)
            waited = True
            time.sleep(0.5)
        yield descriptor if locked else None
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _trained(training: Training, folder: Path, children: _Children, lock: int) -> dict | Path:
    folder.mkdir(parents=True, exist_ok=True)  # the process that was waited for may have removed it
    log, starts = folder / 'train.log', Results(folder / 'starts.jsonl')
    command = [sys.executable, *training.command, f'randomness.seed={training.seed}', '--work-dir', str(folder)]
    began = time.monotonic()
    code = children.run(f'{training.name} ({training.seed})', command, log, lock)
    starts.add(dict(seconds=time.monotonic() - began))
    evaluations = Results(folder / EVALUATIONS).rows()
    # Of a training that was stopped an earlier evaluation is no result. One whose network detects nothing has a last
    # evaluation without metrics.
    if code != 0 or not evaluations or not evaluations[-1]['last']:
        return log
    found = {str(row['at']): row['metrics'] for row in evaluations if row['metrics'] or row['last']}
    row = dict(name=training.name, seed=training.seed) | training.marks
    return row | dict(seconds=round(sum(start['seconds'] for start in starts.rows())), evaluations=found)
