"""Derive a search's config from the config of the training that its policy is for."""

from __future__ import annotations

import copy
import math
import os
from dataclasses import dataclass
from typing import NamedTuple

from mmengine.config import Config

from mmddas.config_nodes import (
    annotation_files,
    as_list,
    augment_configs,
    import_mmddas,
    leaves,
    training_dataset,
    type_name,
)
from mmddas.core import SearchSpace
from mmddas.engine.checks.overview import ENOUGH_DRAWS, draws_per_operation, epochs_for_evidence
from mmddas.engine.checks.preconditions import PASSING_HOOKS, SWITCHING_HOOKS
from mmddas.engine.tasks import TASKS

from .data import (
    Probe,
    apportion,
    augment_settings,
    check_no_subset,
    elsewhere,
    look_at,
    look_elsewhere,
    missing_steps,
    plain,
    preset_for,
    take,
    unrepeated,
)
from .length import Length, search_length, shrink_schedule, training_size
from .options import SearchOptions
from .placing import find_places, place_augments
from .text import config_text

NUM_SUB_POLICIES = 6
SEED = 0
# Hooks that a search has no use for, since it does not evaluate.
_EVALUATING_HOOKS = ('EMAHook', 'EarlyStoppingHook')


class DerivedSearch(NamedTuple):
    """A search that was derived from a training.

    Args:
        config: Its config.
        text: The config as a commented file.
        lines: What was derived, for the terminal.
        warnings: What should be known before the search is run.
        length: How long it is.
    """

    config: Config
    text: str
    lines: list[str]
    warnings: list[str]
    length: Length


@dataclass(frozen=True)
class _Images:
    """The images of a search.

    Args:
        dataset: The training's data set, with a DDASAugment.
        probes: What the images of its data sets are like.
        clean: The data set without transforms that augment or mix, for S_val.
        other: An S_val from other files; None: it is drawn from the training.
        num_other: Images of that.
        place: Where the DDASAugment stands, in words.
    """

    dataset: dict
    probes: list[Probe]
    clean: dict
    other: dict | None
    num_other: int
    place: str

    @property
    def counts(self) -> list[int]:
        return [len(found.dataset) for found in self.probes]

    def draw(self, length: Length, seed: int) -> tuple[dict, dict]:
        """Return the configs of S_train and S_val, which share no image."""
        numbers = apportion(self.counts, length.num_train)
        s_train = take(unrepeated(self.dataset), numbers, [0] * len(numbers), seed)
        if self.other is not None:
            return s_train, self.other
        left = [count - number for count, number in zip(self.counts, numbers, strict=True)]
        return s_train, take(self.clean, apportion(left, length.num_val), numbers, seed)


def derive_search(
    training: Config,
    source: str,
    options: SearchOptions | None = None,
    processes: int = 1,
    changes: dict[str, object] | None = None,
) -> DerivedSearch:
    """Derive everything that a search needs from a training's config and data.

    Args:
        training: Any config of MMDetection or MMPretrain that trains; not changed.
        source: Its name, for comments.
        options: The options of the search.
        processes: Processes of the search, each with batches of the training's size.
        changes: Values for keys of the search's config, ``'train_cfg.estimator.type'`` for instance.

    Raises:
        ValueError: The length is among the changes; the config does not train, or not for a task with a search; its
            pipeline has no place for the operations; or it has fewer images than the options ask for.
        FileNotFoundError: Its data are not there.
    """
    options, changes = options or SearchOptions(), changes or {}
    config = copy.deepcopy(training)
    _check_searchable(config, source, changes)
    left_out = _leave_out(config)
    images = _find_images(config, options)
    batch = (config.train_dataloader.get('batch_size') or 1) * processes
    length = search_length(
        training_size(config, sum(images.counts), batch),
        options,
        changes.get('train_cfg.num_sub_policies', NUM_SUB_POLICIES) + 2,
        images.num_other,
    )
    s_train, s_val = images.draw(length, options.split_seed)
    _set_loop(config, s_train, s_val, length, options.space or preset_for(config.default_scope, images.probes))
    config.merge_from_dict(changes)
    config.derived_from = source
    lines = _lines(config, options, images, length, left_out)
    return DerivedSearch(config, config_text(config, source, lines), lines, _warnings(config, options, length), length)


