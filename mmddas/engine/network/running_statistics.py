"""Keep the running statistics of a network's normalisations."""

from torch import nn
from torch.nn.modules.batchnorm import _NormBase


class FrozenRunningStatistics:
    """A ``with`` block in which batches are normalised as in training, and do not enter the running statistics."""

    def __init__(self, network: nn.Module) -> None:
        self._norms = [module for module in network.modules() if isinstance(module, _NormBase)]
        self._frozen: list[_NormBase] = []

    def __enter__(self) -> None:
        # Those in evaluation mode stay as they are anyway, and a compiled network need not be compiled again for S_val.
        self._frozen = [norm for norm in self._norms if norm.track_running_stats and norm.training]
        for norm in self._frozen:
            norm.track_running_stats = False

    def __exit__(self, *error) -> None:
        for norm in self._frozen:
            norm.track_running_stats = True
