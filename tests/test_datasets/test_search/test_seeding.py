"""Randomness by key."""

import random

import numpy as np
import torch

from mmddas.datasets.search import seeded


def test_seeded_randomness_leaves_no_trace():
    torch.manual_seed(0)
    np.random.seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    with seeded(1, 2, 3):
        inside = torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()
    assert torch.equal(before[0], torch.get_rng_state()) and np.array_equal(before[1], np.random.get_state()[1])
    with seeded(1, 2, 3):
        assert inside == (torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random())
    with seeded(1, 2, 4):
        assert inside[0] != torch.rand(3).tolist()
