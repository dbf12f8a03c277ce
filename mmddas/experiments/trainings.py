"""Run trainings that differ in policy and seed, several at a time, and write each result to a file at once."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from filelock import lock_descriptor

from mmddas.viz.progress import Bar

# As EvaluationRecordHook writes it.
EVALUATIONS = 'evaluations.jsonl'


@dataclass(frozen=True)
class Training:
    """A training with one policy and one seed.

    Args:
        name: What is trained with: a policy's name, for instance.
        seed: Its seed.
        command: A script and its arguments, up to ``--cfg-options`` and some settings; the seed and ``--work-dir`` are
            added. The script writes ``evaluations.jsonl``, as ``tools/train.py`` does.
        marks: Further keys of its result. A result with another value of one belongs to another training; a key that
            the result lacks, as one of an earlier version may, counts as equal.
    """

    name: str
    seed: int
    command: tuple[str, ...]
    marks: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return f'{self.name}, seed {self.seed}'

    @property
    def folder(self) -> str:
        """The name of its work dir, which differs from those of trainings with other marks."""
        return '_'.join([file_stem(self.name), str(self.seed), *map(str, self.marks.values())])

    def result(self, rows: Iterable[dict]) -> dict | None:
        """Find its result among the rows of a file; None where there is none."""
        own = dict(name=self.name, seed=self.seed) | self.marks
        return next((row for row in rows if own.items() <= (self.marks | row).items()), None)


def file_stem(name: str) -> str:
    """Replace what a file's name should not have."""
    return re.sub(r'[^A-Za-z0-9_.=-]+', '_', name)


class Results:
    """A file of results, a JSON object a line: ``name``, ``seed``, ``evaluations`` (by epoch, then by metric), ...

    Several processes may add to one file. A line that a killed process has left unfinished is skipped.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)

    def rows(self) -> list[dict]:
        """Read all results, oldest first."""
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_text(encoding='utf-8').splitlines():
            with suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return found

    def add(self, row: dict) -> None:
        """Add a result, and return when it is on the disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open('a+b') as file:
            lock_descriptor(file.fileno())
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b'\n':
                    file.write(b'\n')
            file.write(json.dumps(row).encode() + b'\n')
            file.flush()
            os.fsync(file.fileno())


def last_values(row: dict) -> dict[str, float]:
    """Return a result's metrics after the last epoch; empty where nothing is detected."""
    return row['evaluations'][max(row['evaluations'], key=int)]


def run_trainings(
    trainings: Iterable[Training],
    results: Results,
    work_dir: Path,
    jobs: int,
    check: Callable[[dict], None] | None = None,
) -> list[str]:
    """Run the trainings without a result, ``jobs`` at a time and on one thread each, in the order given.

    Args:
        trainings: All trainings that are to have a result in the end.
        results: Where results go.
        work_dir: Gets a folder for each training, which is removed when its result is there; an interrupted training
            is resumed.
        jobs: How many trainings run at a time.
        check: Called with every new result; what it raises ends all trainings.

    Returns:
        The trainings that failed, as ``'NAME, seed SEED: LOG'``.
    """
    trainings, rows = list(trainings), results.rows()
    missing = [training for training in trainings if training.result(rows) is None]
    have = len(trainings) - len(missing)
    print(f'{results.path} has {have} results; {len(missing)} trainings to go, {jobs} at a time', flush=True)
    bar, began = Bar(len(missing), 'trainings'), time.monotonic()
    waiting, running, failed, number = iter(missing), [], [], 0
    try:
        while number < len(missing):
            running += [_Run(training, results, work_dir) for training in islice(waiting, jobs - len(running))]
            ended = [run for run in running if run.has_ended()]
            if not ended:
                time.sleep(0.2)
            for run in ended:
                running.remove(run)
                number += 1
                others = f'running: {", ".join(str(other.training) for other in running) or "none"}'
                bar.advance(others)
                head = f'{number}/{len(missing)} {run.training}'
                if run.row is None:
                    failed.append(f'{run.training}: {run.log}')
                    print(f'{head} failed: {run.log}', flush=True)
                    continue
                if check is not None:
                    check(run.row)
                value = next((f'{metric} {value:.4g}' for metric, value in last_values(run.row).items()), None)
                left = (time.monotonic() - began) / number * (len(missing) - number) / 60
                print(
                    f'{head}: {value or "nothing is detected"} ({run.row["seconds"]:.0f} s); {others}; '
                    f'about {left:.0f} minutes left',
                    flush=True,
                )
    finally:
        for run in running:
            run.tell_to_end()
        for run in running:
            run.wait()
        bar.stop()
    return failed


