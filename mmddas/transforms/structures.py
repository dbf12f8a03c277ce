"""The images, boxes and masks in the nested inputs of a transform, found and replaced."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from mmddas import ops

PER_BOX_KEYS = (
    *('labels', 'label', 'masks', 'area', 'iscrowd', 'scores', 'id', 'ids'),
    *('category', 'categories', 'category_id', 'category_ids', 'difficult', 'truncated'),
)
"""Keys under which data sets keep one entry a box."""

_HORIZONTAL = ('XYXY', 'XYWH', 'CXCYWH')
_UNMOVABLE = ('keypoints', 'gt_keypoints', 'segmentation')
_MASKS = ('masks', 'mask')
_OTHER_BOXES = ('bboxes', 'gt_bboxes')  # of which the format is not known
_Path = tuple
_IMAGES = 'a PIL image, a uint8 array (H, W, 3) or a uint8 tensor (3, H, W)'


def _kind(value: object, module: str, name: str) -> bool:
    """Return whether it is of a class of a package that need not be installed: not if nobody has imported it."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(value, kind)


def _is_pil(value: object) -> bool:
    return _kind(value, 'PIL.Image', 'Image')


def _is_tv(value: object, name: str) -> bool:
    return _kind(value, 'torchvision.tv_tensors', name)


