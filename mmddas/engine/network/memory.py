"""The memory of a network: what its passes change besides parameters and running statistics.

A walk over all attributes finds it. Buffers alone, the shorter way, miss MMDetection's Dynamic R-CNN (lists of its
head, thresholds of its assigners, which are no modules), DropBlock (a counter) and BatchSyncRandomResize (a size);
a list of such parts misses every user's. The walk takes 3 to 8 ms a step (ResNet-50 detectors, one CPU core).
"""

from __future__ import annotations

import logging
import types
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from operator import is_

import numpy as np
import torch
from mmengine.utils import ManagerMixin
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parameter import is_lazy

# Not the network's own, or nothing that a pass changes; running statistics see every view.
_OUTSIDE = (
    type,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.ModuleType,
    logging.Logger,
    ManagerMixin,
    _NormBase,
)
_MODULE = frozenset(vars(nn.Module()))  # attributes of every module
_PLAIN = (bool, int, float, str, type(None))
_LISTS = (list, tuple, deque, set)
_Holder = dict | list | tuple | deque | set


class NetworkMemory:
    """The memory of a network: counters, histories and moving averages of its losses, heads, assigners, preprocessor.

    Every pass of a step finds the memory as the step before has left it, so that the passes can be compared. What the
    clean view's pass leaves is what the step leaves, as in plain training. Without this, a Dynamic R-CNN, which adapts
    its thresholds to what it has seen, would take every view for an iteration, and S_val for training data.

    Objects that a pass makes, such as the samples that a head has drawn, and tensors with gradients are no memory.

    Args:
        network: The network, before its first pass.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        # The objects themselves, too, which keeps their ids.
        self._known = {id(value): value for _, value, _, _ in _walk(network, None)}
        self._before = self._after = _Snapshot(network, self._known)
        self._initial = self._values()

    def begin(self) -> None:
        """Begin a step."""
        self._before = self._after = self._now()

    @contextmanager
    def one_pass(self, counts: bool) -> Iterator[None]:
        """Run a pass on the memory at the step's beginning. ``counts``: what it leaves is what the step leaves."""
        self._before.restore()
        yield
        if counts:
            self._after = self._now()

    def end(self) -> None:
        """End a step."""
        self._after.restore()

    def _now(self) -> _Snapshot:
        return _Snapshot(self.network, self._known) if self._after.is_outdated() else self._after

    def _values(self) -> dict[str, dict[str, object]]:
        """Return what can be written to a file and the network's ``state_dict`` lacks, by place and name."""
        saved = {id(tensor) for tensor in self.network.state_dict(keep_vars=True).values()}
        return {
            place: {
                name: _stored(value)
                for name, value in content.items()
                if name not in _MODULE and id(value) not in saved and _is_storable(name) and _is_storable(value)
            }
            for place, _, holder, content in _walk(self.network, self._known)
            if isinstance(holder, dict)
        }

    def state_dict(self) -> dict[str, dict[str, object]]:
        """Return the numbers, texts, tensors and containers of them that have changed since the beginning."""
        state = {}
        for place, values in self._values().items():
            initial = self._initial.get(place, {})
            changed = {n: v for n, v in values.items() if n not in initial or not _equal(v, initial[n])}
            if changed:
                state[place] = changed
        return state

    def load_state_dict(self, state: dict[str, dict[str, object]]) -> None:
        """Go on from :meth:`state_dict`."""
        holders = {place: holder for place, _, holder, _ in _walk(self.network, self._known)}
        for place, values in state.items():
            if place in holders:  # else it is within another one, whose values came with it
                _load(holders[place], values)


class _Snapshot:
    """The content of all holders of a network's memory at one time."""

    def __init__(self, network: nn.Module, known: dict) -> None:
        self._known = known
        self._held = [(holder, content, [*content.values()]) for _, _, holder, content in _walk(network, known)]
        tensors = {id(v): v for _, _, values in self._held for v in values if isinstance(v, Tensor)}
        self._tensors = [[tensor, tensor._version, tensor.clone()] for tensor in tensors.values()]

    def _changed(self) -> Iterator[tuple[_Holder, dict, dict]]:
        """Yield each holder that has changed, its content then and now."""
        for holder, content, values in self._held:
            present = dict.values(holder) if isinstance(holder, dict) else holder
            if len(present) == len(values) and all(map(is_, present, values)):
                continue
            now = _content(holder, self._known)
            if now.keys() != content.keys() or any(now[name] is not value for name, value in content.items()):
                yield holder, content, now

    def is_outdated(self) -> bool:
        return any(True for _ in self._changed()) or any(tensor._version != v for tensor, v, _ in self._tensors)

    def restore(self) -> None:
        """Change everything back."""
        for holder, content, now in self._changed():
            if isinstance(holder, dict):
                for name in now.keys() - content.keys():
                    del holder[name]
                for name, value in content.items():
                    if now.get(name, _MODULE) is not value:
                        holder[name] = value
            else:
                _refill(holder, content.values())
        for entry in self._tensors:
            tensor, version, copy = entry
            if tensor._version != version:
                with torch.no_grad():
                    tensor.copy_(copy)
                entry[1] = tensor._version


