"""The search space: candidate operations, and the number of them in a sub-policy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from .presets import PRESET_TASKS, PRESETS
from .validation import is_number, is_whole

# Far beyond the 2 or 3 of published policies; keeps a wrong file from asking for the impossible.
MAX_NUM_OPS = 100


class Candidate(NamedTuple):
    """An operation at a level. The same operation at two levels is two candidates.

    ``level`` is None for an operation that takes none.
    """

    op: str
    level: float | None = None

    def __str__(self) -> str:
        return self.op if self.level is None else f'{self.op} {self.level:g}'


def _candidate(item: Candidate | Sequence | str) -> Candidate:
    """Read a ``Candidate``, ``(op, level)`` or an operation's name; ValueError otherwise."""
    pair = (item,) if isinstance(item, str) else item
    if not isinstance(pair, (tuple, list)) or not 1 <= len(pair) <= 2:
        raise ValueError(f'Candidate {item!r:.80}: expected a name or a pair (operation, level)')
    op, level = (*pair, None)[:2]
    if not isinstance(op, str) or not op:
        raise ValueError(f'Candidate {item!r:.80}: the operation must be a name')
    if level is not None and not is_number(level):
        raise ValueError(f'Candidate {item!r:.80}: the level must be a number or None, got {level!r:.80}')
    return Candidate(op, level)


class SearchSpace:
    """K candidate operations; a sub-policy is a sequence of ``num_ops`` of them, drawn with replacement.

    Args:
        candidates: :class:`Candidate` objects, ``(op, level)`` pairs or, without a level, operation names.
        num_ops: N_o, operations in a sub-policy.

    Attributes:
        operations: The names of operations, in the order in which candidates have them first.
        operation_of: The index of each candidate's operation among them, ``(K,)``.

    Raises:
        ValueError: There are no candidates, one is listed twice, or ``num_ops`` is out of range.
    """

    def __init__(self, candidates: Iterable[Candidate | Sequence | str], num_ops: int = 2) -> None:
        self.candidates = tuple(_candidate(item) for item in candidates)
        self.num_ops = num_ops
        if not self.candidates:
            raise ValueError('A search space needs at least one candidate operation, got none')
        twice = sorted({str(candidate) for candidate in self.candidates if self.candidates.count(candidate) > 1})
        if twice:
            raise ValueError(f'Candidates listed more than once: {", ".join(twice):.200}; list each once')
        if not (is_whole(num_ops) and 1 <= num_ops <= MAX_NUM_OPS):
            raise ValueError(f'num_ops must be a whole number from 1 to {MAX_NUM_OPS}, got {num_ops!r:.80}')
        self.operations = list(dict.fromkeys(candidate.op for candidate in self.candidates))
        place = {op: row for row, op in enumerate(self.operations)}
        self.operation_of = np.array([place[candidate.op] for candidate in self.candidates])

    @classmethod
    def preset(cls, name: str, num_ops: int = 2) -> SearchSpace:
        """Return a search space by name; ValueError with the known names otherwise."""
        if name not in PRESETS:
            raise ValueError(f'Unknown search space {name!r}; presets are {sorted(PRESETS)}')
        return cls(PRESETS[name], num_ops)

    @classmethod
    def register(cls, name: str, candidates: Iterable[Candidate | Sequence | str], task: str = 'detection') -> None:
        """Register candidates under a name, for ``--space NAME`` and ``uniform:NAME``.

        Args:
            name: A new name, or one with the same candidates.
            candidates: As of the class; they may use registered operations of your own.
            task: ``'detection'`` or ``'classification'``.

        Raises:
            ValueError: The name is taken or has other characters than letters, digits and _; the candidates or the task
                are not valid.
        """
        found = tuple(tuple(candidate) for candidate in cls(candidates).candidates)
        if not re.fullmatch(r'\w+', name):
            raise ValueError(f'The name of a search space has only letters, digits and _, got {name!r}')
        if task not in PRESET_TASKS.values():
            raise ValueError(f'task must be one of {sorted(set(PRESET_TASKS.values()))}, got {task!r}')
        if PRESETS.get(name, found) != found:
            raise ValueError(f'A search space {name!r} with other candidates exists already: choose another name')
        PRESETS[name], PRESET_TASKS[name] = found, task

    def operation_multiples(self, op_probs: np.ndarray) -> np.ndarray:
        """Sum p_o ``(K,)`` over the levels of each operation, in multiples of a uniform policy: ``(operations,)``."""
        return np.bincount(self.operation_of, op_probs) * len(self) / np.bincount(self.operation_of)

    def __len__(self) -> int:
        """K."""
        return len(self.candidates)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SearchSpace) and (self.candidates, self.num_ops) == (other.candidates, other.num_ops)

    def __repr__(self) -> str:
        return f'SearchSpace({len(self)} candidates, num_ops={self.num_ops})'
