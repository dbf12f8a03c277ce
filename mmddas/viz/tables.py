"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from mmddas.datasets.class_counts import ClassCounts, class_rows


def class_table(parts: Mapping[str, ClassCounts]) -> str:
    """:func:`class_rows` as indented text, columns under each other."""
    rows = class_rows(parts)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ['  '.join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]
    return '\n'.join(f'  {line}' for line in lines)
