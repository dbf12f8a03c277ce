"""The transform that applies a policy to a sample of a pipeline, with its boxes, masks and label map."""

from __future__ import annotations

import copy
import os
import random
import warnings
from collections.abc import Iterable

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import avoid_cache_randomness
from mmengine.registry import TRANSFORMS, DefaultScope

from mmddas import ops
from mmddas.core import Candidate, ListedOperation, PolicySchedule
from mmddas.transforms import AppliedPolicy

from .polygons import clipped, traced
from .samples import check_sample

# Keys under which MMDetection keeps one entry a box.
PER_BOX_KEYS = ('gt_bboxes_labels', 'gt_ignore_flags', 'gt_instances_ids')
# Keys of annotations that have places in the image and cannot be moved here.
REFUSED_KEYS = (
    *('gt_keypoints', 'keypoints', 'proposals', 'gt_panoptic_seg'),
    *('lines', 'lines_array', 'line_endpoints'),  # of MMDetection's lanes
)


def global_generator() -> np.random.Generator:
    """Return a generator of NumPy's global stream: nothing to seed, which takes 0.1 ms in a worker."""
    return np.random.Generator(np.random.get_bit_generator())


@TRANSFORMS.register_module()
@avoid_cache_randomness
class DDASAugment(AppliedPolicy, BaseTransform):
    """Augment an image and its boxes, masks and label map by a searched policy.

    With probability p_tp of the current epoch an image gets N_o candidates drawn from p_o of that epoch; or, of a
    policy made of listed sub-policies, one of these, each of its operations with the probability listed.
    The epoch comes from :class:`~mmddas.engine.PolicyScheduleHook`. In a search the transform only marks the
    place in the pipeline where :class:`~mmddas.engine.DDASSearchLoop` applies its sub-policies, and needs no
    policy.

    Boxes that leave the image, or keep less than ``min_box_size``, are dropped with all that belongs to them;
    the image stays, even without any box. (Within a MultiImageMixDataset, which cannot take another sample where its
    later transforms reject one without boxes, the hook has such a sample stay clean.)

    Required Keys: ``img`` ``(H, W, 3)``, BGR or as ``channel_order`` says, of uint8, or of its values in another type,
    which it keeps (``to_float32=True``).
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
            (MMPretrain's CIFAR10, ...) have it; a property of the data, so that no policy carries it. None: ``'bgr'``,
            with a warning where it looks wrong.

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

    no_policy = (
        "give it one, dict(type='DDASAugment', policy='policy.json'), or name it in the config, "
        "policy_file='policy.json', beside custom_hooks=[dict(type='PolicyScheduleHook')]"
    )
    no_epoch = "Add dict(type='PolicyScheduleHook') to custom_hooks."

    def __init__(
        self,
        policy: str | os.PathLike | dict | PolicySchedule | None = None,
        box_prob: float | None = None,
        interpolation: str | None = None,
        reference_size: int | None = None,
        min_box_size: float = 1.0,
        channel_order: str | None = None,
    ) -> None:
        super().__init__(policy, box_prob, interpolation, reference_size, min_box_size, channel_order or 'bgr')
        self._doubts_order = channel_order is None and _scope() == 'mmpretrain'
        # Whether a sample that would lose all its boxes stays as it is: for data sets that cannot take another one.
        self.keeps_some_box = False

    def default_space(self) -> str | None:
        """Return the detectors' space; None for a classifier, whose space depends on the size of its images."""
        return None if _scope() == 'mmpretrain' else 'detection'

    def check(self, results: dict) -> None:
        """Raise an error unless operations can work on a sample; warn, once, of channels in the other order."""
        check_sample(results)
        if self._doubts_order and 'img_path' not in results:
            self._doubts_order = False
            warnings.warn(
                'DDASAugment takes the channels of an image for BGR, and these images come from no file: data sets '
                "that bring their images (CIFAR10, ...) have them as RGB. Say dict(type='DDASAugment', "
                "channel_order='rgb'), or 'bgr'",
                stacklevel=2,
            )

    def transform(self, results: dict) -> dict:
        try:
            self.check(results)
        except ValueError as error:
            raise ValueError(f'{results.get("img_path", "a sample")}: {error}') from error
        # Python's stream, since operations take as many numbers from NumPy's as they need: every place in it gets its
        # share of p_tp.
        chosen = self.chosen(random.random, global_generator)
        if chosen is None:
            return results
        clean = dict(results)
        augmented = self.augment(results, *chosen)
        if self.keeps_some_box and len(clean.get('gt_bboxes', ())) and not len(augmented['gt_bboxes']):
            return clean
        return augmented

    def shown(self, image: np.ndarray) -> np.ndarray:
        """Return an image that :meth:`check` has passed as files have it: BGR, uint8."""
        return self.bgr(image.astype(np.uint8, copy=False))

    def augment(
        self, results: dict, sub_policy: Iterable[Candidate | ListedOperation], rng: np.random.Generator
    ) -> dict:
        """Apply one sub-policy to a sample that :meth:`check` has passed; its entries are replaced, its arrays kept."""
        boxes, horizontal = boxes_as_array(results.get('gt_bboxes'))

        def check(name: str) -> None:
            if not horizontal:
                _check_leaves_boxes(name, results['gt_bboxes'], boxes)

        given = results['img']
        image = given.astype(np.uint8, copy=False)  # its values fit: `check`
        changed, moved, moves = self.apply(image, boxes, sub_policy, rng, check)
        results['img'] = given if changed is image else changed.astype(given.dtype, copy=False)
        results['img_shape'] = results['img'].shape[:2]
        if moves:
            _check_loaded(results)
            _move_annotations(results, moves)
            if 'gt_bboxes' in results and any(move.region is None for move in moves):
                _replace_boxes(results, moved, self.kept(moved))
        return results


