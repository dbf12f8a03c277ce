"""A bar at the foot of a terminal, below the lines of the log; nothing in a file or a pipe."""

from __future__ import annotations

import atexit
import logging
import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """How far something is, for those who watch.

    What is printed or logged meanwhile appears above the bar, whole.

    Args:
        total: How many steps there are.
        unit: What they are.
        done: How many have been made before.
    """

    def __init__(self, total: int, unit: str, done: int = 0) -> None:
        self._progress, self._streams = None, []
        if not sys.stdout.isatty():
            return
        columns = (
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeRemainingColumn(),
            TextColumn('{task.fields[note]}', markup=False),
        )
        self._progress = Progress(*columns, console=Console(file=sys.stdout), transient=True)
        self._task = self._progress.add_task('', total=total, completed=done, note='')
        terminal = sys.stdout
        self._progress.start()
        # Handlers of loggers hold the terminal itself, and would write into the bar.
        for handler in _handlers_to(terminal):
            self._streams.append((handler, handler.stream))
            handler.stream = sys.stdout
        atexit.register(self.stop)

    @property
    def shown(self) -> bool:
        """Whether there is a terminal to show it in."""
        return self._progress is not None

    def advance(self, note: str = '', to: int | None = None) -> None:
        """One step more, or ``to`` so many; ``note`` is shown behind the time."""
        if self._progress is not None:
            where = dict(advance=1) if to is None else dict(completed=to)
            self._progress.update(self._task, note=note, **where)

    def stop(self) -> None:
        """Take the bar away; once is enough, more does no harm."""
        if self._progress is None:
            return
        for handler, stream in self._streams:
            handler.stream = stream
        self._progress.stop()
        self._progress = None
        atexit.unregister(self.stop)


def _handlers_to(stream: object) -> list[logging.StreamHandler]:
    """Of all loggers, MMEngine's too, which Python's own list lacks."""
    from mmengine.logging import MMLogger

    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values(), *MMLogger._instance_dict.values()]
    handlers = {handler for logger in loggers for handler in getattr(logger, 'handlers', ())}
    return [handler for handler in handlers if getattr(handler, 'stream', None) is stream]
