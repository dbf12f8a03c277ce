"""Write the content of a policy file, and read it with every field checked."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence

import numpy as np

from mmddas.stats.effects import Effects, Findings

from .search_space import MAX_NUM_OPS, SearchSpace
from .snapshots import ListedOperation, ListedSnapshot, PolicySnapshot
from .validation import is_number

FORMAT = 'mmddas-policy'
VERSION = 2
# Names of an effect's fields in version 1.
_FIELDS_OF_1 = dict(std_error='error', dof='freedom')
# Probabilities written in decimal sum to 1 only nearly.
SUM_TOLERANCE = 1e-3
# Far beyond any training; keeps a wrong file from asking for the impossible.
MAX_REPEAT = 10_000


class PolicyFileError(ValueError):
    """A policy file, or a policy in a config, is not valid; the message names it, the field, and what was expected."""


def content_of(
    space: SearchSpace, snapshots: Sequence[PolicySnapshot], meta: dict, findings: Findings | None = None
) -> dict:
    """Return the content of a policy file."""
    content = {'format': FORMAT, 'version': VERSION}
    if snapshots and isinstance(snapshots[0], ListedSnapshot):
        epochs = [_listed(snapshot, len([*same])) for snapshot, same in itertools.groupby(snapshots)]
        return content | (epochs[0] if len(snapshots) == 1 else {'epochs': epochs}) | {'meta': meta}
    content |= {
        'num_ops': space.num_ops,
        'candidates': [{'op': candidate.op, 'level': candidate.level} for candidate in space.candidates],
        'epochs': [
            {'total_prob': snapshot.total_prob, 'op_probs': snapshot.op_probs.tolist()} for snapshot in snapshots
        ],
        'meta': meta,
    }
    return content if findings is None else content | {'evidence': findings.to_dict()}


def _listed(snapshot: ListedSnapshot, repeat: int) -> dict:
    content = {'sub_policies': [[operation._asdict() for operation in row] for row in snapshot.sub_policies]}
    if snapshot.max_applied is not None:
        content['max_applied'] = list(snapshot.max_applied)
    return content if repeat == 1 else content | {'repeat': repeat}


def text_of(content: dict) -> str:
    """Format the content, with one candidate, epoch or sub-policy a line."""
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
    return '{' + ',\n '.join(lines) + '}\n'


def _one_a_line(rows: list, indent: str) -> str:
    inner = f',\n{indent} '.join(json.dumps(row, allow_nan=False) for row in rows)
    return f'[\n{indent} {inner}\n{indent}]'


class Reader:
    """Reads a policy's content and checks every field.

    Raises:
        PolicyFileError: A field is not valid; the message names the source and the field.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.fields: dict[str, str] = {}  # names that differ in the file's version

    def expect(self, condition: bool, field: str, expected: str, found: object) -> None:
        if not condition:
            text = repr(found)
            text = text if len(text) <= 80 else text[:77] + '...'
            raise PolicyFileError(f'{self.source}: {field}: expected {expected}, found {text}')

    def probability(self, value: object, field: str) -> float:
        self.expect(is_number(value) and 0 <= value <= 1, field, 'a probability from 0 to 1', value)
        return float(value)

    def whole_number(self, value: object, field: str, lowest: int, highest: int) -> int:
        valid = type(value) is int and lowest <= value <= highest
        self.expect(valid, field, f'a whole number from {lowest} to {highest}', value)
        return value

    def policy(
        self, content: object, min_epochs: int
    ) -> tuple[SearchSpace, list[PolicySnapshot], dict, Findings | None]:
        """Read search space, snapshots (at least ``min_epochs``), meta data and findings."""
        self.expect(isinstance(content, dict), 'content', 'an object (a dict)', content)
        self.expect(content.get('format', FORMAT) == FORMAT, 'format', repr(FORMAT), content.get('format'))
        version = content.get('version', VERSION)
        self.expect(type(version) is int and 1 <= version <= VERSION, 'version', f'1 to {VERSION}', version)
        self.fields = _FIELDS_OF_1 if version == 1 else {}
        meta = content.get('meta', {})
        self.expect(isinstance(meta, dict), 'meta', 'an object (a dict)', meta)
        if _is_listed(content):
            return *self.listed(content), meta, None
        for field in ('num_ops', 'candidates', 'epochs'):
            self.expect(field in content, 'content', f'the field {field!r}', list(content))
        space = self.space(content['candidates'], content['num_ops'])
        epochs = self.epochs(content['epochs'], min_epochs)
        snapshots = [self.snapshot(item, f'epochs[{i}]', len(space)) for i, item in enumerate(epochs)]
        evidence = content.get('evidence')
        return space, snapshots, meta, None if evidence is None else self.findings(evidence, space)

    def epochs(self, content: object, min_epochs: int) -> list:
        enough = isinstance(content, list) and len(content) >= min_epochs
        self.expect(enough, 'epochs', f'a list of at least {min_epochs} snapshots', content)
        return content

    def listed(self, content: dict) -> tuple[SearchSpace, list[PolicySnapshot]]:
        """Read a policy of listed sub-policies: one list, or a list for each of some epochs."""
        twofold = [field for field in ('candidates', 'num_ops') if field in content]
        self.expect(not twofold, 'content', 'sub_policies alone, whose operations are the candidates', list(content))
        if 'sub_policies' in content:
            self.expect('epochs' not in content, 'content', 'sub_policies or epochs, not both', list(content))
            read = [self.list_of_an_epoch(content, '')]
        else:
            epochs = self.epochs(content['epochs'], 1)
            read = [self.list_of_an_epoch(item, f'epochs[{i}].') for i, item in enumerate(epochs)]
        operations = [op for sub_policies, *_ in read for sub_policy in sub_policies for op in sub_policy]
        longest = max(len(sub_policy) for sub_policies, *_ in read for sub_policy in sub_policies)
        self.expect(longest <= MAX_NUM_OPS, 'sub_policies', f'at most {MAX_NUM_OPS} operations in each', longest)
        space = SearchSpace(dict.fromkeys(operation.candidate for operation in operations), longest)
        snapshots = []
        for sub_policies, max_applied, repeat in read:
            snapshots += [ListedSnapshot.of(space, sub_policies, max_applied)] * repeat
        return space, snapshots

    def list_of_an_epoch(
        self, content: object, prefix: str
    ) -> tuple[list[list[ListedOperation]], list[float] | None, int]:
        valid = isinstance(content, dict) and 'sub_policies' in content
        self.expect(valid, prefix.rstrip('.') or 'content', 'an object with "sub_policies"', content)
        rows, field = content['sub_policies'], f'{prefix}sub_policies'
        filled = isinstance(rows, list) and rows and all(isinstance(row, list) and row for row in rows)
        self.expect(bool(filled), field, 'a list of sub-policies, each a list of operations', rows)
        sub_policies = [
            [self.listed_operation(item, f'{field}[{i}][{j}]') for j, item in enumerate(row)]
            for i, row in enumerate(rows)
        ]
        max_applied = content.get('max_applied')
        if max_applied is not None:
            max_applied = self.distribution(max_applied, f'{prefix}max_applied')
        repeat = self.whole_number(content.get('repeat', 1), f'{prefix}repeat', 1, MAX_REPEAT)
        return sub_policies, max_applied, repeat

    def listed_operation(self, item: object, field: str) -> ListedOperation:
        valid = isinstance(item, dict) and isinstance(item.get('op'), str) and 'prob' in item
        self.expect(valid, field, 'an object with "op", "level" and "prob"', item)
        try:
            SearchSpace([(item['op'], item.get('level'))])
        except (ValueError, OverflowError) as error:
            raise PolicyFileError(f'{self.source}: {field}: {error}') from error
        return ListedOperation(item['op'], item.get('level'), self.probability(item['prob'], f'{field}.prob'))

    def distribution(self, probs: object, field: str, size: int | None = None) -> list[float]:
        self.expect(isinstance(probs, list) and probs, field, 'a list of probabilities', probs)
        if size is not None:
            self.expect(len(probs) == size, field, f'{size} probabilities, one for each candidate', len(probs))
        values = [self.probability(value, f'{field}[{k}]') for k, value in enumerate(probs)]
        total = math.fsum(values)
        self.expect(abs(total - 1) <= SUM_TOLERANCE, field, 'probabilities that sum to 1', float(f'{total:g}'))
        return values

    def findings(self, content: object, space: SearchSpace) -> Findings:
        field = 'evidence'
        self.expect(isinstance(content, dict), field, 'an object (a dict)', content)
        steps = content.get('steps')
        self.expect(type(steps) is int and steps >= 0, f'{field}.steps', 'a whole number of steps', steps)
        names = space.operations
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
            field_name = self.fields.get(name, name)
            columns[name] = np.full(len(rows), np.nan)
            for i, row in enumerate(rows):
                value = row.get(field_name)
                lowest = -math.inf if name == 'effect' else 0
                valid = value is None or is_number(value) and value >= lowest
                self.expect(valid, f'{field}[{i}].{field_name}', 'a number, or null if it is not known', value)
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
        values = self.distribution(item['op_probs'], f'{field}.op_probs', size)
        return PolicySnapshot(total_prob, np.array(values))


def _is_listed(content: dict) -> bool:
    epochs = content.get('epochs')
    in_epochs = isinstance(epochs, list) and any(isinstance(item, dict) and 'sub_policies' in item for item in epochs)
    return 'sub_policies' in content or in_epochs
