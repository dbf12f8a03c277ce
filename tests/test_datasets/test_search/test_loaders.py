"""The data loaders of a search, and what becomes of their workers."""

import os
import signal
import time

import torch
from torch.utils.data import DataLoader, TensorDataset

from mmddas.datasets.search import lasting_workers


def test_workers_of_an_evaluation_outlive_a_signal_to_all_processes_and_end_with_the_search():
    """Else the main process, which is about to save its state, would meet their death in the middle of a step."""
    loader = DataLoader(TensorDataset(torch.arange(4)), num_workers=1, persistent_workers=True)
    with lasting_workers(loader):
        assert len(list(loader)) == 4
        (worker,) = loader._iterator._workers
        os.kill(worker.pid, signal.SIGTERM)
        time.sleep(0.5)
        assert worker.is_alive() and len(list(loader)) == 4
    assert not worker.is_alive()


def test_there_may_be_no_evaluation():
    with lasting_workers(None):
        pass
