"""Changes of a training's config that leave the rest of it as it is: another policy, another length."""

from __future__ import annotations

from mmengine.config import Config

from mmddas.config_nodes import augment_configs, import_mmddas, training_dataset, type_name
from mmddas.core import PolicySchedule, load_policy
from mmddas.core.named import GENERATED
from mmddas.core.presets import PRESETS
from mmddas.datasets import DDASAugment
from mmddas.engine.tasks import TASKS

from .data import augment_settings, look_at, preset_for
from .length import SCHEDULE_KEYS, scaled
from .placing import Place, find_places, later_pipelines, place_augments


def policy_for(config: Config, name: str) -> PolicySchedule:
    """A policy for a training; generated ones are of the search space that fits its task and the size of its images.

    Args:
        config: Of the training; its data are looked at where the policy depends on them.
        name: A policy file or a name, as of :func:`~mmddas.core.load_policy`.

    Raises:
        FileNotFoundError, ValueError: There is none, or it is one for another task.
    """
    scope, space = config.get('default_scope'), 'detection'
    named = name.partition(':')[2].split('=')[0].partition(':')[0] in PRESETS
    if scope == 'mmpretrain' and _is_generated(name) and not named:
        space = preset_for(scope, look_at(config, find_places(config)))
    schedule = load_policy(name, space)
    DDASAugment(schedule)  # which looks at operations, levels and options
    searched, here = schedule.meta.get('task'), TASKS.get(scope)
    if searched and here and searched != here:
        raise ValueError(
            f'{name} is a policy for {searched}, and the config trains for {here}, with other operations and magnitudes'
        )
    return schedule


def _is_generated(name: str) -> bool:
    return name.split(':')[0] in GENERATED


def set_policy(config: Config, policy: str | None) -> list[Place]:
    """Have a training follow this policy by PolicyScheduleHook, in place of what it has.

    Args:
        config: Changed in place. Where its pipeline has no DDASAugment, one is put where it belongs
            (:func:`~mmddas.derive.find_places`), with what the data say (channel order).
        policy: A policy file or a name; None takes the transforms and the hook out.

    Returns:
        The places where a DDASAugment was put.

    Raises:
        FileNotFoundError: There is no such policy.
        ValueError: The config does not train, its pipeline has no place for a DDASAugment, or the policy is not valid,
            or for another task.
    """
    pipelines = [training_dataset(config), *later_pipelines(config)]
    if policy is not None:
        schedule = policy_for(config, policy)
        policy = schedule.meta['name'] if _is_generated(policy) else policy
    hooks = list(config.get('custom_hooks') or ())
    mine = [hook for hook in hooks if type_name(hook) == 'PolicyScheduleHook']
    config.policy_file = policy
    if policy is None:
        _remove_augments(pipelines)
        config.custom_hooks = [hook for hook in hooks if hook not in mine]
        return []
    placed = []
    if not list(augment_configs(pipelines)):
        settings = augment_settings(config.get('default_scope'), look_at(config, find_places(config)))
        # Lengths are the policy's, as it was searched or as its authors have them; a generated one has none of its own,
        # and gets those of a search on the same images.
        if not _is_generated(str(schedule.meta.get('name', ''))):
            settings.pop('reference_size', None)
        placed = place_augments(config, settings)
    for node in [*augment_configs(pipelines), *mine]:
        node.pop('policy', None)
    if not mine:
        config.custom_hooks = [*hooks, dict(type='PolicyScheduleHook')]
    import_mmddas(config)
    return placed


def _remove_augments(node: object) -> None:
    if isinstance(node, list):
        node[:] = [item for item in node if not (isinstance(item, dict) and type_name(item) == 'DDASAugment')]
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, (dict, list, tuple)):
            _remove_augments(child)