def _check_searchable(config: Config, source: str, changes: dict[str, object]) -> None:
    if 'train_cfg.max_epochs' in changes:
        raise ValueError('train_cfg.max_epochs: the length of a search that is derived is --epochs, or --budget')
    if config.get('default_scope') not in TASKS:
        raise ValueError(
            f'{source} has default_scope={config.get("default_scope")!r}: searches are derived from trainings of '
            f'{" and ".join(TASKS)}'
        )
    dataset = training_dataset(config)
    if config.model.get('semi_train_cfg'):
        raise ValueError(
            f'{source} is a semi-supervised training: its {type_name(config.model)} learns from images with and '
            'without labels, and a search needs labelled images alone. Give the config of a supervised training of '
            'this network'
        )
    check_no_subset(dataset)


def _leave_out(config: Config) -> list[str]:
    """Remove what a search cannot have, or has no use for; return the names."""
    hooks = config.get('custom_hooks') or []
    names = (*SWITCHING_HOOKS, *PASSING_HOOKS, *_EVALUATING_HOOKS, 'PolicyScheduleHook')
    found = [type_name(hook) for hook in hooks if type_name(hook) in names]
    config.custom_hooks = [hook for hook in hooks if type_name(hook) not in names]
    dataset = training_dataset(config)
    for node in (dataset, *leaves(dataset)):
        steps = node.get('pipeline') or []
        cached = [type_name(step) for step in steps if type_name(step).startswith('Cached')]
        if cached:
            node['pipeline'] = [step for step in steps if type_name(step) not in cached]
            found += cached
    sampler = config.train_dataloader.get('sampler')
    if sampler and type_name(sampler) != 'DefaultSampler':  # it may have no end, or need what a subset lacks
        found.append(type_name(sampler))
    if config.default_scope == 'mmpretrain':
        # The mixing of whole batches, by the model or its preprocessor. Its node stays and mixes nothing, since it also
        # turns labels into the scores that the loss of such a training needs.
        preprocessors = [config.get('data_preprocessor') or {}, config.model.get('data_preprocessor') or {}]
        mixing = [config.model.get('train_cfg'), *(node.get('batch_augments') for node in preprocessors)]
        for node in mixing:
            if node and node.get('augments'):
                found += map(type_name, as_list(node['augments']))
                node.update(augments=[], probs=[])
    return list(dict.fromkeys(found))


def _find_images(config: Config, options: SearchOptions) -> _Images:
    """Look at the training's images, and put a DDASAugment into its pipelines where there is none.

    Raises:
        ValueError: A classifier has a single class.
    """
    scope, dataset = config.default_scope, training_dataset(config)
    places = find_places(config)
    probes = look_at(config, places)
    if scope == 'mmpretrain' and any(found.classes == 1 for found in probes):
        raise ValueError(
            'The training has a single class, for which its loss is always 0: a search would learn nothing'
        )
    place = 'DDASAugment where the config has it'
    if not augment_configs(dataset):
        settings = augment_settings(scope, probes)
        place_augments(config, settings)
        place = ', '.join([f'DDASAugment {places[0]}', *(f'{key}={value!r}' for key, value in settings.items())])
    clean = plain(unrepeated(dataset), scope)
    other, num_other = None, 0
    if options.is_elsewhere:
        other = elsewhere(clean, options.val_ann, options.val_data_root, options.val_images)
        num_other = len(look_elsewhere(other, probes).dataset)
    return _Images(dataset, probes, clean, other, num_other, place)


