"""A policy as a transform for any training in PyTorch, with torchvision's conventions and without OpenMMLab."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch.utils.data import get_worker_info

from mmddas import ops
from mmddas.core import Candidate, ListedOperation, PolicySchedule
from mmddas.core.validation import is_whole

from .applied_policy import AppliedPolicy
from .structures import PER_BOX_KEYS, Sample


class PolicyTransform(AppliedPolicy):
    """Augment images, and the boxes and masks in them, by a policy.

    With probability p_tp an image gets the operations that the policy draws; it keeps its size. Call it in any of
    torchvision's ways: ``transform(image)``, ``transform(image, target)``, ``transform(sample)``. What comes back has
    the structure, types and formats of what went in; what is not named here passes through.

    - Images: PIL (RGB), uint8 arrays ``(H, W, 3)``, uint8 tensors ``(3, H, W)``; one a call.
    - Boxes: ``tv_tensors.BoundingBoxes`` of any horizontal format, or under the keys of ``box_formats`` tensors,
      arrays or lists ``(N, 4)``.
    - Masks: ``tv_tensors.Mask``, and arrays, tensors and lists of them under ``masks`` and ``mask``. Those under
      ``masks``, and ``(N, H, W)`` in the dict with N boxes, are of objects, others are label maps ``(..., H, W)``.

    A box that leaves the image, or keeps less than ``min_box_size``, is dropped with its entries in the same dict: its
    mask, and what is found under ``per_box_keys``.

    Args:
        policy: A policy file, a name (``'zoph_v1'``, ``'trivialaugment'``, ...; see
            :func:`~mmddas.core.load_policy`), the content of a file as a dict, or a schedule. A generated policy that
            names no search space is of ``'detection'``.
        epochs: How many the training has; a schedule is stretched over them. None: as many as were searched.
        channel_order: Of arrays and tensors; ``'bgr'`` for arrays of OpenCV's.
        generator: Where random numbers come from; a data worker's copy is seeded anew, with the worker's seed. None:
            PyTorch's own.
        box_prob: Chance of every box to be acted on by the ``*_Only_BBoxes`` operations. None: as searched, else 1/3.
        interpolation: ``'nearest'`` or ``'bilinear'`` for the warps. None: as searched, else ``'nearest'``.
        reference_size: Lengths in pixels grow with the image's longer side over this; 0 keeps the reference's pixels.
            None: as searched, else 0.
        min_box_size: Width and height in pixels below which a moved box is dropped.
        box_formats: Keys of plain boxes, and their formats: ``'xyxy'``, ``'xywh'`` or ``'cxcywh'``.
        per_box_keys: Keys, beside boxes, of what has one entry a box.
        mask_fill: What label maps have where pixels have moved away; masks of objects, and boolean ones, have 0.

    Raises:
        ValueError: Of the constructor, for arguments that are not what they should be; of a call, for an image or boxes
            that operations cannot work on.
        TypeError: A call has no image, more than one, or annotations that cannot be moved (rotated boxes, keypoints).

    Example:
        >>> transform = PolicyTransform('zoph_v1')
        >>> image, target = transform(image, dict(boxes=boxes, labels=labels))
    """

    no_epoch = 'Call set_epoch at the beginning of every epoch.'

    def __init__(
        self,
        policy: str | os.PathLike | dict | PolicySchedule,
        epochs: int | None = None,
        channel_order: str = 'rgb',
        generator: torch.Generator | None = None,
        *,
        box_prob: float | None = None,
        interpolation: str | None = None,
        reference_size: int | None = None,
        min_box_size: float = 1.0,
        box_formats: Mapping[str, str] = {'boxes': 'xyxy', 'bbox': 'xywh'},  # noqa: B006  (never changed)
        per_box_keys: tuple[str, ...] = PER_BOX_KEYS,
        mask_fill: int = 255,
    ) -> None:
        if policy is None:
            raise ValueError('PolicyTransform needs a policy: a file, a name such as "zoph_v1", or a schedule')
        if not (epochs is None or is_whole(epochs) and epochs > 0):
            raise ValueError(f'epochs must be a whole number above 0, or None, got {epochs!r}')
        unknown = set(box_formats.values()) - {'xyxy', 'xywh', 'cxcywh'}
        if unknown:
            raise ValueError(f"box_formats has 'xyxy', 'xywh' or 'cxcywh', got {sorted(map(str, unknown))}")
        super().__init__(policy, box_prob, interpolation, reference_size, min_box_size, channel_order)
        self.source = policy if isinstance(policy, (str, os.PathLike)) else type(policy).__name__
        self.epochs = epochs if epochs is not None else len(self.schedule)
        self.generator, self._worker = generator, None
        self.box_formats = dict(box_formats)
        self.per_box_keys = tuple(per_box_keys)
        self.mask_fill = mask_fill

    def set_epoch(self, epoch: int) -> None:
        """Tell the transform, and its copies in data workers that live through epochs, which epoch begins, from 0.

        Raises:
            ValueError: ``epoch`` is not a whole number from 0.
        """
        if not (is_whole(epoch) and epoch >= 0):
            raise ValueError(f'set_epoch takes the number of the epoch that begins, from 0; got {epoch!r}')
        self.set_progress(min(epoch, self.epochs - 1), self.epochs)

    def __call__(self, *inputs: object) -> object:
        """Augment the inputs; several come back as a tuple."""
        given = inputs[0] if len(inputs) == 1 else inputs
        sample = self._sample(given)  # also of what stays as it is: what is wrong is refused at once
        chosen = self.chosen(self._uniform, self._rng)
        return given if chosen is None else self._augmented(sample, *chosen)

    def augment(
        self, given: object, sub_policy: Iterable[Candidate | ListedOperation], rng: np.random.Generator
    ) -> object:
        """Apply these operations, one after the other, as a search does for its views.

        Args:
            given: An image, or a structure with one, as of a call with one argument.
            sub_policy: Of the policy's search space, or others. A listed operation is applied; its probability is
                that of each box.
            rng: Gives the operations their random numbers.

        Raises:
            TypeError: ``sub_policy`` or ``rng`` is something else; and as of a call.
            ValueError: An operation does not exist, or not at this level; and as of a call.
        """
        sub_policy = list(sub_policy) if not isinstance(sub_policy, (str, Candidate)) else [None]
        if not all(isinstance(operation, (Candidate, ListedOperation)) for operation in sub_policy):
            raise TypeError("sub_policy must be a list of candidates: [Candidate('Rotate_BBox', 4), ...]")
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f'rng must be a generator of NumPy, numpy.random.default_rng(seed), got {rng!r}')
        return self._augmented(self._sample(given), sub_policy, rng)

    def _sample(self, given: object) -> Sample:
        return Sample(given, self.box_formats, self.per_box_keys)

    def _augmented(
        self, sample: Sample, sub_policy: Iterable[Candidate | ListedOperation], rng: np.random.Generator
    ) -> object:
        image, boxes, moves = self.apply(
            sample.image(self.channel_order), sample.boxes, sub_policy, rng, sample.check_operation
        )
        whole = [move for move in moves if move.region is None]
        kept = self.kept(boxes) if sample.boxes is not None and whole else None
        return sample.changed(
            image, boxes, kept, lambda layer, fill: ops.move_mask(layer, *moves, fill=fill), self.mask_fill
        )

    def _numbers(self) -> torch.Generator | None:
        """Return the generator, seeded anew in a data worker: copies would all draw alike, in every epoch."""
        worker = get_worker_info()
        if self.generator is not None and worker is not None and self._worker != worker.seed:
            begun = torch.randint(2**62, (), generator=self.generator).item()
            self.generator.manual_seed((begun + worker.seed) % 2**63)
            self._worker = worker.seed
        return self.generator

    def _uniform(self) -> float:
        return torch.rand((), generator=self._numbers()).item()

    def _rng(self) -> np.random.Generator:
        key = torch.randint(2**62, (2,), generator=self._numbers()).tolist()
        # By a key: seeding NumPy's usual generator from one number takes several times as long.
        return np.random.Generator(np.random.Philox(key=key))

    def __repr__(self) -> str:
        snapshots = len(self.schedule)
        told = f'p_tp {self.snapshot.total_prob:g}'
        if snapshots > 1:
            told = f'{snapshots} snapshots over {self.epochs} epochs'
        return f'{type(self).__name__}({str(self.source)!r}: {told}, {len(self.schedule.space.candidates)} candidates)'
