"""Randomness as a function of a key: (seed, epoch, batch, sample, ...), never of the process or its past."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

# What the number behind a position stands for: streams of different use have different keys.
SUB_POLICIES, SAMPLE, REPLACEMENTS, STEP = 0, 1, 2, 1 << 16


def seed_generators(*key: int) -> None:
    """Make Python's, NumPy's and PyTorch's global generators (CPU) functions of ``key``."""
    first, second, third = np.random.SeedSequence(key).generate_state(3).tolist()
    random.seed(first)
    np.random.seed(second)
    torch.default_generator.manual_seed(third)


@contextmanager
def preserved_generators() -> Iterator[None]:
    """The global generators are afterwards as they were before."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


@contextmanager
def seeded(*key: int) -> Iterator[None]:
    """Within the block the global generators are a function of ``key``; afterwards they are as they were."""
    with preserved_generators():
        seed_generators(*key)
        yield


@contextmanager
def seeded_step(seed: int, iteration: int, rank: int) -> Iterator[None]:
    """What is random in the network (dropout, sampled proposals, ...), on any device, as a function of the position."""
    with seeded(seed, iteration, rank, STEP):
        if torch.cuda.is_available():
            torch.cuda.manual_seed_all(torch.initial_seed())
        yield
