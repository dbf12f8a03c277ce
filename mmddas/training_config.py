"""Changes of a training's config that leave the rest of it as it is: another policy, another length."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mmengine.config import Config

# What of a learning-rate schedule, counted in epochs, grows with their number.
_SCHEDULE_KEYS = ('begin', 'end', 'T_max', 'step_size', 'milestones')


def type_name(node: dict) -> str:
    """The name in a config's ``type``, which may be a class, or carry a scope or a module."""
    kind = node.get('type')
    return getattr(kind, '__name__', str(kind)).split('.')[-1]


def augment_configs(node: object) -> Iterator[dict]:
    """The dicts within a config's node that build a DDASAugment."""
    if isinstance(node, dict):
        if type_name(node) == 'DDASAugment':
            yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from augment_configs(child)


def set_policy(config: Config, policy: str | None) -> None:
    """Have a training's DDASAugments follow this policy by PolicyScheduleHook, in place of what they have.

    Args:
        config: Changed in place.
        policy: A policy file or a name; None takes the transforms and the hook out.

    Raises:
        ValueError: The training pipeline has no DDASAugment.
    """
    dataset = (config.get('train_dataloader') or {}).get('dataset')
    augments = list(augment_configs(dataset))
    if not augments:
        raise ValueError(
            'The training pipeline has no DDASAugment, whose policy could be another one: put '
            "dict(type='DDASAugment') into it, after LoadAnnotations (in classification after the image is loaded) and "
            'before what resizes, flips or packs'
        )
    hooks = list(config.get('custom_hooks') or ())
    mine = [hook for hook in hooks if type_name(hook) == 'PolicyScheduleHook']
    config.policy_file = policy
    if policy is None:
        _remove_augments(dataset)
        config.custom_hooks = [hook for hook in hooks if hook not in mine]
        return
    for node in augments + mine:
        node.pop('policy', None)
    if not mine:
        config.custom_hooks = [*hooks, dict(type='PolicyScheduleHook')]


def _remove_augments(node: object) -> None:
    for key, child in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(child, (list, tuple)):
            kept = [item for item in child if not (isinstance(item, dict) and type_name(item) == 'DDASAugment')]
            if len(kept) < len(child):
                node[key] = child = kept
        if isinstance(child, (dict, list, tuple)):
            _remove_augments(child)


def set_epochs(config: Config, epochs: int) -> None:
    """Have a training last so many epochs, its learning-rate schedule stretched or shrunk with it.

    Raises:
        ValueError: It is not one of epochs, or ``epochs`` is below 1.
    """
    loop = config.get('train_cfg') or {}
    if 'max_epochs' not in loop:
        raise ValueError(f'The config trains for {loop.get("max_iters")} iterations, and not for a number of epochs')
    if epochs < 1:
        raise ValueError(f'A training has at least 1 epoch, got {epochs}')
    factor = epochs / loop['max_epochs']
    loop['max_epochs'] = epochs
    schedulers = config.get('param_scheduler') or []
    for scheduler in schedulers if isinstance(schedulers, (list, tuple)) else [schedulers]:
        if scheduler.get('by_epoch', True):
            for key in _SCHEDULE_KEYS:
                if key in scheduler:
                    scheduler[key] = _scaled(scheduler[key], factor)


def _scaled(value: object, factor: float) -> object:
    if isinstance(value, (list, tuple)):
        return [_scaled(item, factor) for item in value]
    finite = isinstance(value, (int, float)) and math.isfinite(value)
    return round(value * factor) if finite else value


def evaluate_at_the_end(config: Config) -> None:
    """Have a training evaluate after its last epoch or iteration, where its interval leaves that out."""
    loop = config.get('train_cfg') or {}
    end = loop.get('max_epochs', loop.get('max_iters'))
    if end is not None and end % loop.get('val_interval', 1):
        loop['val_interval'] = end