# Own code: ``torch.utils._pytree`` is private, takes subclasses of dict and other mappings for leaves, and does not
# replace a container as a whole.
def _leaves(node: object, path: _Path = ()) -> Iterator[tuple[_Path, object]]:
    """Yield all that is no container, with its place, in order. Lists of numbers are leaves."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(node, (list, tuple)) and not _is_numbers(node):
        for number, value in enumerate(node):
            yield from _leaves(value, (*path, number))
    else:
        yield path, node


def _is_numbers(node: object) -> bool:
    """Return whether it is a list of numbers, or of lists of them."""
    listed = isinstance(node, (list, tuple)) and len(node) > 0
    return listed and all(isinstance(part, (int, float)) or _is_numbers(part) for part in node)


def _key(path: _Path) -> object:
    """Return the last key on the way to a place, whatever lists there are within."""
    return next((step for step in reversed(path) if not isinstance(step, int)), None)


def _at(node: object, path: _Path) -> object:
    for step in path:
        node = node[step]
    return node


def _replaced(node: object, values: dict[_Path, object], path: _Path = ()) -> object:
    """Copy the containers, with other values at some places."""
    if path in values:
        return values[path]
    if isinstance(node, Mapping):
        parts = {key: _replaced(value, values, (*path, key)) for key, value in node.items()}
        if type(node) is dict or not isinstance(node, dict):
            return type(node)(parts)
        copied = copy.copy(node)  # which may be made in ways of its own, as a defaultdict is
        copied.update(parts)
        return copied
    if isinstance(node, (list, tuple)) and not _is_numbers(node):
        parts = [_replaced(value, values, (*path, number)) for number, value in enumerate(node)]
        return type(node)(*parts) if hasattr(node, '_fields') else type(node)(parts)
    return node


class Sample:
    """The inputs of a call: where image, boxes and masks are.

    Args:
        given: Any nesting of dicts, lists and tuples.
        box_formats: Keys of plain boxes, and their formats.
        per_box_keys: Keys, beside boxes, of what has one entry a box.

    Attributes:
        boxes: ``(N, 4)`` float32, x1, y1, x2, y2; None where there are none.

    Raises:
        TypeError, ValueError: see :class:`~mmddas.transforms.PolicyTransform`.
    """

    def __init__(self, given: object, box_formats: Mapping[str, str], per_box_keys: Sequence[str]) -> None:
        self.given = given
        self._leaves = dict(_leaves(given))
        self._image_path = self._find_image()
        self._check_image()
        self._channel_order = 'rgb'
        self._box_path, self._format = self._find_boxes(box_formats)
        self.boxes = None if self._box_path is None else self._read_boxes()
        self._per_box = self._find_per_box(per_box_keys)
        self._masks = [path for path, value in self._leaves.items() if _is_tv(value, 'Mask') or self._is_mask(path)]

    def _find_image(self) -> _Path:
        sure = [p for p, value in self._leaves.items() if _is_pil(value) or _is_tv(value, 'Image')]
        if len(sure) > 1:
            raise TypeError(f'PolicyTransform takes one image a call, found {len(sure)}, at {_places(sure)}')
        if any(_is_tv(value, 'Video') for value in self._leaves.values()):
            raise TypeError(f'PolicyTransform cannot augment videos: it takes {_IMAGES}')
        if sure:
            return sure[0]
        # As torchvision has it: the first plain tensor is the image, others pass through.
        for path, value in self._leaves.items():
            if isinstance(value, (Tensor, np.ndarray)) and not self._is_annotation(path, value):
                return path
        kinds = sorted({type(value).__name__ for value in self._leaves.values()})
        raise TypeError(f'PolicyTransform found no image among {kinds}: it takes {_IMAGES}')

    def _is_annotation(self, path: _Path, value: object) -> bool:
        names = ('BoundingBoxes', 'Mask', 'KeyPoints')
        return any(_is_tv(value, name) for name in names) or _key(path) in _MASKS or value.ndim < 3 and len(path) > 0

    def _is_mask(self, path: _Path) -> bool:
        """Return whether plain numbers are masks of the image, by their key."""
        value = self._leaves[path]
        if _key(path) not in _MASKS or not isinstance(value, (Tensor, np.ndarray)) or value.ndim < 2:
            return False
        height, width = self._size()
        if tuple(value.shape[-2:]) != (height, width):
            raise ValueError(
                f'{_places([path])} has the shape {tuple(value.shape)}, and the image {height}x{width} pixels: masks '
                'must be (N, H, W), label maps (H, W)'
            )
        return True

    def _size(self) -> tuple[int, int]:
        """Return the image's height and width."""
        value = self._leaves[self._image_path]
        if _is_pil(value):
            return value.height, value.width
        return tuple(value.shape[:2] if isinstance(value, np.ndarray) else value.shape[-2:])

    def _find_boxes(self, box_formats: Mapping[str, str]) -> tuple[_Path | None, str]:
        found = []
        for path, value in self._leaves.items():
            if any(key in box_formats and isinstance(place, int) for key, place in zip(path, path[1:], strict=False)):
                raise TypeError(
                    f'boxes must be a tensor, an array or lists of numbers (N, 4), found {type(value).__name__} at '
                    f'{_places([path])}'
                )
            if _is_tv(value, 'BoundingBoxes'):
                found.append((path, value.format.name))
            elif path and path[-1] in box_formats and path != self._image_path:
                found.append((path, box_formats[path[-1]].upper()))
        if len(found) > 1:
            raise TypeError(
                f'PolicyTransform takes one set of boxes a call, found {len(found)}, at '
                f'{_places([path for path, _ in found])}'
            )
        if found and found[0][1] not in _HORIZONTAL:
            raise TypeError(
                f'PolicyTransform moves horizontal boxes ({", ".join(_HORIZONTAL)}), found boxes of the format '
                f'{found[0][1]} at {_places([found[0][0]])}: convert them with torchvision.transforms.v2'
            )
        return found[0] if found else (None, '')

    def _read_boxes(self) -> np.ndarray:
        values, place = _array(self._leaves[self._box_path]), _places([self._box_path])
        if not values.size:
            return np.zeros((0, 4), np.float32)
        if values.ndim != 2 or values.shape[1] != 4 or values.dtype.kind not in 'iuf':
            raise ValueError(f'boxes at {place} must be numbers (N, 4), found {values.dtype} {values.shape}')
        bad = next((box for box in values.tolist() if not all(map(math.isfinite, box))), None)
        if bad is not None:
            raise ValueError(f'a box at {place} is not made of finite numbers: {bad}')
        return _to_corners(values.astype(np.float32), self._format)

    def _find_per_box(self, per_box_keys: Sequence[str]) -> list[_Path]:
        """Find the places with one entry per box, in the dict that holds the boxes."""
        if self._box_path is None:
            return []
        *around, _ = self._box_path
        holder = _at(self.given, around)
        number = len(self.boxes)
        if not isinstance(holder, Mapping):
            self._check_nothing_beside_boxes({(*around, index): value for index, value in enumerate(holder)})
            return []
        found = []
        for key, value in holder.items():
            path = (*around, key)
            if path in (self._box_path, self._image_path):
                continue
            if key in per_box_keys and _length(value) is not None or _is_tv(value, 'Mask') and value.ndim == 3:
                if _length(value) == number:
                    found.append(path)
                elif key in per_box_keys:
                    raise ValueError(
                        f'{_places([path])} has {_length(value)} entries, and there are {number} boxes: give one entry '
                        'for each box, or leave its key out of per_box_keys'
                    )
        return found

    def _check_nothing_beside_boxes(self, parts: dict[_Path, object]) -> None:
        """Raise ValueError where boxes that are in no dict have company of as many entries, which could not leave."""
        number, known = len(self.boxes), (self._image_path, self._box_path)
        beside = [
            path
            for path, value in (self._leaves | parts).items()  # lists of strings are no leaves
            if _length(value) == number and not any(place[: len(path)] == path for place in known)
        ]
        if beside and number:
            raise ValueError(
                f'boxes at {_places([self._box_path])} have {number} entries, and so has what is at {_places(beside)}: '
                'put boxes and what belongs to them into one dict, dict(boxes=..., labels=...), so that they can leave '
                'together'
            )

    def image(self, channel_order: str) -> np.ndarray:
        """Return ``(H, W, 3)`` uint8, a copy in ``channel_order``, which arrays and tensors have; PIL's is RGB."""
        value, self._channel_order = self._leaves[self._image_path], channel_order
        if _is_pil(value):
            array = np.array(value)
            return array if channel_order == 'rgb' else np.ascontiguousarray(array[..., ::-1])
        if isinstance(value, np.ndarray):
            return np.ascontiguousarray(value)
        planes = np.ascontiguousarray(_array(value))
        return cv2.merge(tuple(planes))  # many times faster than a copy with exchanged axes

    def _check_image(self) -> None:
        """Raise ValueError for an image of another kind, also where the policy would leave it as it is."""
        value = self._leaves[self._image_path]
        if _is_pil(value):
            if value.mode != 'RGB':
                raise ValueError(f"expected a PIL image of mode RGB, found {value.mode}: image.convert('RGB')")
            return
        size = 2 if isinstance(value, np.ndarray) else 0
        if value.dtype not in (np.uint8, torch.uint8) or value.ndim != 3 or value.shape[size] != 3:
            advice = 'put PolicyTransform before transforms that make floats of it (ToTensor, ToDtype, Normalize, ...)'
            if value.dtype in (np.uint8, torch.uint8):
                advice = 'it takes one image at a time, in colour'
            raise ValueError(f'expected {_IMAGES}, found {value.dtype} {tuple(value.shape)}; {advice}')
        if 0 in value.shape:
            raise ValueError(f'the image has no pixels: shape {tuple(value.shape)}')

    def check_operation(self, name: str) -> None:
        """Raise TypeError for an operation that would leave keypoints or polygons behind."""
        if ops.get(name).kind != 'affine':
            return
        for path, value in self._leaves.items():
            if _key(path) in _OTHER_BOXES and path != self._box_path and _length(value):
                raise TypeError(
                    f"boxes at {_places([path])} would stay where they are: box_formats={{{_key(path)!r}: 'xyxy'}} (or "
                    "'xywh', 'cxcywh') says that they are boxes, and which"
                )
            polygons = any(step in _MASKS for step in path) and isinstance(value, (list, tuple))
            if _is_tv(value, 'KeyPoints') or polygons or any(step in _UNMOVABLE for step in path):
                raise TypeError(
                    f'{name} would leave keypoints or polygons (at {_places([path])}) behind: leave them out, make '
                    'masks of polygons, or use a policy without operations that move pixels'
                )

    def changed(
        self,
        image: np.ndarray,
        boxes: np.ndarray | None,
        kept: np.ndarray | None,
        follow: Callable[[np.ndarray, int], np.ndarray],
        mask_fill: int,
    ) -> object:
        """Return the structure with another image, and all that has followed it.

        Args:
            image: As :meth:`image` gives it.
            boxes: ``(N, 4)``, moved.
            kept: Which boxes stay, ``(N,)``; None: none has moved.
            follow: Moves a layer ``(H, W)``; its second argument fills what was left.
            mask_fill: That of label maps.
        """
        values = {self._image_path: self._image_like(image)}
        for path in self._masks:
            per_box = _key(path) == 'masks' or any(path[: len(place)] == place for place in self._per_box)
            values[path] = _moved_layers(self._leaves[path], follow, 0 if per_box else mask_fill)
        if kept is not None:
            values[self._box_path] = self._boxes_like(boxes[kept], image.shape[:2])
            for path in self._per_box:
                within = {place[len(path) :]: value for place, value in values.items() if place[: len(path)] == path}
                values[path] = _selected(_replaced(_at(self.given, path), within), kept)
        return _replaced(self.given, values)

    def _image_like(self, image: np.ndarray) -> object:
        value = self._leaves[self._image_path]
        if _is_pil(value):
            rgb = image if self._channel_order == 'rgb' else np.ascontiguousarray(image[..., ::-1])
            return sys.modules['PIL.Image'].fromarray(rgb)
        if isinstance(value, np.ndarray):
            return image
        return _like(torch.from_numpy(np.stack(cv2.split(image))), value)

    def _boxes_like(self, corners: np.ndarray, size: tuple[int, int]) -> object:
        value = self._leaves[self._box_path]
        found = _from_corners(corners, self._format)
        if isinstance(value, Tensor):
            whole = not value.dtype.is_floating_point
            tensor = torch.from_numpy(found.round() if whole else found).to(value.dtype)
            return _like(tensor, value, canvas_size=size)
        if isinstance(value, np.ndarray):
            return (found.round() if value.dtype.kind in 'iu' else found).astype(value.dtype)
        whole = all(isinstance(number, int) for box in value for number in box)
        rows = found.round().astype(int).tolist() if whole else found.tolist()
        return type(value)(type(value[0])(row) for row in rows) if rows else type(value)()