def _scope() -> str | None:
    scope = DefaultScope.get_current_instance()
    return None if scope is None else scope.scope_name


def _check_loaded(results: dict) -> None:
    """Raise ValueError where pixels have moved and annotations, loaded afterwards, would stay where they are."""
    loaded = any(key in results for key in ('gt_bboxes', 'gt_masks', 'gt_seg_map'))
    if not loaded and any('bbox' in instance for instance in results.get('instances') or ()):
        raise ValueError(
            'DDASAugment moves pixels, and the boxes of the image are not loaded yet, so that they would stay where '
            'they were: put it behind LoadAnnotations in the pipeline'
        )


def boxes_as_array(boxes: object) -> tuple[np.ndarray | None, bool]:
    """Return boxes as ``(N, 4)`` xyxy, and whether they are horizontal.

    Of MMDetection's other boxes it returns those around them, or None where they cannot be converted.
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
    """Raise TypeError for an operation that would move boxes that are not horizontal, or look at unknown ones."""
    operation = ops.get(name)
    looks_at_boxes = operation.per_box or operation.kind == 'patch'
    if operation.kind == 'affine' or looks_at_boxes and around is None:
        raise TypeError(
            f'DDASAugment cannot apply {name} to {type(boxes).__name__}: it moves horizontal boxes (x1, y1, x2, y2) '
            'only. Convert them, or leave the operations that move pixels (Rotate, Translate, Shear, Flip) out'
        )


def _replace_boxes(results: dict, boxes: np.ndarray, keep: np.ndarray) -> None:
    old = results['gt_bboxes']
    results['gt_bboxes'] = boxes[keep] if isinstance(old, np.ndarray) else type(old)(boxes[keep], dtype=old.dtype)
    for key in PER_BOX_KEYS:
        if key in results:
            results[key] = results[key][keep]
    if 'gt_masks' in results:
        results['gt_masks'] = results['gt_masks'][keep]


def _move_annotations(results: dict, moves: list[ops.Move]) -> None:
    """Move masks, label map and homography with the pixels."""
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
        moved = ops.move_mask(label_map, *moves, fill=results.get('ignore_index', 255))
        results['gt_seg_map'] = moved.astype(label_map.dtype, copy=False)  # OpenCV has few types
    for move in moves:
        if move.region is None:
            before = results.get('homography_matrix', np.eye(3, dtype=np.float32))
            results['homography_matrix'] = (ops.homography(move) @ before).astype(np.float32)


def _moved_masks(masks: object, moves: list[ops.Move]) -> object:
    """Move MMDetection's instance masks, and cut off all that leaves the image.

    Polygons stay polygons, as transforms want that put masks of several samples together. Where a move within a box can
    cut them they are drawn, moved, and traced again.
    """
    polygons = hasattr(masks, 'to_bitmap')
    if polygons and all(move.region is None for move in moves):
        objects = [[_moved_polygon(part, moves, masks.width, masks.height) for part in parts] for parts in masks.masks]
        return _polygons(masks, objects)
    bitmaps = masks.to_bitmap() if polygons else copy.copy(masks)
    given = bitmaps.masks.astype(np.uint8, copy=False)  # polygons come as booleans
    layers = [ops.move_mask(layer, *moves) for layer in given]
    if polygons:
        return _polygons(masks, map(traced, layers))
    bitmaps.masks = np.stack(layers) if layers else bitmaps.masks
    return bitmaps


def _moved_polygon(part: np.ndarray, moves: list[ops.Move], width: int, height: int) -> np.ndarray:
    points = np.reshape(part, (-1, 2))
    for move in moves:
        matrix = ops.homography(move)[:2]
        points = clipped(points @ matrix[:, :2].T + matrix[:, 2], width, height)
    return points.reshape(-1)


def _polygons(masks: object, objects: Iterable[list[np.ndarray]]) -> object:
    """Return MMDetection's polygons, with a point where nothing is left of an object."""
    found = [[part for part in parts if len(part) >= 6] or [np.zeros(6)] for parts in objects]
    return type(masks)(found, masks.height, masks.width)
