"""The batches of a step are preprocessed alike."""

import random

import numpy as np
import torch
from mmdet.models.data_preprocessors import BatchSyncRandomResize
from mmengine.logging import MessageHub
from torch import nn

from mmddas.engine.network.memory import NetworkMemory
from mmddas.engine.network.preprocessing import StepPreprocessing


class Preprocessor(nn.Module):
    """Draws a number for every batch, from each generator, and another one at every third call."""

    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Module()
        self.part.calls, self.part.kept = 0, (0.0, 'begun')

    def forward(self, batch, training):
        self.part.calls += 1
        if self.part.calls % 3 == 0:
            self.part.kept = (random.random(), 'drawn')
        return batch, random.random(), np.random.rand(), torch.rand(()).item(), self.part.kept, self.part.calls


def preprocessed_step(preprocessor: nn.Module, memory: NetworkMemory, seed: int, batches: list) -> list:
    """What the batches of a step become, as a search has them preprocessed."""
    torch.manual_seed(seed)  # as a search seeds every step by its position
    preprocessing = StepPreprocessing(preprocessor)
    preprocessing.begin()
    memory.begin()
    found = []
    for number, batch in enumerate(batches):
        with memory.one_pass(counts=number == 0):
            found.append(preprocessing(batch))
    memory.end()
    return found


def test_a_step_draws_once_and_counts_as_one_call():
    preprocessor = Preprocessor()
    memory, steps = NetworkMemory(preprocessor), []
    for step in range(7):
        steps.append([batch[1:] for batch in preprocessed_step(preprocessor, memory, step, [*range(4)])])
        random.random(), np.random.rand(), torch.rand(())  # what the network draws
    for number, batches in enumerate(steps):
        assert all(found == batches[0] for found in batches)
        assert batches[0][-1] == number + 1
    assert len({batches[0][0] for batches in steps}) == 7
    kept = [batches[0][3] for batches in steps]
    assert kept[0] == kept[1] == (0.0, 'begun') != kept[2] == kept[3] == kept[4] != kept[5] == kept[6]


def test_what_comes_after_draws_the_same_numbers_as_without_it():
    seeds = random.seed, np.random.seed, torch.manual_seed
    for seed in seeds:
        seed(3)
    expected = random.random(), np.random.rand(), torch.rand(()).item()
    for seed in seeds:
        seed(3)
    preprocessing = StepPreprocessing(Preprocessor())
    preprocessing.begin()
    preprocessing(None)
    assert (random.random(), np.random.rand(), torch.rand(()).item()) == expected


def test_views_have_one_size_under_batch_sync_random_resize():
    """MMDetection's: at every second iteration it draws the size of the next ones."""
    resize = BatchSyncRandomResize((64, 256), interval=2, size_divisor=32)

    class Resized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.resize = resize

        def forward(self, batch, training):
            return self.resize(batch, [])[0]

    preprocessor, hub = Resized(), MessageHub.get_current_instance()
    memory = NetworkMemory(preprocessor)
    sizes = []
    for iteration in range(12):
        hub.update_info('iter', iteration)
        views = preprocessed_step(preprocessor, memory, iteration, [torch.zeros(1, 3, 128, 128)] * 5)
        views = {tuple(view.shape[-2:]) for view in views}
        assert len(views) == 1
        sizes += views
    assert sizes[0] == sizes[1] == (128, 128)
    assert all(sizes[i] == sizes[i + 1] for i in range(0, 12, 2)) and len(set(sizes)) > 2
