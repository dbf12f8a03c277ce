"""Trainings that differ in policy and seed, side by side; each result is data in a file the moment it is there."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Training:
    """One training of a config: with this policy file, at this seed."""

    name: str
    seed: int
    policy: Path


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


def run_trainings(
    command: Sequence[str],
    trainings: Iterable[Training],
    results: Results,
    work_dir: Path,
    jobs: int,
    common: dict | None = None,
) -> list[str]:
    """Run what the results lack, ``jobs`` at a time and on one thread each, in the order given.

    Args:
        command: A training: ``tools/train.py``, a config and what all of them have in common, up to ``--cfg-options``
            and its settings, to which seed and policy are added.
        trainings: What is to be there in the end.
        results: Where it goes.
        work_dir: For a folder of each, which is removed when its result is there; an interrupted one is resumed.
        jobs: How many at a time.
        common: What every row says beside its own.

    Returns:
        What has failed, as ``'NAME, seed SEED: LOG'``.
    """
    common = common or {}
    have = {(row['name'], row['seed']) for row in results.rows() if common.items() <= row.items()}
    missing = [training for training in trainings if (training.name, training.seed) not in have]
    children, failed, began = _Children(), [], time.monotonic()
    print(f'{len(have)} results are in {results.path}, {len(missing)} trainings to go, {jobs} at a time', flush=True)
    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(_run, command, training, work_dir, children): training for training in missing}
        try:
            for number, future in enumerate(as_completed(futures), start=1):
                training, outcome = futures[future], future.result()
                left = (time.monotonic() - began) / number * (len(missing) - number) / 60
                if isinstance(outcome, Path):
                    failed.append(f'{training.name}, seed {training.seed}: {outcome}')
                    print(
                        f'{number}/{len(missing)} {training.name}, seed {training.seed} failed: {outcome}', flush=True
                    )
                    continue
                results.add(dict(name=training.name, seed=training.seed) | common | outcome)
                last = outcome['evaluations'][max(outcome['evaluations'], key=int)]
                metric, value = next(iter(last.items()))
                print(
                    f'{number}/{len(missing)} {training.name}, seed {training.seed}: {metric} {value:.4g} '
                    f'({outcome["seconds"]:.0f} s); about {left:.0f} minutes left',
                    flush=True,
                )
        except BaseException:
            children.end()
            pool.shutdown(cancel_futures=True)
            raise
    return failed


class _Children:
    """The processes that run, so that they end with this one."""

    def __init__(self) -> None:
        self._lock, self._running, self.ended = threading.Lock(), set(), False

    def run(self, command: list[str], log: Path) -> int:
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
                )
            self._running.add(child)
        try:
            return child.wait()
        finally:
            self._running.discard(child)

    def end(self) -> None:
        with self._lock:
            self.ended = True
            for child in self._running:
                os.killpg(child.pid, signal.SIGTERM)


def _run(command: Sequence[str], training: Training, work_dir: Path, children: _Children) -> dict | Path:
    """The result, or the log of what went wrong."""
    folder = work_dir / f'{training.name}_{training.seed}'
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / 'train.log'
    settings = [f'randomness.seed={training.seed}', f'policy_file={training.policy}']
    began = time.monotonic()
    code = children.run([sys.executable, *command, *settings, f'work_dir={folder}'], log)
    evaluations = _evaluations(folder)
    if code != 0 or not evaluations:
        return log
    shutil.rmtree(folder)
    return dict(seconds=round(time.monotonic() - began), evaluations=evaluations)


def _evaluations(folder: Path) -> dict[str, dict[str, float]]:
    """What MMEngine has written of a training's evaluations, by epoch."""
    found = {}
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in path.read_text(encoding='utf-8').splitlines():
            values = json.loads(line)
            metrics = {name: value for name, value in values.items() if '/' in name}
            if metrics and 'loss' not in values:
                found[str(values['step'])] = metrics
    return found
