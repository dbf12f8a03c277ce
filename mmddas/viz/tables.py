"""Tables for the terminal and the log, laid out by Rich."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text


def text_table(rows: Sequence[Sequence[str]], left: int = 1, indent: int = 0) -> str:
    """Lay out rows of cells as plain text: the first ``left`` columns flush left, the others flush right.

    Lines are as long as they need to be, so that logs and files hold all columns.
    """
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for column in range(len(rows[0])):
        table.add_column(justify='left' if column < left else 'right', no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(file=io.StringIO(), width=10_000, color_system=None)
    console.print(Padding(table, (0, 0, 0, indent)))
    return '\n'.join(line.rstrip() for line in console.file.getvalue().splitlines())
