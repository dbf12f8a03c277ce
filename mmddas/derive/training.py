"""Change a training's config: another policy, another length; the rest stays as it is."""

from __future__ import annotations

from mmengine.config import Config

from mmddas.config_nodes import as_list, augment_configs, import_mmddas, training_dataset, type_name
from mmddas.core import PolicySchedule, load_policy
from mmddas.core.named import GENERATED
from mmddas.core.presets import PRESETS
from mmddas.datasets import DDASAugment
from mmddas.engine.tasks import TASKS

from .data import augment_settings, look_at, preset_for
from .length import scale_durations, scaled
from .placing import Place, find_places, later_pipelines, place_augments


def policy_for(config: Config, name: str) -> PolicySchedule:
    """Load a policy for a training; a generated one has the search space that fits its task and its images.

    Args:
        config: The training's; its data are looked at where the policy depends on them.
        name: A policy file or a name, as :func:`~mmddas.core.load_policy` takes it.

    Raises:
        FileNotFoundError, ValueError: There is no such policy, or it is for another task.
    """
    scope, space = config.get('default_scope'), 'detection'
    named = name.partition(':')[2].split('=')[0].partition(':')[0] in PRESETS
    if scope == 'mmpretrain' and _is_generated(name) and not named:
        space = preset_for(scope, look_at(config, find_places(config)))
    schedule = load_policy(name, space)
    DDASAugment(schedule)  # which checks operations, levels and options
    searched, here = schedule.meta.get('task'), TASKS.get(scope)
    if searched and here and searched != here:
        raise ValueError(
            f'{name} is a policy for {searched}, and the config trains for {here}, which has other operations'
        )
    return schedule


def _is_generated(name: str) -> bool:
    return name.split(':')[0] in GENERATED


def set_policy(config: Config, policy: str | None) -> list[Place]:
    """Set the policy that a training follows by PolicyScheduleHook, in place.

    Where the training has no DDASAugment, one is put where it belongs (:func:`~mmddas.derive.find_places`), with the
    settings that the data ask for.

    Args:
        policy: A policy file or a name; None removes the transforms and the hook.

    Returns:
        The places where a DDASAugment was put.

    Raises:
        FileNotFoundError: There is no such policy.
        ValueError: The config does not train, its pipeline has no place for a DDASAugment, or the policy is invalid or
            for another task.
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
    if not augment_configs(pipelines):
        settings = augment_settings(config.get('default_scope'), look_at(config, find_places(config)))
        # A policy has lengths as it was searched, or as its authors have them; a generated one has none, and gets those
        # of a search on the same images.
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
    """Set the number of epochs of a training, in place, and scale its learning-rate schedule with it.

    The epochs at which hooks act (MMDetection's PipelineSwitchHook and YOLOXModeSwitchHook, MMPretrain's
    SwitchRecipeHook, MMEngine's EMAHook), and at which evaluations begin or change their interval, are scaled, too.

    Raises:
        ValueError: The training is not one of epochs, or ``epochs`` is below 1.
    """
    loop = config.get('train_cfg') or {}
    if 'max_epochs' not in loop:
        raise ValueError(f'The config trains for {loop.get("max_iters")} iterations, and not for epochs')
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
    schedulers = as_list(config.get('param_scheduler'))
    warm_ups = [scheduler for scheduler in schedulers if _is_warm_up(scheduler)]
    for scheduler in schedulers:
        if scheduler not in warm_ups:
            begin = scheduler.get('begin')
            scale_durations(scheduler, factor)
            # A decay in iterations begins behind the warm-up still.
            if any(begin == warm_up['end'] for warm_up in warm_ups) and not scheduler.get('by_epoch', True):
                scheduler['begin'] = begin


def _is_warm_up(scheduler: dict) -> bool:
    """Return whether a scheduler is for the first iterations alone, whose number stays."""
    of_iterations = not scheduler.get('by_epoch', True) and not scheduler.get('begin') and 'end' in scheduler
    return of_iterations and type_name(scheduler).startswith(('Linear', 'Constant'))


def _stretch_hook(hook: dict, before: int, epochs: int) -> None:
    """Scale the epochs at which a hook acts; the part of a training behind them lasts one at least."""
    if 'switch_epoch' in hook:
        hook['switch_epoch'] = _from_the_end(hook['switch_epoch'], before, epochs)
    if 'num_last_epochs' in hook:
        hook['num_last_epochs'] = scaled(hook['num_last_epochs'], epochs / before, least=1)
    if 'begin_epoch' in hook:
        hook['begin_epoch'] = scaled(hook['begin_epoch'], epochs / before)
    if type_name(hook) == 'SwitchRecipeHook':
        last = 0
        for recipe in sorted(hook['schedule'], key=lambda recipe: recipe['action_epoch']):
            # The hook refuses two at one epoch.
            last = recipe['action_epoch'] = max(scaled(recipe['action_epoch'], epochs / before), last + 1)


def _from_the_end(epoch: int, before: int, epochs: int) -> int:
    """Return the epoch with as large a share of the training left as ``epoch`` of ``before``, one epoch at least."""
    if epoch >= before:
        return scaled(epoch, epochs / before)
    return epochs - scaled(before - epoch, epochs / before, least=1)
