"""Preprocess all batches of a step with the same random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from mmddas.datasets.search import seeded


class StepPreprocessing:
    """A network's data preprocessor, with the same random numbers for all batches of a step.

    A preprocessor may draw a size for a batch, or mix its images, and the views of a step must be comparable.

    Args:
        preprocessor: The network's.
    """

    def __init__(self, preprocessor: nn.Module) -> None:
        self.preprocessor = preprocessor
        self._seed: int | None = None

    def begin(self) -> None:
        """Begin a step."""
        self._seed = torch.initial_seed()  # of the step: a search seeds PyTorch's generator by the position

    def __call__(self, batch: object) -> object:
        """Preprocess a batch, and leave the random generators as they were."""
        if self._seed is None:
            return self.preprocessor(batch, True)
        devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
        with seeded(self._seed), torch.random.fork_rng(devices):
            if devices:
                torch.cuda.manual_seed(self._seed)
            return self.preprocessor(batch, True)

    @contextmanager
    def unmixed(self) -> Iterator[None]:
        """Switch MMPretrain's Mixup, CutMix and the like off within a ``with`` block.

        S_val is never augmented. Labels come as the scores that the loss of such a training wants.
        """
        mixing = getattr(self.preprocessor, 'batch_augments', None)
        # MMDetection's of this name set the size of a batch, which S_val has to have too.
        if type(mixing).__name__ != 'RandomBatchAugment':
            yield
            return
        self.preprocessor.batch_augments = _left_alone
        try:
            yield
        finally:
            self.preprocessor.batch_augments = mixing


def _left_alone(images: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    return images, scores.float()
