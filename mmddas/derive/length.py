"""Choose a search's length, and fit the training's learning-rate schedule to it."""

from __future__ import annotations

import copy
import math
from typing import NamedTuple

from mmengine.config import Config

from mmddas.config_nodes import as_list, inner_nodes, training_dataset, type_name

from .options import SearchOptions

VAL_SHARE = 1 / 3
# Below so many images of S_train more of them are worth more than more epochs; the paper's search on COCO has as many.
FEW_IMAGES = 3000
# Snapshots that a schedule should have, where there are more images than that.
EPOCHS = 10
# A warm-up keeps its length up to this share of a search.
WARM_UP = 0.1
# The durations in a scheduler's config, in epochs or iterations.
_DURATIONS = ('end', 'T_max', 'step_size', 'milestones', 'periods', 'total_steps')


class TrainingSize(NamedTuple):
    """The size of a training.

    Args:
        images: Images of its data sets.
        batch: Images of a step, on all processes.
        passes: Images forward and backward, in all steps.
    """

    images: int
    batch: int
    passes: int


class Length(NamedTuple):
    """The length of a search.

    Args:
        num_train, num_val: Images of S_train and S_val.
        epochs: Passes over S_train.
        passes: Images forward and backward, in all steps.
        training: The training that the search is for.
    """

    num_train: int
    num_val: int
    epochs: int
    passes: int
    training: TrainingSize

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(self.num_train / self.training.batch)

    @property
    def steps(self) -> int:
        return self.epochs * self.steps_per_epoch


def training_size(config: Config, images: int, batch: int) -> TrainingSize:
    """Return the size of a training with so many images, and with batches of so many.

    Raises:
        ValueError: Its loop has neither ``max_epochs`` nor ``max_iters``.
    """
    loop = config.get('train_cfg') or {}
    if loop.get('max_epochs'):
        return TrainingSize(images, batch, int(loop['max_epochs'] * images * _repeats(training_dataset(config))))
    if loop.get('max_iters'):
        return TrainingSize(images, batch, int(loop['max_iters'] * batch))
    raise ValueError(f'train_cfg has neither max_epochs nor max_iters, which say how long a training is: {loop}')


def _repeats(dataset: dict) -> int:
    """Return how often an epoch sees an image, by the RepeatDatasets."""
    times = dataset.get('times', 1) if type_name(dataset) == 'RepeatDataset' else 1
    return times * max(map(_repeats, inner_nodes(dataset)), default=1)


def search_length(training: TrainingSize, options: SearchOptions, passes_a_step: int, val_images: int = 0) -> Length:
    """Return how many images and epochs a search has.

    Args:
        passes_a_step: Passes of a step for each image of its batch, L^ + 2.
        val_images: Images of an S_val that is not drawn from the training's; 0: it is.

    Raises:
        ValueError: The options ask for more images than there are, or leave none.
    """
    share = VAL_SHARE if options.val_share is None else options.val_share
    images = training.images + val_images
    num_train, num_val = options.num_train, val_images or options.num_val
    affordable = options.budget * training.passes / passes_a_step  # images of S_train, of all epochs
    share_of = images if num_train is None else min(images, round(num_train / (1 - share)))
    wanted = round(share * share_of) if num_val is None else num_val
    if num_train is None:
        left = images - wanted
        num_train = left if options.epochs is not None else min(left, max(FEW_IMAGES, round(affordable / EPOCHS)))
        if num_val is None and left > 0:
            wanted = max(1, round(wanted * num_train / left))
    num_val = wanted
    if num_train < 1 or num_val < 1 or num_train + num_val > images:
        raise ValueError(
            f'S_train would have {num_train} images and S_val {num_val}, and the training has {images} for both: '
            'give --num-train and --num-val of at least 1 each, and of no more than that together'
        )
    epochs = max(1, round(affordable / num_train)) if options.epochs is None else options.epochs
    return Length(num_train, num_val, epochs, epochs * num_train * passes_a_step, training)


def shrink_schedule(config: Config, steps: int, training_steps: int) -> None:
    """Fit a training's learning-rate schedule to a search of so many steps, in iterations.

    Durations shrink with the number of steps; a warm-up from the first iteration on stays as long as it was, up to a
    tenth of the search. Schedulers that go by an evaluation are left out, since a search has none.
    """
    found = [
        _shrunk(scheduler, steps, training_steps, config.train_cfg.get('max_epochs'))
        for scheduler in as_list(config.get('param_scheduler'))
        if not type_name(scheduler).startswith('ReduceOnPlateau')
    ]
    config.param_scheduler = found or None


def _shrunk(scheduler: dict, steps: int, training_steps: int, epochs: int | None) -> dict:
    scheduler = copy.deepcopy(scheduler)
    scheduler.pop('convert_to_iter_based', None)
    by_epoch = scheduler.pop('by_epoch', True)
    begin, end = scheduler.get('begin', 0), scheduler.get('end')
    scale_durations(scheduler, steps / (epochs if by_epoch and epochs else training_steps))
    if not by_epoch and begin == 0 and end is not None and end < training_steps:
        scheduler['end'] = max(scheduler['end'], min(end, round(WARM_UP * steps)))
    return scheduler | dict(by_epoch=False)


def scale_durations(scheduler: dict, ratio: float) -> None:
    """Multiply what a scheduler counts in epochs or iterations; what lasts some of them lasts one at least."""
    for key in _DURATIONS:
        if key in scheduler:
            scheduler[key] = scaled(scheduler[key], ratio, least=1)
    if 'begin' in scheduler:
        scheduler['begin'] = scaled(scheduler['begin'], ratio)
    if scheduler.get('end') is not None:
        scheduler['end'] = max(scheduler['end'], scheduler.get('begin', 0) + 1)
    if type_name(scheduler).startswith('Exponential') and 'gamma' in scheduler:
        scheduler['gamma'] **= 1 / ratio


def scaled(value: object, ratio: float, least: int = 0) -> object:
    """Return a number of epochs or iterations, or a list of such, times ``ratio``; what is not finite stays."""
    if isinstance(value, (list, tuple)):
        return [scaled(item, ratio, least) for item in value]
    finite = isinstance(value, (int, float)) and math.isfinite(value)
    return max(round(value * ratio), least) if finite else value
