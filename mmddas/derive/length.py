"""How long a search is, and its learning-rate schedule, from those of the training."""

from __future__ import annotations

import copy
import math
from typing import NamedTuple

from mmengine.config import Config

from mmddas.config_nodes import inner_nodes, training_dataset, type_name

# Below so many images of S_train more of them are worth more than more epochs; the paper's search on COCO has as many.
FEW_IMAGES = 3000
# Snapshots that a schedule should have, where there are more images than that.
EPOCHS = 10
# A warm-up keeps its length up to this share of a search.
WARM_UP = 0.1
# What of a schedule, counted in epochs or iterations, grows with their number.
SCHEDULE_KEYS = ('begin', 'end', 'T_max', 'step_size', 'milestones', 'periods', 'total_steps')


class Length(NamedTuple):
    """The length of a search.

    Args:
        num_train: Images of S_train.
        num_val: Of S_val.
        epochs: Passes over S_train.
        batch: Images of a step, on all processes.
        passes: Images forward and backward, in all steps.
        training_passes: The same of the whole training.
    """

    num_train: int
    num_val: int
    epochs: int
    batch: int
    passes: int
    training_passes: int

    @property
    def steps(self) -> int:
        return self.epochs * math.ceil(self.num_train / self.batch)


def training_passes(config: Config, images: int, batch: int) -> int:
    """Images that a training takes forward and backward.

    Raises:
        ValueError: Its loop has neither ``max_epochs`` nor ``max_iters``.
    """
    loop = config.get('train_cfg') or {}
    if loop.get('max_epochs'):
        return int(loop['max_epochs'] * images * repeats(training_dataset(config)))
    if loop.get('max_iters'):
        return int(loop['max_iters'] * batch)
    raise ValueError(f'train_cfg has neither max_epochs nor max_iters, which say how long a training is: {loop}')


def repeats(dataset: dict) -> int:
    """How often an epoch of a data set sees an image, by its RepeatDatasets."""
    times = dataset.get('times', 1) if type_name(dataset) == 'RepeatDataset' else 1
    return times * max((repeats(node) for node in inner_nodes(dataset)), default=1)


def search_length(
    passes: int,
    images: int,
    batch: int,
    passes_a_step: int,
    num_train: int | None,
    num_val: int | None,
    val_share: float,
    budget: float,
    epochs: int | None,
) -> Length:
    """How many images and epochs a search has.

    Args:
        passes: Of the training.
        images: That S_train and, unless it is from elsewhere (``num_val`` is then its size), S_val are drawn from.
        batch: Images of a step.
        passes_a_step: L^ + 2, of each of these.
        num_train, num_val: Images that were asked for; None: all, and the share for S_val.
        val_share: S_val's, of all images.
        budget: What a search may cost, as a share of the training's passes.
        epochs: That were asked for, in the place of the budget.

    Raises:
        ValueError: What is asked for is more than there is, or none.
    """
    share_of = images if num_train is None else min(images, round(num_train / (1 - val_share)))
    wanted = round(val_share * share_of) if num_val is None else num_val
    if num_train is None:
        left = images - wanted
        affordable = round(budget * passes / passes_a_step / EPOCHS)
        num_train = left if epochs is not None else min(left, max(FEW_IMAGES, affordable))
        if num_val is None and left > 0:
            wanted = max(1, round(wanted * num_train / left))
    num_val = wanted
    if num_train < 1 or num_val < 1 or num_train + num_val > images:
        raise ValueError(
            f'S_train is to have {num_train} images and S_val {num_val}; the training has {images}, of which both are '
            'drawn: --num-train and --num-val are at least 1, and not more than that together'
        )
    if epochs is None:
        epochs = max(1, round(budget * passes / passes_a_step / num_train))
    return Length(num_train, num_val, epochs, batch, epochs * num_train * passes_a_step, passes)


def shrink_schedule(config: Config, steps: int, training_steps: int) -> None:
    """Have the learning-rate schedule of a training fit a search, in iterations.

    What is counted in epochs or iterations shrinks with the number of steps; a warm-up from the first iteration on
    stays as long as it was, up to a tenth of the search.
    """
    given = config.get('param_scheduler') or []
    found = []
    for scheduler in given if isinstance(given, (list, tuple)) else [given]:
        if type_name(scheduler).startswith('ReduceOnPlateau'):
            continue  # it goes by an evaluation, and a search has none
        found.append(_shrunk(scheduler, steps, training_steps, config.train_cfg.get('max_epochs')))
    config.param_scheduler = found or None


def _shrunk(scheduler: dict, steps: int, training_steps: int, epochs: int | None) -> dict:
    scheduler = copy.deepcopy(scheduler)
    scheduler.pop('convert_to_iter_based', None)
    by_epoch = scheduler.pop('by_epoch', True)
    ratio = steps / (epochs if by_epoch and epochs else training_steps)
    begin, end = scheduler.get('begin', 0), scheduler.get('end')
    for key in SCHEDULE_KEYS:
        if key in scheduler:
            scheduler[key] = scaled(scheduler[key], ratio)
    if 'periods' in scheduler:
        scheduler['periods'] = [max(period, 1) for period in scheduler['periods']]
    if end is not None and math.isfinite(end):
        if not by_epoch and begin == 0 and end < training_steps:
            scheduler['end'] = max(scheduler['end'], min(end, round(WARM_UP * steps)))
        scheduler['end'] = max(scheduler['end'], scheduler.get('begin', 0) + 1)
    if type_name(scheduler).startswith('Exponential'):
        scheduler['gamma'] **= 1 / ratio
    return scheduler | dict(by_epoch=False)


def scaled(value: object, ratio: float) -> object:
    """A number of epochs or iterations, or a list of such, times ``ratio``; what is not finite stays."""
    if isinstance(value, (list, tuple)):
        return [scaled(item, ratio) for item in value]
    finite = isinstance(value, (int, float)) and math.isfinite(value)
    return round(value * ratio) if finite else value