def _set_loop(config: Config, s_train: dict, s_val: dict, length: Length, search_space: str) -> None:
    """Set loop, loaders, rates, logging and checkpoints of the search."""
    loader = dict(config.train_dataloader, dataset=s_train, sampler=dict(type='DefaultSampler', shuffle=True))
    training = length.training
    shrink_schedule(config, length.steps, math.ceil(training.passes / training.batch))
    config.train_dataloader = loader
    config.train_cfg = dict(
        type='DDASSearchLoop',
        max_epochs=length.epochs,
        policy_dataloader=copy.deepcopy(loader) | dict(dataset=s_val),
        search_space=search_space,
        num_ops=2,
        num_sub_policies=NUM_SUB_POLICIES,
        estimator=dict(type='ShrinkageEstimator'),
    )
    import_mmddas(config)
    hooks = config.setdefault('default_hooks', {})
    hooks['checkpoint'] = dict(type='CheckpointHook', interval=1, by_epoch=True, max_keep_ckpts=1)
    hooks['logger'] = dict(type='LoggerHook', interval=min(20, length.steps_per_epoch))
    config.log_processor = dict(type='DDASLogProcessor', window_size=50, by_epoch=True)
    if (config.get('randomness') or {}).get('seed') is None:
        config.randomness = dict(config.get('randomness') or {}, seed=SEED)


def _lines(config: Config, options: SearchOptions, images: _Images, length: Length, left_out: list[str]) -> list[str]:
    loop, training = config.train_cfg, length.training
    space = _space(loop)
    name = loop.search_space if isinstance(loop.search_space, str) else 'its own'
    without = ', '.join(missing_steps(images.dataset, images.clean))
    facts = {
        'from': f'{config.derived_from}, {training.images:,} training images',
        'S_train': f'{length.num_train:,} of these, each class in its proportion (seed {options.split_seed})',
        'S_val': f'{length.num_val:,} of {"other data" if images.other else "the training images"}, loaded without '
        f'{without}',
        'place': images.place,
        'space': f'{name}: {_counted(len(space), "candidate")}, {loop.num_ops} in a sub-policy',
        'length': f'{_counted(length.epochs, "epoch")}, {length.steps:,} steps of {training.batch} images; '
        f'{length.passes / training.passes:.0%} of the passes of the training',
        'rates': f'the schedule of the training, shrunk to {length.steps:,} steps',
        'estimator': f'{type_name(loop.estimator)}, {loop.num_sub_policies} sub-policies a step; an operation is drawn '
        f'some {draws_per_operation(space, loop.num_sub_policies, length.steps):.0f} times',
        'left out': f'{", ".join(left_out) or "nothing"}; no evaluation, a checkpoint after every epoch',
    }
    return [f'{name:10}{fact}' for name, fact in facts.items()]


def _space(loop: dict) -> SearchSpace:
    make = SearchSpace.preset if isinstance(loop.search_space, str) else SearchSpace
    return make(loop.search_space, loop.num_ops)


def _counted(number: int, what: str) -> str:
    return f'{number:,} {what}{"" if number == 1 else "s"}'


def _warnings(config: Config, options: SearchOptions, length: Length) -> list[str]:
    found = []
    loop = config.train_cfg
    space = _space(loop)
    needed = epochs_for_evidence(space, loop.num_sub_policies, length.steps, length.epochs)
    if needed is not None:
        draws = draws_per_operation(space, loop.num_sub_policies, length.steps)
        found.append(
            f'An operation is drawn some {draws:.0f} times, and below {ENOUGH_DRAWS} chance decides which ones lead: '
            f'give --epochs {needed} or more, or a larger --budget'
        )
    if options.is_elsewhere:
        s_val = _real_files(loop.policy_dataloader.dataset)
        for name in ('val_dataloader', 'test_dataloader'):
            shared = s_val & _real_files((config.get(name) or {}).get('dataset') or {})
            if shared:
                found.append(
                    f'{options.val_ann or min(shared)} is the annotation file of {name}: what is measured on it after '
                    'the search is no longer unseen. Test data must not be used for a search'
                )
                break
    return found


def _real_files(dataset: dict) -> set[str]:
    return {os.path.realpath(file) for file in annotation_files(dataset)}
