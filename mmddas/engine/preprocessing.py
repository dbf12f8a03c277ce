"""What a network does to its batches before they enter it, the same for all batches of a step."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from mmddas.datasets.search import seeded

# What makes a module, and is no state of what it does.
_MODULE = frozenset(vars(nn.Module()))
_PLAIN = (bool, int, float, str, type(None))


class StepPreprocessing:
    """A network's data preprocessor, which sees the batches of a step in one state and with the same random numbers.

    A preprocessor may draw a size for a batch, mix its images, or change something at every n-th call. The views of a
    step are to be compared, so that what is drawn for a batch is drawn once a step, and what counts calls counts steps.

    Args:
        preprocessor: The network's.
    """

    def __init__(self, preprocessor: nn.Module) -> None:
        self.preprocessor = preprocessor
        self._initial = self._attributes()
        self._before: list[dict] | None = None  # of the step at hand

    def begin(self) -> None:
        """Begin a step."""
        self._seed = torch.initial_seed()  # of the step: a search seeds PyTorch's generator by the position
        self._before = self._attributes()

    def __call__(self, batch: object) -> object:
        """The preprocessed batch. The random numbers that come after it are those that would have come without it."""
        if self._before is None:
            return self.preprocessor(batch, True)
        for module, values in zip(self.preprocessor.modules(), self._before, strict=True):
            vars(module).update({name: _copied(value) for name, value in values.items()})
        with seeded(self._seed), _seeded_cuda(self._seed):
            return self.preprocessor(batch, True)

    def _attributes(self) -> list[dict]:
        """What the preprocessor and its parts hold besides parameters, buffers and parts."""
        return [
            {name: _copied(value) for name, value in vars(module).items() if name not in _MODULE}
            for module in self.preprocessor.modules()
        ]

    def state_dict(self) -> dict[str, dict]:
        """What has changed since the beginning, as far as it is made of numbers and texts, by part and name."""
        changed = {}
        for (part, module), initial in zip(self.preprocessor.named_modules(), self._initial, strict=True):
            values = {
                name: value
                for name, value in vars(module).items()
                if name not in _MODULE and _is_plain(value) and not (name in initial and initial[name] == value)
            }
            if values:
                changed[part] = values
        return changed

    def load_state_dict(self, state: dict[str, dict]) -> None:
        """Go on from :meth:`state_dict`."""
        parts = dict(self.preprocessor.named_modules())
        for part, values in state.items():
            vars(parts[part]).update(values)


def _copied(value: object) -> object:
    return copy.copy(value) if isinstance(value, (list, dict, set)) else value


def _is_plain(value: object) -> bool:
    return type(value) in _PLAIN or type(value) in (list, tuple) and all(map(_is_plain, value))


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
