"""Policies by name: published ones, packaged as files, and policies that are generated for a search space.

Published ones are ``zoph_v1`` and the like. Generated ones are ``uniform``, ``trivialaugment`` and ``randaugment``,
with settings after colons: ``uniform:detection_wide:total_prob=0.5``, ``randaugment:cifar:level=5:num_ops=2``. The p_tp
of a file can be replaced in the same way: ``policy.json:total_prob=0.7``.
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
    """Apply N_o candidates, all equally likely, with probability p_tp: the policy that a search begins with."""
    preset = SearchSpace.preset(space, num_ops)
    return _static(preset, 1.0, np.full(len(preset), 1 / len(preset))).with_total_prob(total_prob)


def trivialaugment(space: str) -> PolicySchedule:
    """Apply one operation to every image, all equally likely, at any level (Müller and Hutter, TrivialAugment)."""
    preset = SearchSpace.preset(space, 1)
    levels = np.bincount(preset.operation_of)
    return _static(preset, 1.0, 1 / len(levels) / levels[preset.operation_of])


def randaugment(space: str, level: float = 5, num_ops: int = 2) -> PolicySchedule:
    """Apply N operations to every image, all equally likely, at one level (Cubuk et al., RandAugment).

    The level has to be tuned. Some operations grow milder with it, as in their sources: Posterize and Solarize of
    ``detection``.
    """
    levelled = {candidate.op: candidate.level for candidate in SearchSpace.preset(space).candidates}
    candidates = [Candidate(op, None if found is None else level) for op, found in levelled.items()]
    return _static(SearchSpace(candidates, num_ops), 1.0, np.full(len(candidates), 1 / len(candidates)))


GENERATED: dict[str, Callable[..., PolicySchedule]] = {
    maker.__name__: maker for maker in (uniform, trivialaugment, randaugment)
}


def policy_names() -> list[str]:
    """List all names, generated policies first."""
    return [*GENERATED, *sorted(path.stem for path in FOLDER.glob('*.json'))]


def load_policy(policy: str | os.PathLike, space: str | None = 'detection') -> PolicySchedule:
    """Load a policy by its name or from its file; names take precedence (``./zoph_v1`` is a file).

    Args:
        policy: A name with its settings, or a path, optionally followed by ``:total_prob=`` and a p_tp.
        space: The search space of a generated policy that names none; None: it has to name one.

    Raises:
        FileNotFoundError: It is neither a name nor a file.
        PolicyFileError: The file is not a valid policy file.
        ValueError: The settings of a name are not a search space and arguments of that policy; those of a path are not
            a p_tp.
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


def _generated(name: str, settings: list[str], space: str | None) -> PolicySchedule:
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
    if space is None:
        raise ValueError(
            f'{name} names no search space: write {name}:cifar (images up to 64 pixels), {name}:imagenet (larger ones) '
            f'or another of {sorted(PRESETS)}'
        )
    schedule = GENERATED[name](space, **given)
    schedule.meta = dict(
        task=PRESET_TASKS[space], name=':'.join([name, space, *(f'{key}={value}' for key, value in given.items())])
    )
    return schedule


def _changed(schedule: PolicySchedule, setting: str, policy: str) -> PolicySchedule:
    """Apply the setting that follows a path."""
    key, _, text = setting.partition('=')
    if key != 'total_prob':
        raise ValueError(f'{policy}: a file takes the setting total_prob=..., got {setting!r}')
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
