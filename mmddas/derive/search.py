"""A search's config from that of the training that its policy is for."""

from __future__ import annotations

import copy
import math
import os
from dataclasses import dataclass
from typing import NamedTuple

from mmengine.config import Config

from mmddas.config_nodes import annotation_files, augment_configs, import_mmddas, leaves, training_dataset, type_name
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
from .length import Length, search_length, shrink_schedule, training_passes
from .placing import Place, find_places, place_augments
from .text import config_text

NUM_SUB_POLICIES = 6
SEED = 0
_VAL_SHARE = 1 / 3
# Hooks that are for what an evaluation sees, and those that need one: a search does not evaluate.
_EVALUATING_HOOKS = ('EMAHook', 'EarlyStoppingHook')


@dataclass(frozen=True)
class SearchOptions:
    """What may be said about a search beside the training's config.

    Args:
        val_share: S_val's share of the images; a third if it is not given.
        num_train, num_val: Images of S_train and S_val, in the place of the share.
        val_ann, val_data_root, val_images: S_val from this annotation file, or from below this folder, with its images
            in this one.
        budget: A search's cost, as a share of the training's.
        epochs: A search's length, in the place of the budget.
        space: A preset of candidates.
        split_seed: What S_train and S_val are drawn by.

    Raises:
        ValueError: One of the numbers is out of its range.
    """

    val_share: float | None = None
    num_train: int | None = None
    num_val: int | None = None
    val_ann: str | None = None
    val_data_root: str | None = None
    val_images: str | None = None
    budget: float = 0.25
    epochs: int | None = None
    space: str | None = None
    split_seed: int = 0

    def __post_init__(self) -> None:
        if self.val_share is not None and not 0 < self.val_share < 1:
            raise ValueError(f'--val-share is a share of the images, between 0 and 1, got {self.val_share}')
        if not (math.isfinite(self.budget) and self.budget > 0):
            raise ValueError(f'--budget is a share of the cost of the training, above 0, got {self.budget}')
        for name in ('num_train', 'num_val', 'epochs'):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise ValueError(f'--{name.replace("_", "-")} is a number of at least 1, got {number}')
        if self.split_seed < 0:
            raise ValueError(f'--split-seed is a number of at least 0, got {self.split_seed}')
        for name in ('num_val', 'val_share'):
            if getattr(self, name) is not None and self.is_elsewhere:
                raise ValueError(
                    f'--{name.replace("_", "-")} is for images drawn from the training; with --val-ann or '
                    '--val-data-root all count'
                )
        if self.val_images is not None and not self.is_elsewhere:
            raise ValueError('--val-images goes with --val-ann or --val-data-root')

    @property
    def is_elsewhere(self) -> bool:
        return self.val_ann is not None or self.val_data_root is not None


class DerivedSearch(NamedTuple):
    """A search that was derived.

    Args:
        config: Its config.
        text: The same, as a commented file.
        lines: What was derived, for the terminal.
        warnings: What should be known before it is run.
        length: How long it is.
    """

    config: Config
    text: str
    lines: list[str]
    warnings: list[str]
    length: Length


