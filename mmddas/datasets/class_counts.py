"""Images and objects of each class in several data sets, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

_SHOWN = 8


class ClassCounts(NamedTuple):
    """Images and objects of each class.

    Args:
        classes: Their names, or None where the data set has none.
        images: How many there are.
        objects: How many of each class, by label; None where images have a label and no objects.
        images_of: How many images have each class, by label.
        without: How many images have no object.
    """

    classes: tuple[str, ...] | None
    images: int
    objects: Counter[int] | None
    images_of: Counter[int]
    without: int = 0


def class_rows(parts: Mapping[str, ClassCounts]) -> list[tuple[str, ...]]:
    """Make the header, a row per class and a row of all; most images first, of many classes the most and the fewest."""
    first = next(iter(parts.values()))
    has_objects = first.objects is not None
    known = [label for part in parts.values() for label in part.images_of]
    names = first.classes or tuple(map(str, range(1 + max(known, default=-1))))
    order = sorted(range(len(names)), key=lambda label: (-first.images_of[label], label))
    if len(order) > 2 * _SHOWN + 1:
        order = [*order[:_SHOWN], None, *order[-_SHOWN:]]
    what = ('images', 'objects') if has_objects else ('images',)
    rows = [('class', *(f'{name} {counted}' for name in parts for counted in what))]
    for label in order:
        if label is None:
            rows.append((f'... {len(names) - 2 * _SHOWN} more', *[''] * (len(rows[0]) - 1)))
            continue
        counts = [(part.images_of[label], *([part.objects[label]] if has_objects else [])) for part in parts.values()]
        rows.append((str(names[label]), *(f'{count:,}' for part in counts for count in part)))
    if has_objects:
        rows.append(('no object', *(cell for part in parts.values() for cell in (f'{part.without:,}', ''))))
    totals = [(part.images, *([sum(part.objects.values())] if has_objects else [])) for part in parts.values()]
    rows.append(('all', *(f'{total:,}' for part in totals for total in part)))
    return rows
