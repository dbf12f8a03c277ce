"""Policies that go by a name: published ones, packaged as files, and those that a search space gives without a search.

A name is ``zoph_v1``, or, of the latter, ``uniform``, ``trivialaugment`` or ``randaugment`` with what it takes behind
colons: ``uniform:detection_wide:total_prob=0.5``, ``randaugment:cifar:level=5:num_ops=2``. A file can have another p_tp
in the same way: ``policy.json:total_prob=0.7``.
"""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .presets import PRESET_TASKS, PRESETS
from .schedule import PolicySchedule
from .search_space import Candidate, SearchSpace
from .snapshots import PolicySnapshot

FOLDER = Path(__file__).parents[1] / 'policies'


def uniform(space: str, total_prob: float = 0.35, num_ops: int = 2) -> PolicySchedule:
    """What a search begins with: p_tp, and N_o candidates, all equally likely."""
    preset = SearchSpace.preset(space, num_ops)
    return _static(preset, 1.0, np.full(len(preset), 1 / len(preset))).with_total_prob(total_prob)


def trivialaugment(space: str) -> PolicySchedule:
    """One operation on every image, all equally likely, at any of its levels (Müller and Hutter, TrivialAugment)."""
    preset = SearchSpace.preset(space, 1)
    levels = np.bincount(preset.operation_of)
    return _static(preset, 1.0, 1 / len(levels) / levels[preset.operation_of])


def randaugment(space: str, level: float = 5, num_ops: int = 2) -> PolicySchedule:
    """N operations on every image, all equally likely, at one level (Cubuk et al., RandAugment).

    The level is to be tuned. Some operations grow milder with it, as in their sources: Posterize and Solarize of
    ``detection``.
    """
    levelled = {candidate.op: candidate.level for candidate in SearchSpace.preset(space).candidates}
    candidates = [Candidate(op, None if found is None else level) for op, found in levelled.items()]
    return _static(SearchSpace(candidates, num_ops), 1.0, np.full(len(candidates), 1 / len(candidates)))


GENERATED: dict[str, Callable[..., PolicySchedule]] = {
    maker.__name__: maker for maker in (uniform, trivialaugment, randaugment)
}


def policy_names() -> list[str]:
    """All of them, generated ones first."""
    return [*GENERATED, *sorted(path.stem for path in FOLDER.glob('*.json'))]


def load_policy(policy: str | os.PathLike, space: str = 'detection') -> PolicySchedule:
    """A policy by its name, or from its file; a name goes first (``./zoph_v1`` is a file in any case).

    Args:
        policy: The name, with what it takes, or the path, with ``:total_prob=`` and another p_tp or without.
        space: The search space of a generated policy that names none.

    Raises:
        FileNotFoundError: It is neither a name nor a file.
        PolicyFileError: The file is not a valid policy file.
        ValueError: What stands behind a name is no search space, or nothing that this policy takes; what stands behind
            a path is no p_tp.
    """
    name, *settings = str(policy).split(':')
    if name in GENERATED and isinstance(policy, str):
        return _generated(name, settings, space)
    if isinstance(policy, str) and (FOLDER / f'{policy}.json').is_file() and Path(policy).name == policy:
        return PolicySchedule.load(FOLDER / f'{policy}.json')
    path, _, setting = str(policy).rpartition(':')
    if path and '=' in setting and not Path(policy).exists():
        return _changed(load_policy(path, space), setting, str(policy))
    if not Path(policy).exists() and isinstance(policy, str) and Path(policy).name == policy and '.' not in policy:
        raise FileNotFoundError(
            f'There is no policy named {policy!r}, and no such file; names are {", ".join(policy_names())}'
        )
    return PolicySchedule.load(policy)


def _generated(name: str, settings: list[str], space: str) -> PolicySchedule:
    known = [*inspect.signature(GENERATED[name]).parameters][1:]
    given = {}
    if settings and '=' not in settings[0]:
        space, *settings = settings
    for setting in settings:
        key, _, text = setting.partition('=')
        if key not in known:
            takes = ', '.join(f'{key}=...' for key in known) or 'no settings'
            raise ValueError(f'{name} takes a search space, one of {sorted(PRESETS)}, and {takes}; got {setting!r}')
        given[key] = _number(name, key, text)
    schedule = GENERATED[name](space, **given)
    schedule.meta = dict(
        task=PRESET_TASKS[space], name=':'.join([name, space, *(f'{key}={value}' for key, value in given.items())])
    )
    return schedule


def _changed(schedule: PolicySchedule, setting: str, policy: str) -> PolicySchedule:
    """A file's policy with what stands behind its path."""
    key, _, text = setting.partition('=')
    if key != 'total_prob':
        raise ValueError(f'{policy}: behind a file stands total_prob=... or nothing, got {setting!r}')
    total_prob = _number(policy, key, text)
    try:
        return schedule.with_total_prob(total_prob)
    except ValueError as error:
        raise ValueError(f'{policy}: {error}') from None


def _number(name: str, key: str, text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise ValueError(f'{name}: {key} must be a number, got {text!r}') from None


def _static(space: SearchSpace, total_prob: float, probs: np.ndarray) -> PolicySchedule:
    return PolicySchedule(space, [PolicySnapshot(total_prob, probs)])