def _to_corners(boxes: np.ndarray, box_format: str) -> np.ndarray:
    if box_format == 'XYXY':
        return boxes
    first, size = boxes[:, :2], boxes[:, 2:]
    first = first - size / 2 if box_format == 'CXCYWH' else first
    return np.concatenate([first, first + size], axis=1)


def _from_corners(corners: np.ndarray, box_format: str) -> np.ndarray:
    if box_format == 'XYXY':
        return corners
    size = corners[:, 2:] - corners[:, :2]
    first = (corners[:, :2] + corners[:, 2:]) / 2 if box_format == 'CXCYWH' else corners[:, :2]
    return np.concatenate([first, size], axis=1)


def _array(value: object) -> np.ndarray:
    return value.detach().cpu().as_subclass(Tensor).numpy() if isinstance(value, Tensor) else np.asarray(value)


def _like(tensor: Tensor, value: Tensor, **settings) -> Tensor:
    """Return a tensor on the device of ``value``, as a plain one or as one of torchvision's, whatever that is."""
    tensor, module = tensor.to(value.device), sys.modules.get('torchvision.tv_tensors')
    return tensor if type(value) is Tensor or module is None else module.wrap(tensor, like=value, **settings)


def _length(value: object) -> int | None:
    """Count the entries; None where there are none to count."""
    if isinstance(value, (Tensor, np.ndarray)):
        return len(value) if value.ndim else None
    return len(value) if isinstance(value, (list, tuple)) else None


