"""What a network keeps from pass to pass besides its parameters and running statistics."""

from __future__ import annotations

import logging
import types
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from operator import is_

import numpy as np
import torch
from mmengine.utils import ManagerMixin
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parameter import is_lazy

# Not the network's own, or nothing that a pass changes; running statistics have rules of their own.
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
_MODULE = frozenset(vars(nn.Module()))  # what makes a module, and is no state of what it does
_PLAIN = (bool, int, float, str, type(None))
_Holder = dict | list | deque | set


class NetworkMemory:
    """A network's memory: counters, histories and moving averages of its losses, heads, assigners, preprocessor.

    The passes of a step are to be compared, so that each of them finds the memory as the step before has left it. What
    the clean view's pass leaves is what the step leaves, as in plain training. Without this, a Dynamic R-CNN, which
    adapts its thresholds to what it has seen, would take every view for an iteration, and S_val for training data.

    It is looked for in attributes and buffers of all modules, and within lists, sets, dicts and plain objects there.
    Objects that a pass makes and leaves there, such as the samples that a head has drawn, are what it has done and no
    memory. Normalisations are left out: their running statistics see every view. A step that changes nothing costs a
    look at every attribute; tensors are copied when they have changed.

    Args:
        network: The network, before its first pass.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        everything = [value for _, value in _reachable(network)]
        self._from_the_start = {id(value): value for value in everything}  # which keeps them, and so their ids
        self._before = self._after = _Snapshot(network, self._from_the_start)
        self._is_first = True
        self._initial = self._values()

    def begin(self) -> None:
        """Begin a step."""
        self._before = self._after = self._now(self._after)
        self._is_first = True

    @contextmanager
    def one_pass(self, counts: bool) -> Iterator[None]:
        """A pass that finds what was there when the step began. ``counts``: what it leaves is what the step leaves."""
        if not self._is_first:
            self._before.restore()
        self._is_first = False
        yield
        if counts:
            self._after = self._now(self._before)

    def end(self) -> None:
        """End a step."""
        self._after.restore()

    def _now(self, earlier: _Snapshot) -> _Snapshot:
        return earlier if earlier.is_current() else _Snapshot(self.network, self._from_the_start, earlier)

    def _values(self) -> dict[str, dict[str, object]]:
        """What can be written to a file and the network's ``state_dict`` lacks, by place and name."""
        found = {}
        for place, holder, left_out in _holders(self.network, self._from_the_start):
            if isinstance(holder, dict):
                found[place] = {
                    name: _stored(value)
                    for name, value in dict.items(holder)
                    if name not in left_out and _is_storable(name) and _is_storable(value)
                }
        return found

    def state_dict(self) -> dict[str, dict[str, object]]:
        """What has changed since the beginning, of numbers, texts, tensors and what they make up, by place and name."""
        state = {}
        for place, values in self._values().items():
            initial = self._initial.get(place, {})
            changed = {n: v for n, v in values.items() if n not in initial or not _equal(v, initial[n])}
            if changed:
                state[place] = changed
        return state

    def load_state_dict(self, state: dict[str, dict[str, object]]) -> None:
        """Go on from :meth:`state_dict`."""
        holders = {place: holder for place, holder, _ in _holders(self.network, self._from_the_start)}
        for place, values in state.items():
            if place in holders:  # else it is within another one, whose values came with it
                _load(holders[place], values)