class _Run:
    """A training under way, from waiting for its folder to its result.

    The training inherits the lock of its folder, so that one whose parent was killed is waited for. (On NFS, whose
    locks are not inherited, it is not.) ``FileLock`` keeps its descriptor from children, hence ``lock_descriptor``.
    """

    def __init__(self, training: Training, results: Results, work_dir: Path) -> None:
        self.training, self.row, self._results = training, None, results
        self._folder = work_dir / training.folder
        self.log = self._folder / 'train.log'
        self._child, self._began, self._waits = None, 0.0, False
        work_dir.mkdir(parents=True, exist_ok=True)
        self._lock = (work_dir / f'.{training.folder}.lock').open('ab')

    def has_ended(self) -> bool:
        """Start the training where its folder is free, and look for its end; ``row`` stays None where it failed."""
        if self._child is None:
            if not lock_descriptor(self._lock.fileno(), blocking=False):
                if not self._waits:
                    print(f'Waiting for another process that trains in {self._folder}', flush=True)
                self._waits = True
                return False
            self.row = self.training.result(self._results.rows())  # of the process that was waited for
            if self.row is None:
                self._start()
                return False
        elif self._child.poll() is None:
            return False
        else:
            self._add_result()
        if self.row is not None:
            # What a network's file system or another program holds open stays.
            shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.close()
        return True

    def _start(self) -> None:
        seed, work_dir = f'randomness.seed={self.training.seed}', ('--work-dir', str(self._folder))
        self._folder.mkdir(parents=True, exist_ok=True)
        self._began = time.monotonic()
        with self.log.open('ab') as output:
            self._child = subprocess.Popen(
                [sys.executable, *self.training.command, seed, *work_dir],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | dict(OMP_NUM_THREADS='1'),
                start_new_session=True,
                pass_fds=[self._lock.fileno()],
            )

    def _add_result(self) -> None:
        starts = self._add_start()
        evaluations = Results(self._folder / EVALUATIONS).rows()
        # The last evaluation of a training that was stopped is no result; that of a network that detects nothing is
        # one, without metrics.
        if self._child.returncode != 0 or not evaluations or not evaluations[-1]['last']:
            return
        self.row = dict(
            name=self.training.name,
            seed=self.training.seed,
            **self.training.marks,
            seconds=round(sum(start['seconds'] for start in starts.rows())),
            evaluations={str(row['at']): row['metrics'] for row in evaluations if row['metrics'] or row['last']},
        )
        self._results.add(self.row)

    def _add_start(self) -> Results:
        starts = Results(self._folder / 'starts.jsonl')
        starts.add(dict(seconds=time.monotonic() - self._began))
        return starts

    def tell_to_end(self) -> None:
        """Terminate the processes of the training."""
        if self._child is not None and self._child.returncode is None:
            with suppress(ProcessLookupError):  # it has just ended
                os.killpg(self._child.pid, signal.SIGTERM)

    def wait(self) -> None:
        """Wait for the end of the processes, and release the folder, which stays for the next start."""
        if self._child is not None and self._child.returncode is None:
            self._child.wait()
            self._add_start()
        self._lock.close()