def set_epochs(config: Config, epochs: int) -> None:
    """Have a training last so many epochs, its learning-rate schedule stretched or shrunk with it.

    So are the epochs at which hooks act (MMDetection's PipelineSwitchHook and YOLOXModeSwitchHook, MMPretrain's
    SwitchRecipeHook, MMEngine's EMAHook) and at which evaluations begin or change their interval (``val_begin``,
    ``dynamic_intervals``).

    Raises:
        ValueError: It is not one of epochs, or ``epochs`` is below 1.
    """
    loop = config.get('train_cfg') or {}
    if 'max_epochs' not in loop:
        raise ValueError(f'The config trains for {loop.get("max_iters")} iterations, and not for a number of epochs')
    if epochs < 1:
        raise ValueError(f'A training has at least 1 epoch, got {epochs}')
    before = loop['max_epochs']
    factor = epochs / before
    loop['max_epochs'] = epochs
    if loop.get('val_begin', 1) > 1:
        loop['val_begin'] = min(max(1, round(loop['val_begin'] * factor)), epochs)
    if loop.get('dynamic_intervals'):
        loop['dynamic_intervals'] = [
            (_from_the_end(epoch, before, epochs), interval) for epoch, interval in loop['dynamic_intervals']
        ]
    for hook in config.get('custom_hooks') or ():
        _stretch_hook(hook, before, epochs)
    given = config.get('param_scheduler') or []
    schedulers = given if isinstance(given, (list, tuple)) else [given]
    warm_ups = [scheduler for scheduler in schedulers if _is_warm_up(scheduler)]
    for scheduler in schedulers:
        if scheduler not in warm_ups:
            begin = scheduler.get('begin')
            _stretch(scheduler, factor)
            if any(begin == warm_up['end'] for warm_up in warm_ups) and not scheduler.get('by_epoch', True):
                scheduler['begin'] = begin


def _is_warm_up(scheduler: dict) -> bool:
    """Whether it is of the first iterations alone, whose number stays."""
    of_iterations = not scheduler.get('by_epoch', True) and not scheduler.get('begin') and 'end' in scheduler
    return of_iterations and type_name(scheduler).startswith(('Linear', 'Constant'))


def _stretch(scheduler: dict, factor: float) -> None:
    """Scale what a scheduler counts in epochs; what lasts some of them lasts one at least."""
    for key in SCHEDULE_KEYS:
        if key in scheduler and key != 'begin':
            scheduler[key] = _at_least_one(scaled(scheduler[key], factor))
    if 'begin' in scheduler:
        scheduler['begin'] = scaled(scheduler['begin'], factor)
    if 'end' in scheduler:
        scheduler['end'] = max(scheduler['end'], scheduler.get('begin', 0) + 1)
    if type_name(scheduler).startswith('Exponential') and 'gamma' in scheduler:
        scheduler['gamma'] **= 1 / factor


def _stretch_hook(hook: dict, before: int, epochs: int) -> None:
    """Scale the epochs at which a hook acts; the last part of a training that it makes lasts one at least."""
    if 'switch_epoch' in hook:
        hook['switch_epoch'] = _from_the_end(hook['switch_epoch'], before, epochs)
    if 'num_last_epochs' in hook:
        hook['num_last_epochs'] = _at_least_one(scaled(hook['num_last_epochs'], epochs / before))
    if 'begin_epoch' in hook:
        hook['begin_epoch'] = scaled(hook['begin_epoch'], epochs / before)
    if type_name(hook) == 'SwitchRecipeHook':
        last = 0
        for recipe in sorted(hook['schedule'], key=lambda recipe: recipe['action_epoch']):
            # No two at one epoch, which the hook refuses.
            last = recipe['action_epoch'] = max(scaled(recipe['action_epoch'], epochs / before), last + 1)


def _from_the_end(epoch: int, before: int, epochs: int) -> int:
    """That epoch of a training that had ``before``: as large a share of it is left, one epoch at least."""
    if epoch >= before:
        return scaled(epoch, epochs / before)
    return epochs - _at_least_one(scaled(before - epoch, epochs / before))


def _at_least_one(value: object) -> object:
    return [max(item, 1) for item in value] if isinstance(value, (list, tuple)) else max(value, 1)