class _Snapshot:
    """What the holders of a network's memory hold at one time."""

    def __init__(self, network: nn.Module, from_the_start: dict, earlier: _Snapshot | None = None) -> None:
        self._from_the_start = from_the_start
        self._whole: list[tuple[_Holder, _Holder]] = []  # holders, and what they held
        self._partly: list[tuple[dict, dict]] = []  # those in which passes leave what they have done
        self._tensors: dict[int, tuple[Tensor, int, Tensor]] = {}  # itself, its version, its copy
        known = earlier._tensors if earlier is not None else {}
        for _, holder, _ in _holders(network, from_the_start):
            # Dicts by the methods of ``dict``: those of MMEngine's configs make more of it.
            items = dict.items(holder) if isinstance(holder, dict) else enumerate(holder)
            items = [(name, value) for name, value in items if name not in _MODULE]
            of_passes = {name for name, value in items if _is_of_a_pass(value, from_the_start)}
            if not of_passes:
                self._whole.append((holder, dict.copy(holder) if isinstance(holder, dict) else holder.copy()))
            elif isinstance(holder, dict):
                self._partly.append((holder, {n: v for n, v in dict.items(holder) if n not in of_passes}))
            for name, value in items:
                if isinstance(value, Tensor) and name not in of_passes:
                    tensor, version, copy = known.get(id(value), (None, None, None))
                    if tensor is not value or version != value._version:
                        version, copy = value._version, value.clone()
                    self._tensors[id(value)] = value, version, copy
        self._holders, held = [holder for holder, _ in self._whole], [held for _, held in self._whole]
        self._dicts = [holder for holder in self._holders if isinstance(holder, dict)]
        self._lengths = [*map(len, held)]
        self._names = [*chain.from_iterable(held)]  # and what lists hold
        self._values = [*chain.from_iterable(part.values() for part in held if isinstance(part, dict))]

    def is_current(self) -> bool:
        """Whether nothing has changed."""
        # Thousands of attributes, several times a step: no Python between them.
        return (
            [*map(len, self._holders)] == self._lengths
            and all(map(is_, chain.from_iterable(self._holders), self._names))
            and all(map(is_, chain.from_iterable(map(dict.values, self._dicts)), self._values))
            and all(tensor._version == version for tensor, version, _ in self._tensors.values())
            and not any(self._differences(holder, before) for holder, before in self._partly)
        )

    def restore(self) -> None:
        """Change everything back."""
        if self.is_current():
            return
        for holder, before in chain(self._whole, self._partly):
            if isinstance(holder, dict):
                for name in self._differences(holder, before):
                    if name in before:
                        holder[name] = before[name]
                    else:
                        del holder[name]
            elif len(holder) != len(before) or not all(map(is_, holder, before)):
                _refill(holder, before)
        for key, (tensor, version, copy) in self._tensors.items():
            if tensor._version != version:
                with torch.no_grad():
                    tensor.copy_(copy)
                self._tensors[key] = tensor, tensor._version, copy

    def _differences(self, holder: dict, before: dict) -> list:
        """Names of what has changed, come or gone."""
        changed = [name for name, value in before.items() if dict.get(holder, name, _MODULE) is not value]
        return changed + [
            name
            for name, value in dict.items(holder)
            if name not in before and not _is_of_a_pass(value, self._from_the_start)
        ]


def _is_of_a_pass(value: object, from_the_start: dict) -> bool:
    """Whether it is what a pass has made: a tensor that it can go back from, or an object that was not there before.

    Tensors that are trained, or cannot change, are no memory either.
    """
    if isinstance(value, Tensor):
        return value.requires_grad or value.is_inference() or is_lazy(value)
    if isinstance(value, (*_PLAIN, *_OUTSIDE)) or id(value) in from_the_start:
        return False
    if isinstance(value, (list, tuple, deque, set, dict)):
        parts = dict.values(value) if isinstance(value, dict) else value
        return any(_is_of_a_pass(part, from_the_start) for part in parts)
    return hasattr(value, '__dict__')


def _reachable(network: nn.Module, from_the_start: dict | None = None) -> Iterator[tuple[str, object]]:
    """A network, its parts, and the containers and objects in them, each once, with its place."""
    seen: set[int] = set()
    waiting: list[tuple[str, object]] = [('', network)]
    while waiting:
        place, value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield place, value
        if isinstance(value, nn.Module):
            held = {n: v for n, v in vars(value).items() if n not in _MODULE} | value._modules
        elif isinstance(value, dict):
            held = dict.copy(value)
        else:
            held = dict(enumerate(value)) if isinstance(value, (list, tuple, deque, set)) else vars(value)
        for name, part in held.items():
            if isinstance(part, (Tensor, *_PLAIN, *_OUTSIDE)):
                continue
            holds = isinstance(part, (dict, list, tuple, deque, set)) or hasattr(part, '__dict__')
            if holds and (from_the_start is None or not _is_of_a_pass(part, from_the_start)):
                waiting.append((f'{place}.{name}' if place else str(name), part))


def _holders(network: nn.Module, from_the_start: dict) -> Iterator[tuple[str, _Holder, frozenset]]:
    """What may hold a network's memory: its place, itself, and names in it that are none or are saved elsewhere."""
    for place, value in _reachable(network, from_the_start):
        if isinstance(value, nn.Module):
            yield place, vars(value), _MODULE
            yield f'{place}|buffers', value._buffers, frozenset(value._buffers) - value._non_persistent_buffers_set
        elif not isinstance(value, tuple):
            holds = isinstance(value, (dict, list, deque, set))
            yield place, value if holds else vars(value), frozenset()


def _refill(holder: list | deque | set, values: list | deque | set) -> None:
    """Give a holder, which others may know, other contents."""
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
    """A copy of plain Python values and of tensors on the CPU."""
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
