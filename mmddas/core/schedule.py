"""The searched policy over time, its file, and its replay in re-training."""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .effects import Effects, Findings
from .files import write_text
from .policy import AugmentationPolicy
from .search_space import SearchSpace

FORMAT = 'mmddas-policy'
VERSION = 1
# Probabilities written in decimal sum to 1 only nearly.
SUM_TOLERANCE = 1e-3


class PolicyFileError(ValueError):
    """A policy file, or an inline policy, is not what it has to be: which one, where in it, what was expected."""


@dataclass(frozen=True, eq=False)
class PolicySnapshot:
    """The policy's probabilities at one time: p_tp, and p_o as ``(K,)`` float64 summing to 1."""

    total_prob: float
    op_probs: np.ndarray

    @functools.cached_property
    def cumulated(self) -> np.ndarray:
        """The probability of each candidate and all before it, ``(K,)``, ending with 1: for drawing from."""
        sums = self.op_probs.cumsum()
        return sums / sums[-1]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, PolicySnapshot)
            and self.total_prob == other.total_prob
            and np.array_equal(self.op_probs, other.op_probs)
        )


class PolicySchedule:
    """T snapshots of a policy, one per search epoch, and how re-training replays them.

    Args:
        space: The candidates that the snapshots' ``op_probs`` belong to.
        snapshots: What has been searched so far.
        meta: Free JSON values that tell where the policy comes from.
        findings: What the search knows of its candidates' effects; None: not recorded.
    """

    def __init__(
        self,
        space: SearchSpace,
        snapshots: Iterable[PolicySnapshot] = (),
        meta: dict | None = None,
        findings: Findings | None = None,
    ) -> None:
        self.space = space
        self.snapshots = list(snapshots)
        self.meta = dict(meta or {})
        self.findings = findings

    def __len__(self) -> int:
        """T."""
        return len(self.snapshots)

    def append(self, policy: AugmentationPolicy) -> None:
        """Add a snapshot of the policy as it is now."""
        probs = policy.op_probs.detach().double().cpu().numpy()
        self.snapshots.append(PolicySnapshot(policy.total_prob.item(), probs / probs.sum()))

    def smooth(self, window: int) -> PolicySchedule:
        """p_tp through a centred mean filter of odd width ``window`` (F_s); at the ends over what exists.

        p_o is left as it is.
        """
        if isinstance(window, bool) or not isinstance(window, int) or window < 1 or window % 2 == 0:
            raise ValueError(f'The smoothing window must be an odd whole number of at least 1, got {window!r}')
        reach = window // 2
        total_probs = [snapshot.total_prob for snapshot in self.snapshots]
        means = [float(np.mean(total_probs[max(t - reach, 0) : t + reach + 1])) for t in range(len(self))]
        smoothed = [
            PolicySnapshot(mean, snapshot.op_probs) for mean, snapshot in zip(means, self.snapshots, strict=True)
        ]
        return PolicySchedule(self.space, smoothed, self.meta, self.findings)

    def static(self) -> PolicySchedule:
        """The last snapshot alone, for all epochs."""
        return PolicySchedule(self.space, self.snapshots[-1:], self.meta, self.findings)

    def at(self, epoch: int, max_epochs: int) -> PolicySnapshot:
        """The snapshot for ``epoch`` (from 0) of ``max_epochs``: number floor(epoch * T / max_epochs).

        Nearest-neighbour upsampling (or thinning, where the search was longer). Any unit of time will do.
        """
        if not self.snapshots:
            raise ValueError('The schedule is empty: nothing has been searched yet')
        if not 0 <= epoch < max_epochs:
            raise ValueError(f'epoch must lie in 0..{max_epochs - 1} (max_epochs={max_epochs}), got {epoch!r}')
        return self.snapshots[epoch * len(self) // max_epochs]

    def to_dict(self) -> dict:
        """The content of the policy file."""
        content = {
            'format': FORMAT,
            'version': VERSION,
            'num_ops': self.space.num_ops,
            'candidates': [{'op': candidate.op, 'level': candidate.level} for candidate in self.space.candidates],
            'epochs': [
                {'total_prob': snapshot.total_prob, 'op_probs': snapshot.op_probs.tolist()}
                for snapshot in self.snapshots
            ],
            'meta': self.meta,
        }
        return content if self.findings is None else content | {'evidence': self.findings.to_dict()}

    @classmethod
    def from_dict(cls, content: object, source: str = 'policy', min_epochs: int = 1) -> PolicySchedule:
        """Read and check the content of a policy file, of ``min_epochs`` snapshots at least.

        Raises:
            PolicyFileError: Names ``source``, the field and what was expected there.
        """
        return _Reader(source).schedule(content, min_epochs)

    def save(self, path: str | os.PathLike) -> None:
        """Write the policy file, atomically: one candidate and one epoch a line."""
        content = self.to_dict()
        lines = []
        for key, value in content.items():
            if isinstance(value, list) and value:
                lines.append(f'{json.dumps(key)}: {_one_a_line(value, " ")}')
            elif key == 'evidence':
                parts = [
                    f'{json.dumps(name)}: {_one_a_line(part, "  ") if isinstance(part, list) else json.dumps(part)}'
                    for name, part in value.items()
                ]
                lines.append(f'{json.dumps(key)}: {{\n  ' + ',\n  '.join(parts) + '\n }')
            else:
                lines.append(f'{json.dumps(key)}: {json.dumps(value, allow_nan=False)}')
        write_text(path, '{' + ',\n '.join(lines) + '}\n')

    @classmethod
    def load(cls, path: str | os.PathLike) -> PolicySchedule:
        """Read a policy file.

        Raises:
            FileNotFoundError: There is no such file.
            PolicyFileError: It is not a valid policy file.
        """
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(
                f'There is no policy file {str(path)!r}; a search writes policy.json to its work dir'
            )
        try:
            content = json.loads(path.read_bytes().decode('utf-8'))
        except (OSError, ValueError, RecursionError) as error:
            raise PolicyFileError(f'{path}: expected a JSON file, but {error}') from error
        return cls.from_dict(content, str(path))


def _one_a_line(rows: list, indent: str) -> str:
    inner = f',\n{indent} '.join(json.dumps(row, allow_nan=False) for row in rows)
    return f'[\n{indent} {inner}\n{indent}]'


class _Reader:
    """Checks a policy's content field by field; every complaint names the source and the field."""

    def __init__(self, source: str) -> None:
        self.source = source

    def expect(self, condition: bool, field: str, expected: str, found: object) -> None:
        if not condition:
            text = repr(found)
            text = text if len(text) <= 80 else text[:77] + '...'
            raise PolicyFileError(f'{self.source}: {field}: expected {expected}, found {text}')

    def probability(self, value: object, field: str) -> float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        self.expect(number and 0 <= value <= 1, field, 'a probability from 0 to 1', value)
        return float(value)

    def schedule(self, content: object, min_epochs: int) -> PolicySchedule:
        self.expect(isinstance(content, dict), 'content', 'an object (a dict)', content)
        self.expect(content.get('format', FORMAT) == FORMAT, 'format', repr(FORMAT), content.get('format'))
        version = content.get('version', VERSION)
        self.expect(type(version) is int and version == VERSION, 'version', f'{VERSION}', version)
        for field in ('num_ops', 'candidates', 'epochs'):
            self.expect(field in content, 'content', f'the field {field!r}', list(content))
        meta = content.get('meta', {})
        self.expect(isinstance(meta, dict), 'meta', 'an object (a dict)', meta)
        space = self.space(content['candidates'], content['num_ops'])
        epochs = content['epochs']
        enough = isinstance(epochs, list) and len(epochs) >= min_epochs
        self.expect(enough, 'epochs', f'a list of at least {min_epochs} snapshots', epochs)
        snapshots = [self.snapshot(item, f'epochs[{i}]', len(space)) for i, item in enumerate(epochs)]
        evidence = content.get('evidence')
        return PolicySchedule(space, snapshots, meta, None if evidence is None else self.findings(evidence, space))

    def findings(self, content: object, space: SearchSpace) -> Findings:
        field = 'evidence'
        self.expect(isinstance(content, dict), field, 'an object (a dict)', content)
        steps = content.get('steps')
        self.expect(type(steps) is int and steps >= 0, f'{field}.steps', 'a whole number of steps', steps)
        names = list(dict.fromkeys(candidate.op for candidate in space.candidates))
        operations = self.rows(content.get('operations'), f'{field}.operations', len(names))
        found = [row.get('op') for row in operations]
        self.expect(found == names, f'{field}.operations', f'those of the candidates, {names}', found)
        candidates = self.rows(content.get('candidates'), f'{field}.candidates', len(space))
        return Findings(
            steps,
            names,
            self.effects(operations, f'{field}.operations'),
            self.effects(candidates, f'{field}.candidates'),
        )

    def rows(self, content: object, field: str, size: int) -> list[dict]:
        valid = isinstance(content, list) and len(content) == size and all(isinstance(row, dict) for row in content)
        self.expect(valid, field, f'a list of {size} objects', content)
        return content

    def effects(self, rows: list[dict], field: str) -> Effects:
        columns = {}
        for name in Effects.COLUMNS:
            columns[name] = np.full(len(rows), np.nan)
            for i, row in enumerate(rows):
                value = row.get(name)
                number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
                lowest = -math.inf if name == 'effect' else 0
                valid = value is None or number and value >= lowest
                self.expect(valid, f'{field}[{i}].{name}', 'a number, or null where it is not known', value)
                if value is not None:
                    columns[name][i] = value
        return Effects(**columns)

    def space(self, candidates: object, num_ops: object) -> SearchSpace:
        self.expect(isinstance(candidates, list) and candidates, 'candidates', 'a list of at least one', candidates)
        pairs = []
        for i, item in enumerate(candidates):
            field = f'candidates[{i}]'
            self.expect(isinstance(item, dict) and 'op' in item, field, 'an object with "op" and "level"', item)
            pairs.append((item['op'], item.get('level')))
        try:
            return SearchSpace(pairs, num_ops)
        except (ValueError, OverflowError) as error:
            raise PolicyFileError(f'{self.source}: candidates or num_ops: {error}') from error

    def snapshot(self, item: object, field: str, size: int) -> PolicySnapshot:
        valid = isinstance(item, dict) and 'total_prob' in item and 'op_probs' in item
        self.expect(valid, field, 'an object with "total_prob" and "op_probs"', item)
        total_prob = self.probability(item['total_prob'], f'{field}.total_prob')
        probs, field = item['op_probs'], f'{field}.op_probs'
        self.expect(isinstance(probs, list), field, 'a list of probabilities', probs)
        self.expect(len(probs) == size, field, f'{size} probabilities, one for each candidate', len(probs))
        values = np.array([self.probability(value, f'{field}[{k}]') for k, value in enumerate(probs)])
        total = math.fsum(values)
        self.expect(abs(total - 1) <= SUM_TOLERANCE, field, 'probabilities that sum to 1', float(f'{total:g}'))
        return PolicySnapshot(total_prob, values)