def derive_search(
    training: Config,
    source: str,
    options: SearchOptions | None = None,
    processes: int = 1,
    changes: dict[str, object] | None = None,
) -> DerivedSearch:
    """Everything that a search needs, from a training's config and data.

    Args:
        training: Any of MMDetection's or MMPretrain's that trains; not changed.
        source: Its name, for comments.
        options: Of the search.
        processes: That it will run on, each with batches of the training's size.
        changes: Of the search's config, ``'train_cfg.estimator.type'`` to a value for instance.

    Raises:
        ValueError: The length is among the changes; the config does not train, or not for a task that policies are
            searched for; or its pipeline has no place for the operations; or there are not as many images as are asked
            for.
        FileNotFoundError: Its data are not there.
    """
    options, changes = options or SearchOptions(), changes or {}
    if 'train_cfg.max_epochs' in changes:
        raise ValueError('train_cfg.max_epochs: the length of a search that is derived is --epochs, or --budget')
    config = copy.deepcopy(training)
    scope = config.get('default_scope')
    if scope not in TASKS:
        raise ValueError(
            f'{source} has default_scope={scope!r}: searches are derived from trainings of {" and ".join(TASKS)}'
        )
    dataset = training_dataset(config)
    _check_supervised(config, source)
    check_no_subset(dataset)
    left_out = _leave_out(config, dataset)
    places, placed = find_places(config), False
    probes = look_at(config, places)
    if scope == 'mmpretrain' and any(found.classes == 1 for found in probes):
        raise ValueError(
            'The training has a single class, for which its loss is always 0: a search would learn nothing'
        )
    settings = augment_settings(scope, probes)
    if not list(augment_configs(dataset)):
        place_augments(config, settings)
        placed = True

    counts = [found.images for found in probes]
    batch = (config.train_dataloader.get('batch_size') or 1) * processes
    clean = plain(unrepeated(dataset), scope)
    val_elsewhere, num_elsewhere = None, 0
    if options.is_elsewhere:
        val_elsewhere = elsewhere(clean, options.val_ann, options.val_data_root, options.val_images)
        num_elsewhere = look_elsewhere(val_elsewhere, probes).images
    length = search_length(
        training_passes(config, sum(counts), batch),
        sum(counts) + num_elsewhere,
        batch,
        changes.get('train_cfg.num_sub_policies', NUM_SUB_POLICIES) + 2,
        options.num_train,
        num_elsewhere or options.num_val,
        _VAL_SHARE if options.val_share is None else options.val_share,
        options.budget,
        options.epochs,
    )
    train_numbers = apportion(counts, length.num_train)
    left = [count - number for count, number in zip(counts, train_numbers, strict=True)]
    s_train = take(unrepeated(dataset), train_numbers, [0] * len(counts), options.split_seed)
    s_val = val_elsewhere or take(clean, apportion(left, length.num_val), train_numbers, options.split_seed)

    _set_up(config, s_train, s_val, length, batch, options, probes, scope)
    config.merge_from_dict(changes)
    config.derived_from = source
    without = missing_steps(dataset, clean)
    lines = _lines(source, config, counts, length, options, places[0], placed, settings, left_out, without)
    return DerivedSearch(config, config_text(config, source, lines), lines, _warnings(config, options, length), length)


def _check_supervised(config: Config, source: str) -> None:
    if config.model.get('semi_train_cfg'):
        raise ValueError(
            f'{source} is a semi-supervised training: its {type_name(config.model)} learns from images with and '
            'without labels, and a search is of labelled images alone. Give the config of a supervised training of '
            'this network'
        )


def _leave_out(config: Config, dataset: dict) -> list[str]:
    """Take out what a search cannot have, or has no use for; returns the names."""
    hooks = config.get('custom_hooks') or []
    names = (*SWITCHING_HOOKS, *PASSING_HOOKS, *_EVALUATING_HOOKS, 'PolicyScheduleHook')
    found = [type_name(hook) for hook in hooks if type_name(hook) in names]
    config.custom_hooks = [hook for hook in hooks if type_name(hook) not in names]
    for node in (dataset, *leaves(dataset)):
        steps = node.get('pipeline') or []
        cached = [type_name(step) for step in steps if type_name(step).startswith('Cached')]
        if cached:
            node['pipeline'] = [step for step in steps if type_name(step) not in cached]
            found += cached
    sampler = config.train_dataloader.get('sampler')
    if sampler and type_name(sampler) != 'DefaultSampler':  # it may have no end, or ask for what a subset has not
        found.append(type_name(sampler))
    # MMPretrain's mixing of whole batches, by the model or its preprocessor. It stays, and mixes nothing: what makes
    # scores of labels, for the loss of such a training, is part of it.
    for node, key in (
        (config.model.get('train_cfg') or {}, 'augments'),
        (config.get('data_preprocessor') or {}, 'batch_augments'),
        (config.model.get('data_preprocessor') or {}, 'batch_augments'),
    ):
        if config.get('default_scope') == 'mmpretrain' and node.get(key):
            holder = node if key == 'augments' else node[key]
            augments = holder['augments']
            holder.update(augments=[], probs=[])
            found += [type_name(step) for step in (augments if isinstance(augments, (list, tuple)) else [augments])]
    return list(dict.fromkeys(found))