def _is_of_a_pass(value: object, known: dict | None) -> bool:
    """Return whether a pass has made it: a tensor with a gradient, or an object that was not known at the start.

    Tensors that are trained, or cannot change, are no memory either. ``known=None``: this is the start.
    """
    if isinstance(value, Tensor):
        return value.requires_grad or value.is_inference() or is_lazy(value)
    if known is None or isinstance(value, (*_PLAIN, *_OUTSIDE)) or id(value) in known:
        return False
    if isinstance(value, (dict, *_LISTS)):
        return any(_is_of_a_pass(part, known) for part in (dict.values(value) if isinstance(value, dict) else value))
    return hasattr(value, '__dict__')


def _content(holder: _Holder, known: dict | None) -> dict:
    """Return what a holder holds of memory, by name or index."""
    # Dicts by the methods of ``dict``: those of MMEngine's configs make more of it.
    items = dict.items(holder) if isinstance(holder, dict) else enumerate(holder)
    return {name: v for name, v in items if type(v) in _PLAIN or name in _MODULE or not _is_of_a_pass(v, known)}


def _walk(network: nn.Module, known: dict | None) -> Iterator[tuple[str, object, _Holder, dict]]:
    """Yield each module, container and object within a network once: its place, itself, its holder and its content."""
    seen: set[int] = set()
    waiting: list[tuple[str, object]] = [('', network)]
    while waiting:
        place, value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        holder = value if isinstance(value, (dict, *_LISTS)) else vars(value)
        content = _content(holder, known)
        yield place, value, holder, content
        if isinstance(value, nn.Module):
            yield f'{place}|buffers', value._buffers, value._buffers, _content(value._buffers, known)
            content = {name: part for name, part in content.items() if name not in _MODULE} | value._modules
        for name, part in content.items():
            if type(part) in _PLAIN or isinstance(part, (Tensor, *_PLAIN, *_OUTSIDE)):
                continue
            if isinstance(part, (dict, *_LISTS)) or hasattr(part, '__dict__'):
                waiting.append((f'{place}.{name}' if place else str(name), part))


def _refill(holder: list | deque | set, values: Iterable) -> None:
    """Exchange the content of a holder, which stays the same object."""
    holder.clear()
    holder.update(values) if isinstance(holder, set) else holder.extend(values)


def _is_storable(value: object) -> bool:
    if isinstance(value, Tensor):
        return not _is_of_a_pass(value, {})
    if isinstance(value, dict):
        return all(map(_is_storable, value)) and all(map(_is_storable, dict.values(value)))
    if isinstance(value, (list, tuple, deque)):
        return all(map(_is_storable, value))
    return type(value) in _PLAIN or isinstance(value, np.generic)


def _stored(value: object) -> object:
    """Return a copy in plain Python values and tensors on the CPU."""
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, dict):
        return {name: _stored(part) for name, part in dict.items(value)}
    if isinstance(value, (list, tuple, deque)):
        return (tuple if isinstance(value, tuple) else list)(map(_stored, value))
    return value.item() if isinstance(value, np.generic) else value


def _load(holder: dict, values: dict) -> None:
    for name, value in values.items():
        present = holder.get(name)
        if isinstance(present, Tensor) and isinstance(value, Tensor) and present.shape == value.shape:
            present.copy_(value)
        elif isinstance(present, dict) and isinstance(value, dict):
            _load(present, value)
        elif isinstance(present, (list, deque)) and isinstance(value, list):
            _refill(present, value)
        else:
            holder[name] = value


def _equal(value: object, other: object) -> bool:
    if type(value) is not type(other):
        return False
    if isinstance(value, Tensor):
        return torch.equal(value, other)
    if isinstance(value, dict):
        return value.keys() == other.keys() and all(_equal(value[name], other[name]) for name in value)
    if isinstance(value, (list, tuple)):
        return len(value) == len(other) and all(map(_equal, value, other))
    return value == other or value != value and other != other
