"""What is drawn for a batch before it enters a network: the same for all batches of a step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from mmddas.datasets.search import seeded


class StepPreprocessing:
    """A network's data preprocessor, which sees the batches of a step with the same random numbers.

    A preprocessor may draw a size for a batch, or mix its images. The views of a step are to be compared, so that what
    is drawn for a batch is drawn once a step.

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
        """The preprocessed batch. The random numbers that come after it are those that would have come without it."""
        if self._seed is None:
            return self.preprocessor(batch, True)
        with seeded(self._seed), _seeded_cuda(self._seed):
            return self.preprocessor(batch, True)

    @contextmanager
    def unmixed(self) -> Iterator[None]:
        """Within the ``with`` block MMPretrain's Mixup, CutMix and their like leave the images of a batch alone.

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


@contextmanager
def _seeded_cuda(seed: int) -> Iterator[None]:
    """As ``seeded`` for the generator of the GPU at hand, where there is one."""
    if not torch.cuda.is_available():
        yield
        return
    before = torch.cuda.get_rng_state()
    torch.cuda.manual_seed(seed)
    try:
        yield
    finally:
        torch.cuda.set_rng_state(before)
