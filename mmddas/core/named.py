"""Policies that go by a name: published ones, packaged as files, and those that a search space gives without a search.

A name is ``zoph_v1``, or, of the latter, ``uniform``, ``trivialaugment`` or ``randaugment`` with what it takes behind
colons: ``uniform:detection_wide:total_prob=0.5``, ``randaugment:cifar:level=5:num_ops=2``.
"""

from __future__ import annotations

import ast
import inspect
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .presets import PRESETS
from .schedule import PolicySchedule
from .search_space import Candidate, SearchSpace
from .snapshots import PolicySnapshot

FOLDER = Path(__file__).parents[1] / 'policies'


def uniform(space: str, total_prob: float = 0.35, num_ops: int = 2) -> PolicySchedule:
    """What a search begins with: p_tp, and N_o candidates, all equally likely."""
    if isinstance(total_prob, bool) or not isinstance(total_prob, (int, float)) or not 0 <= total_prob <= 1:
        raise ValueError(f'total_prob must be a probability from 0 to 1, got {total_prob!r}')
    preset = SearchSpace.preset(space, num_ops)
    return _static(preset, float(total_prob), np.full(len(preset), 1 / len(preset)))


def trivialaugment(space: str) -> PolicySchedule:
    """One operation on every image, all equally likely, at any of its levels (Müller and Hutter, TrivialAugment)."""
    preset = SearchSpace.preset(space, 1)
    levels = Counter(candidate.op for candidate in preset.candidates)
    return _static(preset, 1.0, np.array([1 / len(levels) / levels[candidate.op] for candidate in preset.candidates]))


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
        policy: The name, with what it takes, or the path.
        space: The search space of a generated policy that names none.

    Raises:
        FileNotFoundError: It is neither a name nor a file.
        PolicyFileError: The file is not a valid policy file.
        ValueError: What stands behind a name is no search space, or nothing that this policy takes.
    """
    name, *settings = str(policy).split(':')
    if name in GENERATED and isinstance(policy, str):
        return _generated(name, settings, space)
    if isinstance(policy, str) and (FOLDER / f'{policy}.json').is_file() and Path(policy).name == policy:
        return PolicySchedule.load(FOLDER / f'{policy}.json')
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
        try:
            given[key] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            raise ValueError(f'{name}: {key} must be a number, got {text!r}') from None
    schedule = GENERATED[name](space, **given)
    task = 'detection' if space.startswith('detection') else 'classification'
    schedule.meta = dict(task=task, name=':'.join([name, space, *(f'{key}={value}' for key, value in given.items())]))
    return schedule


def _static(space: SearchSpace, total_prob: float, probs: np.ndarray) -> PolicySchedule:
    return PolicySchedule(space, [PolicySnapshot(total_prob, probs)])
