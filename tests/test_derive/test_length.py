"""A search costs what it may, and its rates fall as the training's do."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS

from mmddas.derive import SearchOptions
from mmddas.derive.length import TrainingSize, search_length, shrink_schedule, training_size

PASSES_A_STEP = 8


def length(passes, images, **options):
    return search_length(TrainingSize(images, 4, passes), SearchOptions(**options), PASSES_A_STEP)


@pytest.mark.parametrize(('images', 'training_epochs'), [(200, 150), (1000, 100), (118_000, 12), (1_281_167, 100)])
@pytest.mark.parametrize('budget', [0.1, 0.25])
def test_a_search_costs_its_share(images, training_epochs, budget):
    found = length(images * training_epochs, images, budget=budget)
    assert found.passes == found.epochs * found.num_train * PASSES_A_STEP
    assert abs(found.passes / (images * training_epochs) - budget) <= budget / (2 * found.epochs - 1)


def test_few_images_are_all_used_and_many_make_ten_epochs():
    few, many = length(200 * 150, 200), length(118_000 * 12, 118_000)
    assert (few.num_train, few.num_val, few.epochs) == (133, 67, 7)
    assert many.epochs == 10 and many.num_val == pytest.approx(many.num_train / 2, abs=1)


def test_what_is_asked_for_is_had():
    assert length(2000, 200, num_train=100, num_val=30, epochs=3)[:3] == (100, 30, 3)
    assert length(2000, 200, val_share=0.5, epochs=3)[:2] == (100, 100)
    assert length(2000, 200, num_val=20, epochs=3)[:2] == (180, 20)
    assert length(2000, 200, num_train=100, epochs=3)[:2] == (100, 50)


@pytest.mark.parametrize(('num_train', 'num_val'), [(150, 60), (201, None), (None, 200)])
def test_more_images_than_there_are_are_refused(num_train, num_val):
    with pytest.raises(ValueError, match='the training has 200'):
        length(2000, 200, num_train=num_train, num_val=num_val)


def test_passes_of_a_training():
    dataset = dict(type='RepeatDataset', times=5, dataset=dict(type='VOCDataset'))
    loader = dict(train_dataloader=dict(dataset=dataset))
    assert training_size(Config(dict(train_cfg=dict(max_epochs=4), **loader)), images=100, batch=8).passes == 2000
    assert training_size(Config(dict(train_cfg=dict(max_iters=50), **loader)), images=100, batch=8).passes == 400
    with pytest.raises(ValueError, match='neither max_epochs nor max_iters'):
        training_size(Config(dict(train_cfg=dict(type='MyLoop'), **loader)), images=100, batch=8)


def rates(schedulers: list[dict], steps: int) -> np.ndarray:
    """The rate at each of so many epochs or iterations, from 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    built = []
    for config in schedulers:
        config = dict(config)
        config.setdefault('end', steps)  # as MMEngine's runner has it
        built.append(PARAM_SCHEDULERS.build(dict(config, optimizer=optimizer)))
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in built:
            scheduler.step()
    return np.array(found)


@pytest.mark.parametrize(
    'scheduler',
    [
        dict(type='MultiStepLR', by_epoch=True, milestones=[80, 110], gamma=0.1),
        dict(type='MultiStepLR', by_epoch=False, milestones=[800, 1100], gamma=0.1),
        dict(type='CosineAnnealingLR', by_epoch=True, T_max=120),
        dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True),
        dict(type='PolyLR', by_epoch=False, power=0.9),
        dict(type='StepLR', by_epoch=True, step_size=40),
        dict(type='ExponentialLR', by_epoch=True, gamma=0.97),
    ],
    ids=lambda scheduler: f'{scheduler["type"]}_{"epochs" if scheduler["by_epoch"] else "iterations"}',
)
def test_rates_fall_as_in_the_training(scheduler):
    """A training of 120 epochs of 10 iterations, a search of 240."""
    config = Config(dict(param_scheduler=scheduler, train_cfg=dict(max_epochs=120)))
    shrink_schedule(config, steps=240, training_steps=1200)
    (shrunk,) = config.param_scheduler
    assert shrunk.by_epoch is False
    before = {key: value for key, value in scheduler.items() if key != 'convert_to_iter_based'}
    units = 120 if scheduler['by_epoch'] else 1200
    places = [np.arange(count) / count for count in (240, units)]
    training = np.interp(*places, rates([before], units))
    # Where a rate falls in a step, the places next to it may differ.
    assert (np.abs(rates([shrunk], 240) - training) > 0.02).mean() <= 0.05


def test_a_warm_up_of_iterations_stays_up_to_a_tenth():
    warm_up = dict(type='LinearLR', by_epoch=False, begin=0, end=500, start_factor=0.001)
    config = Config(dict(param_scheduler=[warm_up], train_cfg=dict(max_epochs=12)))
    shrink_schedule(config, steps=3000, training_steps=88_000)
    assert config.param_scheduler[0].end == 300
    shrink_schedule(config, steps=100_000, training_steps=88_000)
    assert config.param_scheduler[0].end == 341


def test_what_needs_an_evaluation_goes():
    config = Config(dict(param_scheduler=dict(type='ReduceOnPlateauLR', monitor='loss'), train_cfg=dict(max_epochs=12)))
    shrink_schedule(config, steps=30, training_steps=300)
    assert config.param_scheduler is None
