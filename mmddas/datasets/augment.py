"""The transform that applies a policy to an image and all that is annotated in it."""

from __future__ import annotations

import copy
import os
import random
import warnings
from collections.abc import Iterable

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS, DefaultScope

from mmddas import ops
from mmddas.core import Candidate, ListedOperation, PolicyFileError, PolicySchedule, PolicySnapshot, load_policy

from .samples import check_sample

# What MMDetection keeps beside the boxes, one entry a box.
PER_BOX_KEYS = ('gt_bboxes_labels', 'gt_ignore_flags', 'gt_instances_ids')
# What has places in the image and cannot be moved here.
REFUSED_KEYS = ('gt_keypoints', 'keypoints', 'proposals', 'gt_panoptic_seg')

# What every operation is told beside its level.
DEFAULT_OPTIONS = dict(box_prob=1 / 3, interpolation='nearest', reference_size=0)

_GOLDEN_RATIO = 0.6180339887498949


def global_generator() -> np.random.Generator:
    """A generator whose numbers are those of NumPy's global stream: nothing to seed, which takes 0.1 ms in a worker."""
    return np.random.Generator(np.random.get_bit_generator())


@TRANSFORMS.register_module()
class DDASAugment(BaseTransform):
    """Augment an image and its boxes, masks and label map by a searched policy.

    With probability p_tp of the current epoch an image gets N_o candidates drawn from p_o of that epoch; or, of a
    policy made of listed sub-policies, one of these, each of its operations with the probability listed.
    The epoch comes from :class:`~mmddas.engine.PolicyScheduleHook`. In a search the transform only marks the
    place in the pipeline where :class:`~mmddas.engine.DDASSearchLoop` applies its sub-policies, and needs no
    policy.

    Boxes that leave the image, or keep less than ``min_box_size``, are dropped with all that belongs to them;
    the image stays, even without any box. (Within a MultiImageMixDataset, which cannot take another sample where its
    later transforms reject one without boxes, the hook has such a sample stay clean.)

    Required Keys: ``img`` ``(H, W, 3)`` uint8, BGR or as ``channel_order`` says.
    Modified Keys, where present: ``img``, ``img_shape``, ``gt_bboxes``, ``gt_bboxes_labels``,
    ``gt_ignore_flags``, ``gt_instances_ids``, ``gt_masks``, ``gt_seg_map``, ``homography_matrix``.

    Args:
        policy: A policy file, a name (``'zoph_v1'``, ``'trivialaugment'``, ...; see
            :func:`~mmddas.core.load_policy`), or the content of a file as a dict (``format``, ``version`` and ``meta``
            may be left out). None: marks the place for a search; in re-training the hook brings the policy.
        box_prob: Chance of every box to be acted on by the ``*_Only_BBoxes`` operations. None: as searched,
            else 1/3.
        interpolation: ``'nearest'`` or ``'bilinear'`` for the warps. None: as searched, else ``'nearest'``.
        reference_size: Lengths in pixels grow with the image's longer side over this; 0 keeps the reference's
            pixels. None: as searched, else 0.
        min_box_size: Width and height in pixels below which a moved box is dropped.
        channel_order: ``'bgr'``, as ``LoadImageFromFile`` has it, or ``'rgb'``, as data sets that bring their images
            (MMPretrain's CIFAR10, ...) have it; a property of the data, so that no policy carries it.

    Example:
        >>> train_pipeline = [
        ...     dict(type='LoadImageFromFile'),
        ...     dict(type='LoadAnnotations', with_bbox=True),
        ...     dict(type='DDASAugment', policy='policy.json'),
        ...     dict(type='Resize', scale=(1333, 800), keep_ratio=True),
        ...     dict(type='RandomFlip', prob=0.5),
        ...     dict(type='PackDetInputs'),
        ... ]
        >>> custom_hooks = [dict(type='PolicyScheduleHook')]
    """

    def __init__(
        self,
        policy: str | os.PathLike | dict | PolicySchedule | None = None,
        box_prob: float | None = None,
        interpolation: str | None = None,
        reference_size: int | None = None,
        min_box_size: float = 1.0,
        channel_order: str = 'bgr',
    ) -> None:
        if channel_order not in ('bgr', 'rgb'):
            raise ValueError(f"channel_order must be 'bgr' or 'rgb', got {channel_order!r}")
        if not (_is_number(min_box_size) and min_box_size >= 0):
            raise ValueError(f'min_box_size must be a number of at least 0, in pixels, got {min_box_size!r}')
        self._given_options = dict(box_prob=box_prob, interpolation=interpolation, reference_size=reference_size)
        self.set_policy(policy)
        self.min_box_size = min_box_size
        self.channel_order = channel_order
        # Epoch and number of epochs; -1: not told. In shared memory, for workers that live through epochs.
        self._progress = torch.tensor([-1, 1]).share_memory_()
        self._warned = False
        # Whether a sample that would lose all its boxes stays as it is: for data sets that cannot take another one.
        self.keeps_some_box = False

    def set_policy(self, policy: str | os.PathLike | dict | PolicySchedule | None) -> None:
        """Take a policy, in any form that the constructor takes, before data workers are started."""
        self.schedule, searched = _read(policy)
        given = {key: value for key, value in self._given_options.items() if value is not None}
        self.options = _checked_options(searched | given)

    def set_progress(self, epoch: int, max_epochs: int) -> None:
        """Tell every copy of the transform, in this process and in data workers, how far the training is.

        Any unit of time will do, as long as both numbers have the same.
        """
        self._progress.share_memory_().copy_(torch.tensor([epoch, max_epochs]))  # a deep copy does not share

    @property
    def snapshot(self) -> PolicySnapshot:
        """The probabilities in force."""
        return self._snapshot(*self._progress.tolist())

    def _snapshot(self, epoch: int, max_epochs: int) -> PolicySnapshot:
        if self.schedule is None:
            raise RuntimeError(
                "DDASAugment has no policy: give it one, dict(type='DDASAugment', policy='policy.json'), or name it in "
                "the config, policy_file='policy.json', beside custom_hooks=[dict(type='PolicyScheduleHook')]"
            )
        if epoch >= 0:
            return self.schedule.at(epoch, max_epochs)
        if len(self.schedule) > 1 and not self._warned:
            self._warned = True
            warnings.warn(
                f'DDASAugment holds a schedule of {len(self.schedule)} snapshots and nobody tells it the epoch: '
                "the last snapshot is used throughout. Add dict(type='PolicyScheduleHook') to custom_hooks.",
                stacklevel=2,
            )
        return self.schedule.snapshots[-1]

    def transform(self, results: dict) -> dict:
        epoch, max_epochs = self._progress.tolist()
        snapshot = self._snapshot(epoch, max_epochs)
        try:
            check_sample(results)
        except ValueError as error:
            raise ValueError(f'{results.get("img_path", "a sample")}: {error}') from error
        # MMEngine gives short-lived workers the same streams of numbers again in every epoch: a step of the golden
        # ratio an epoch makes other images of it the augmented ones, and gives them other operations. Python's stream,
        # since operations take as many numbers from NumPy's as they need: every place in it gets its share of p_tp.
        shift = max(epoch, 0) * _GOLDEN_RATIO
        if (random.random() + shift) % 1 >= snapshot.total_prob:
            return results
        rng = global_generator()
        clean = dict(results)
        augmented = self.augment(results, self.draw(snapshot, rng, shift), rng)
        if self.keeps_some_box and len(clean.get('gt_bboxes', ())) and not len(augmented['gt_bboxes']):
            return clean
        return augmented

    def draw(
        self, snapshot: PolicySnapshot, rng: np.random.Generator, shift: float = 0.0
    ) -> list[Candidate | ListedOperation]:
        """What an image that is augmented gets, by ``rng``'s numbers, moved by ``shift`` around [0, 1)."""
        return snapshot.draw(
            self.schedule.space, lambda: (rng.random() + shift) % 1, lambda name: ops.get(name).per_box
        )

    def augment(
        self, results: dict, sub_policy: Iterable[Candidate | ListedOperation], rng: np.random.Generator
    ) -> dict:
        """Apply one sub-policy to a sample, in place of the sample's entries but not of their arrays.

        A listed operation acts on each box with its own probability times ``box_prob``.
        """
        image = self.bgr(results['img'])
        boxes, horizontal = _boxes_as_array(results.get('gt_bboxes'))
        moves = []
        for candidate in sub_policy:
            if not horizontal:
                _check_leaves_boxes(candidate.op, results['gt_bboxes'], boxes)
            options = self.options
            if isinstance(candidate, ListedOperation):
                options = options | dict(box_prob=options['box_prob'] * candidate.prob)
            image, boxes, new_moves = ops.apply_with_moves(
                candidate.op, image, boxes, level=candidate.level, rng=rng, **options
            )
            moves += new_moves
        results['img'] = self.bgr(image)
        results['img_shape'] = image.shape[:2]
        if moves:
            _move_annotations(results, moves)
            if 'gt_bboxes' in results and any(move.region is None for move in moves):
                _replace_boxes(results, boxes, self.min_box_size)
        return results

    def bgr(self, image: np.ndarray) -> np.ndarray:
        """From the channel order of the pipeline to BGR, as operations and files have it; or back."""
        return image if self.channel_order == 'bgr' else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(schedule={self.schedule and len(self.schedule)} snapshots, {self.options})'


