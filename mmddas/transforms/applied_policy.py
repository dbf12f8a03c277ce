"""A policy in use: the probabilities in force, the draw for an image, and its application to image and boxes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable

import cv2
import numpy as np
import torch

from mmddas import ops
from mmddas.core import Candidate, ListedOperation, PolicyFileError, PolicySchedule, PolicySnapshot, load_policy
from mmddas.core.validation import is_number

_GOLDEN_RATIO = 0.6180339887498949


class AppliedPolicy:
    """The common part of transforms that apply a policy, whatever their samples look like.

    Args:
        policy: A policy file, a name, the content of a file as a dict, a schedule, or None: there is none yet.
        box_prob, interpolation, reference_size: See :class:`~mmddas.ops.Options`. None: as searched, else its default.
        min_box_size: Width and height in pixels below which a moved box is dropped.
        channel_order: Of the images: ``'bgr'`` or ``'rgb'``.

    Raises:
        ValueError: An argument is wrong; :class:`~mmddas.core.PolicyFileError` for a policy.
    """

    no_policy = 'give it one'
    """How to bring a policy, where there is none."""
    no_epoch = 'call set_progress'
    """How to tell the epoch, where nobody does."""

    def __init__(
        self,
        policy: str | os.PathLike | dict | PolicySchedule | None,
        box_prob: float | None = None,
        interpolation: str | None = None,
        reference_size: int | None = None,
        min_box_size: float = 1.0,
        channel_order: str = 'bgr',
    ) -> None:
        if channel_order not in ('bgr', 'rgb'):
            raise ValueError(f"channel_order must be 'bgr' or 'rgb', got {channel_order!r}")
        if not (is_number(min_box_size) and min_box_size >= 0):
            raise ValueError(f'min_box_size must be a number of at least 0, in pixels, got {min_box_size!r}')
        self._given_options = dict(box_prob=box_prob, interpolation=interpolation, reference_size=reference_size)
        self.set_policy(policy)
        self.min_box_size = min_box_size
        self.channel_order = channel_order
        # Epoch, number of epochs and pass over the data; -1: not told. In shared memory, for workers that live through
        # epochs.
        self._progress = torch.tensor([-1, 1, 0]).share_memory_()
        self._warned = False

    def set_policy(self, policy: str | os.PathLike | dict | PolicySchedule | None) -> None:
        """Take a policy, in any form that the constructor takes, before data workers are started."""
        self.schedule, searched = self._read(policy)
        given = {key: value for key, value in self._given_options.items() if value is not None}
        self._options = _checked_options(searched | given)

    def set_progress(self, epoch: int, max_epochs: int, data_pass: int | None = None) -> None:
        """Tell every copy of the transform, in this process and in data workers, how far the training is.

        Args:
            epoch, max_epochs: In any unit of time, as long as both have the same.
            data_pass: How often data workers have begun anew, with the random numbers that they had before; by default
                with every epoch.
        """
        told = torch.tensor([epoch, max_epochs, max(epoch, 0) if data_pass is None else data_pass])
        self._progress.share_memory_().copy_(told)  # a deep copy does not share

    @property
    def options(self) -> dict:
        """Return the options of operations, as a policy's file has them."""
        return self._options._asdict()

    @property
    def snapshot(self) -> PolicySnapshot:
        """Return the probabilities in force."""
        return self._snapshot(*self._progress.tolist()[:2])

    def _snapshot(self, epoch: int, max_epochs: int) -> PolicySnapshot:
        if self.schedule is None:
            raise RuntimeError(f'{type(self).__name__} has no policy: {self.no_policy}')
        if epoch >= 0:
            return self.schedule.at(epoch, max_epochs)
        if len(self.schedule) > 1 and not self._warned:
            self._warned = True
            warnings.warn(
                f'{type(self).__name__} holds a schedule of {len(self.schedule)} snapshots and nobody tells it the '
                f'epoch: the last snapshot is used throughout. {self.no_epoch}',
                stacklevel=2,
            )
        return self.schedule.snapshots[-1]

    def chosen(
        self, uniform: Callable[[], float], make_rng: Callable[[], np.random.Generator]
    ) -> tuple[list[Candidate | ListedOperation], np.random.Generator] | None:
        """Draw the next image's operations, in the epoch at hand, and return their generator too; None: no operation.

        Args:
            uniform: Gives a number in [0, 1), which decides whether the image is augmented.
            make_rng: Called only where it is.
        """
        epoch, max_epochs, data_pass = self._progress.tolist()
        snapshot = self._snapshot(epoch, max_epochs)
        # Short-lived workers may have the same streams of numbers again in every epoch (MMEngine's do): a step of the
        # golden ratio an epoch makes other images of it the augmented ones, and gives them other operations.
        shift = data_pass * _GOLDEN_RATIO
        if (uniform() + shift) % 1 >= snapshot.total_prob:
            return None
        rng = make_rng()
        return self.draw(snapshot, rng, shift), rng

    def draw(
        self, snapshot: PolicySnapshot, rng: np.random.Generator, shift: float = 0.0
    ) -> list[Candidate | ListedOperation]:
        """Draw an augmented image's operations by ``rng``'s numbers, moved by ``shift`` around [0, 1)."""
        return snapshot.draw(
            self.schedule.space, lambda: (rng.random() + shift) % 1, lambda name: ops.get(name).per_box
        )

    def apply(
        self,
        image: np.ndarray,
        boxes: np.ndarray | None,
        sub_policy: Iterable[Candidate | ListedOperation],
        rng: np.random.Generator,
        check: Callable[[str], None] = lambda name: None,
    ) -> tuple[np.ndarray, np.ndarray | None, list[ops.Move]]:
        """Apply a sub-policy to an image ``(H, W, 3)`` uint8 of ``channel_order``, and its boxes ``(N, 4)`` xyxy.

        A listed operation acts on each box with its own probability times ``box_prob``. ``check`` is called with the
        name of each operation before it acts.

        Returns:
            Image, boxes (all of them, also those that have left the image), and how pixels were moved.
        """
        image = self.bgr(image)
        moves = []
        for candidate in sub_policy:
            check(candidate.op)
            options = self._options
            if isinstance(candidate, ListedOperation):
                options = options._replace(box_prob=options.box_prob * candidate.prob)
            image, boxes, new_moves = ops.apply_with_moves(candidate.op, image, boxes, candidate.level, rng, options)
            moves += new_moves
        return self.bgr(image), boxes, moves

    def kept(self, boxes: np.ndarray) -> np.ndarray:
        """Return which of the boxes ``(N, 4)`` xyxy are large enough to stay: ``(N,)`` bool."""
        return (boxes[:, 2:] - boxes[:, :2] >= self.min_box_size).all(axis=1)

    def bgr(self, image: np.ndarray) -> np.ndarray:
        """Turn the images' channel order into BGR, as operations and files have it; or back."""
        return image if self.channel_order == 'bgr' else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)

    def default_space(self) -> str | None:
        """Return the search space of a generated policy that names none; None: it has to name one."""
        return 'detection'

    def _read(self, policy: str | os.PathLike | dict | PolicySchedule | None) -> tuple[PolicySchedule | None, dict]:
        """Return a schedule, and the options of operations that it was searched with."""
        if policy is None:
            return None, {}
        source = f'the policy of {type(self).__name__}'
        if isinstance(policy, PolicySchedule):
            schedule = policy
        elif isinstance(policy, dict):
            schedule = PolicySchedule.from_dict(_plain(policy), source)
        elif isinstance(policy, (str, os.PathLike)) and str(policy):
            schedule, source = load_policy(policy, self.default_space()), str(policy)
        else:
            raise ValueError(f'A policy is the path of its file, a name, or its content as a dict, got {policy!r}')
        options = schedule.meta.get('operation_options', {})
        try:
            ops.check_candidates(schedule.space.candidates)
            _checked_options(options)
        except ValueError as error:
            raise PolicyFileError(f'{source}: candidates or meta.operation_options: {error}') from error
        return schedule, options

    def __repr__(self) -> str:
        return f'{type(self).__name__}(schedule={self.schedule and len(self.schedule)} snapshots, {self.options})'


def _plain(value: object) -> object:
    """Turn a config's dicts, lists and tuples into JSON's."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _checked_options(given: object) -> ops.Options:
    """Return the options of operations, by default those of :class:`~mmddas.ops.Options`; ValueError for others."""
    if not isinstance(given, dict) or not set(given) <= set(ops.Options._fields):
        raise ValueError(f'Operation options are a dict with some of {list(ops.Options._fields)}, got {given!r:.80}')
    options = ops.Options(**given)
    if not (is_number(options.box_prob) and 0 <= options.box_prob <= 1):
        raise ValueError(f'box_prob must lie in 0..1, got {options.box_prob!r:.80}')
    if not isinstance(options.interpolation, str) or options.interpolation not in ops.INTERPOLATIONS:
        raise ValueError(
            f'interpolation must be one of {sorted(ops.INTERPOLATIONS)}, got {options.interpolation!r:.80}'
        )
    if not (is_number(options.reference_size) and options.reference_size >= 0):
        raise ValueError(f'reference_size must be at least 0, got {options.reference_size!r:.80}')
    return options
