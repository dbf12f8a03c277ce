"""Show a progress bar in a terminal, below the lines of the log; nothing in a file or a pipe."""

from __future__ import annotations

import atexit
import logging
import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """A progress bar. Printed and logged lines appear above it.

    Args:
        total: The number of steps.
        unit: Their name.
        done: The number of steps made before.
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
        """Whether the bar is shown: there is a terminal."""
        return self._progress is not None

    def advance(self, note: str = '') -> None:
        """Advance by one step; ``note`` is shown after the time left."""
        if self._progress is not None:
            self._progress.update(self._task, note=note, advance=1)

    def stop(self) -> None:
        """Remove the bar. Calling it again does nothing."""
        if self._progress is None:
            return
        for handler, stream in self._streams:
            handler.stream = stream
        self._progress.stop()
        self._progress = None
        atexit.unregister(self.stop)


def _handlers_to(stream: object) -> list[logging.StreamHandler]:
    """Find the handlers of all loggers that write to ``stream``; MMEngine's are not in Python's own list."""
    from mmengine.logging import MMLogger

    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values(), *MMLogger._instance_dict.values()]
    handlers = {handler for logger in loggers for handler in getattr(logger, 'handlers', ())}
    return [handler for handler in handlers if getattr(handler, 'stream', None) is stream]