def _read(policy: str | os.PathLike | dict | PolicySchedule | None) -> tuple[PolicySchedule | None, dict]:
    """A schedule, and the options of operations that it was searched with."""
    if policy is None:
        return None, {}
    source = 'the policy of DDASAugment'
    if isinstance(policy, PolicySchedule):
        schedule = policy
    elif isinstance(policy, dict):
        schedule = PolicySchedule.from_dict(_plain(policy), source)
    elif isinstance(policy, (str, os.PathLike)) and str(policy):
        schedule, source = load_policy(policy, _space_here()), str(policy)
    else:
        raise ValueError(f'A policy is the path of its file, a name, or its content as a dict, got {policy!r}')
    options = schedule.meta.get('operation_options', {})
    try:
        ops.check_candidates(schedule.space.candidates)
        _checked_options(options)
    except ValueError as error:
        raise PolicyFileError(f'{source}: candidates or meta.operation_options: {error}') from error
    return schedule, options


def _space_here() -> str:
    """The search space that a generated policy has without naming one: the task's, of the config that is built."""
    scope = DefaultScope.get_current_instance()
    return 'cifar' if scope is not None and scope.scope_name == 'mmpretrain' else 'detection'


def _plain(value: object) -> object:
    """Config's dicts, lists and tuples as JSON has them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _checked_options(given: object) -> dict:
    """The options of operations, those that are not given by default; ValueError for what is no such option."""
    if not isinstance(given, dict) or not set(given) <= set(DEFAULT_OPTIONS):
        raise ValueError(f'Operation options are a dict with some of {list(DEFAULT_OPTIONS)}, got {given!r:.80}')
    options = DEFAULT_OPTIONS | given
    if not (_is_number(options['box_prob']) and 0 <= options['box_prob'] <= 1):
        raise ValueError(f'box_prob must lie in 0..1, got {options["box_prob"]!r:.80}')
    if not isinstance(options['interpolation'], str) or options['interpolation'] not in ops.INTERPOLATIONS:
        raise ValueError(
            f'interpolation must be one of {sorted(ops.INTERPOLATIONS)}, got {options["interpolation"]!r:.80}'
        )
    if not (_is_number(options['reference_size']) and options['reference_size'] >= 0):
        raise ValueError(f'reference_size must be at least 0, got {options["reference_size"]!r:.80}')
    return options


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9


def _boxes_as_array(boxes: object) -> tuple[np.ndarray | None, bool]:
    """``(N, 4)`` xyxy of an array or of MMDetection's boxes, and whether these are horizontal.

    Of others it is the boxes around them, where they can be converted to those.
    """
    if boxes is None or isinstance(boxes, np.ndarray):
        return boxes, True
    if getattr(boxes, 'box_dim', None) == 4:
        return boxes.numpy(), True
    try:
        return boxes.convert_to('hbox').numpy(), False
    except Exception:  # whatever a box type without that conversion raises
        return None, False


def _check_leaves_boxes(name: str, boxes: object, around: np.ndarray | None) -> None:
    """Raise TypeError for an operation that would have to move boxes that are not horizontal, or to know them."""
    operation = ops.get(name)
    looks_at_boxes = operation.per_box or operation.kind == 'patch'
    if operation.kind == 'affine' or looks_at_boxes and around is None:
        raise TypeError(
            f'DDASAugment cannot apply {name} to {type(boxes).__name__}: it moves horizontal boxes (x1, y1, x2, y2) '
            'only. Convert them, or leave the operations that move pixels (Rotate, Translate, Shear, Flip) out'
        )


def _replace_boxes(results: dict, boxes: np.ndarray, min_size: float) -> None:
    keep = (boxes[:, 2:] - boxes[:, :2] >= min_size).all(axis=1)
    old = results['gt_bboxes']
    results['gt_bboxes'] = boxes[keep] if isinstance(old, np.ndarray) else type(old)(boxes[keep], dtype=old.dtype)
    for key in PER_BOX_KEYS:
        if key in results:
            results[key] = results[key][keep]
    if 'gt_masks' in results:
        results['gt_masks'] = results['gt_masks'][keep]


def _move_annotations(results: dict, moves: list[ops.Move]) -> None:
    """Masks, label map and homography follow the pixels."""
    refused = [key for key in REFUSED_KEYS if key in results]
    if refused:
        raise NotImplementedError(
            f'DDASAugment cannot move {refused[0]!r} with the image. Leave the operations that move pixels '
            '(Rotate, Translate, Shear, Flip) out of the search space, or do not load it.'
        )
    if 'gt_masks' in results:
        results['gt_masks'] = _moved_masks(results['gt_masks'], moves)
    if 'gt_seg_map' in results:
        label_map = results['gt_seg_map']
        for move in moves:
            results['gt_seg_map'] = ops.move_mask(results['gt_seg_map'], move, results.get('ignore_index', 255))
        results['gt_seg_map'] = results['gt_seg_map'].astype(label_map.dtype, copy=False)  # OpenCV has few types
    for move in moves:
        if move.region is None:
            before = results.get('homography_matrix', np.eye(3, dtype=np.float32))
            results['homography_matrix'] = (ops.homography(move) @ before).astype(np.float32)


def _moved_masks(masks: object, moves: list[ops.Move]) -> object:
    """MMDetection's instance masks, moved.

    Polygons stay what they are where the whole image moves, and become bitmaps where a move within a box can cut them.
    """
    if hasattr(masks, 'to_bitmap') and all(move.region is None for move in moves):
        linear, offset = np.eye(2), np.zeros(2)
        for move in moves:
            matrix = ops.homography(move)[:2]
            linear, offset = matrix[:, :2] @ linear, matrix[:, :2] @ offset + matrix[:, 2]
        polygons = [
            [(np.reshape(part, (-1, 2)) @ linear.T + offset).reshape(-1) for part in parts] for parts in masks.masks
        ]
        return type(masks)(polygons, masks.height, masks.width)
    bitmaps = masks.to_bitmap() if hasattr(masks, 'to_bitmap') else masks
    bitmaps = copy.copy(bitmaps)
    layers = []
    for layer in bitmaps.masks.astype(np.uint8, copy=False):  # polygons come as booleans
        for move in moves:
            layer = ops.move_mask(layer, move)
        layers.append(layer)
    bitmaps.masks = np.stack(layers) if layers else bitmaps.masks
    return bitmaps