def _set_up(
    config: Config,
    s_train: dict,
    s_val: dict,
    length: Length,
    batch: int,
    options: SearchOptions,
    probes: list[Probe],
    scope: str,
) -> None:
    """Put loop, loaders, rates, logging and checkpoints in place."""
    loader = dict(config.train_dataloader, dataset=s_train, sampler=dict(type='DefaultSampler', shuffle=True))
    policy_loader = copy.deepcopy(loader) | dict(dataset=s_val)
    shrink_schedule(config, length.steps, math.ceil(length.training_passes / batch))
    config.train_dataloader = loader
    config.train_cfg = dict(
        type='DDASSearchLoop',
        max_epochs=length.epochs,
        policy_dataloader=policy_loader,
        search_space=options.space or preset_for(scope, probes),
        num_ops=2,
        num_sub_policies=NUM_SUB_POLICIES,
        estimator=dict(type='ShrinkageEstimator'),
    )
    import_mmddas(config)
    hooks = config.setdefault('default_hooks', {})
    hooks['checkpoint'] = dict(type='CheckpointHook', interval=1, by_epoch=True, max_keep_ckpts=1)
    hooks['logger'] = dict(type='LoggerHook', interval=min(20, math.ceil(length.num_train / batch)))
    config.log_processor = dict(type='DDASLogProcessor', window_size=50, by_epoch=True)
    if (config.get('randomness') or {}).get('seed') is None:
        config.randomness = dict(config.get('randomness') or {}, seed=SEED)


def _lines(
    source: str,
    config: Config,
    counts: list[int],
    length: Length,
    options: SearchOptions,
    place: Place,
    placed: bool,
    settings: dict,
    left_out: list[str],
    without: list[str],
) -> list[str]:
    loop = config.train_cfg
    space = _space(loop)
    epochs = _counted(length.epochs, 'epoch')
    share = length.passes / length.training_passes
    val = 'other data' if options.is_elsewhere else 'the training images'
    where = f'DDASAugment {place}' if placed else 'DDASAugment where the config has it'
    name = loop.search_space if isinstance(loop.search_space, str) else 'its own'
    draws = draws_per_operation(space, loop.num_sub_policies, length.steps)
    return [
        f'{"from":10}{source}, {sum(counts):,} training images',
        f'{"S_train":10}{length.num_train:,} of these, each class in its proportion (seed {options.split_seed})',
        f'{"S_val":10}{length.num_val:,} of {val}, loaded without {", ".join(without)}',
        f'{"place":10}{where}{"".join(f", {key}={value!r}" for key, value in settings.items()) if placed else ""}',
        f'{"space":10}{name}: {_counted(len(space), "candidate")}, {loop.num_ops} in a sub-policy',
        f'{"length":10}{epochs}, {length.steps:,} steps of {length.batch} images; {share:.0%} of the passes of '
        'the training',
        f'{"rates":10}the schedule of the training, shrunk to {length.steps:,} steps',
        f'{"estimator":10}{type_name(loop.estimator)}, {loop.num_sub_policies} sub-policies a step; an operation is '
        f'drawn some {draws:.0f} times',
        f'{"left out":10}{", ".join(left_out) or "nothing"}; no evaluation, a checkpoint after every epoch',
    ]


def _space(loop: dict) -> SearchSpace:
    given = loop.search_space
    make = SearchSpace.preset if isinstance(given, str) else SearchSpace
    return make(given, loop.num_ops)


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
            f'An operation is drawn some {draws:.0f} times, and '
            f'below {ENOUGH_DRAWS} chance decides which ones lead: --epochs {needed} is the least, or a larger --budget'
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
