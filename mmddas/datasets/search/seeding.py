"""Random numbers as a function of a key (seed, epoch, batch, sample, ...), never of the process or its past."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

# The number behind a position names the use: streams of different use have different keys.
SUB_POLICIES, SAMPLE, REPLACEMENTS, STEP = 0, 1, 2, 1 << 16


def seed_generators(*key: int) -> None:
    """Make Python's, NumPy's and PyTorch's global generators (CPU) functions of ``key``."""
    first, second, third = np.random.SeedSequence(key).generate_state(3).tolist()
    random.seed(first)
    np.random.seed(second)
    torch.default_generator.manual_seed(third)


@contextmanager
def preserved_generators() -> Iterator[None]:
    """Restore the global generators after the block."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


@contextmanager
def seeded(*key: int) -> Iterator[None]:
    """Make the global generators a function of ``key`` within the block, and restore them after it."""
    with preserved_generators():
        seed_generators(*key)
        yield


@contextmanager
def seeded_step(seed: int, iteration: int, rank: int) -> Iterator[None]:
    """Make the network's random numbers (dropout, sampled proposals, ...) a function of the position, on any device."""
    with seeded(seed, iteration, rank, STEP):
        if torch.cuda.is_available():
            torch.cuda.manual_seed_all(torch.initial_seed())
        yield