def _selected(value: object, kept: np.ndarray) -> object:
    if isinstance(value, Tensor):
        return _like(value.as_subclass(Tensor)[torch.from_numpy(kept).to(value.device)], value)
    if isinstance(value, np.ndarray):
        return value[kept]
    return type(value)(entry for entry, keep in zip(value, kept.tolist(), strict=True) if keep)


def _moved_layers(value: object, follow: Callable[[np.ndarray, int], np.ndarray], fill: int) -> object:
    """Move each layer of masks ``(..., H, W)``, which keep their type and number type."""
    array = _array(value)
    # OpenCV has few types; labels of 64 bits fit into 32. What is true or false has no number for what is neither.
    small, fill = (array.astype(np.uint8), 0) if array.dtype == bool else (array, fill)
    small = small.astype(np.int32) if small.dtype in (np.int64, np.uint32, np.uint64) else small
    layers = [follow(np.ascontiguousarray(layer), fill) for layer in small.reshape(-1, *small.shape[-2:])]
    moved = np.stack(layers).reshape(array.shape).astype(array.dtype) if layers else array
    return _like(torch.from_numpy(moved), value) if isinstance(value, Tensor) else moved


def _places(paths: Sequence[_Path]) -> str:
    """Name places as a user would write them."""
    return ' and '.join('inputs' + ''.join(f'[{step!r}]' for step in path) for path in paths)
