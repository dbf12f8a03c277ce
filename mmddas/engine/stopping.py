"""End a search between two iterations on Ctrl-C, SIGTERM and failures."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType

from mmengine.logging import print_log
from mmengine.runner import Runner

from .checkpoints import save_now

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# What follows a signal sooner comes from the same event: a launcher passes on what all its processes have got.
SAME_EVENT_SECONDS = 1.0


class Stopping:
    """The decision to end a search after the current step, on all processes at once.

    Within the ``with`` block the first Ctrl-C or SIGTERM is only noted; a later one acts as it would without the block.
    Other processes may be waiting in the step for this one: all learn of it in the step's message, and end together.

    A signal that is ignored stays so (the shell has background jobs ignore Ctrl-C), and outside the main thread, where
    Python handles no signals, nothing is noted.
    """

    def __init__(self) -> None:
        self.agreed = False  # with all processes, in the last step
        self._received: int | None = None
        self._before: dict = {}

    def __enter__(self) -> Stopping:
        self._received, self._process = None, os.getpid()
        if threading.current_thread() is threading.main_thread():
            noted = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._note) for number in noted}
        return self

    def __exit__(self, *error) -> None:
        while self._before:
            signal.signal(*self._before.popitem())

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._received is None:
            self._received, self._first = number, now
        elif now - self._first > SAME_EVENT_SECONDS or os.getpid() != self._process:
            self.__exit__()
            os.kill(os.getpid(), number)

    @property
    def told(self) -> bool:
        """Return whether this process has received a signal."""
        return self._received is not None

    def end_if_agreed(self, runner: Runner, failure: Exception | None) -> None:
        """Where any process has to stop, save a checkpoint, and end as signals do, or raise this process's failure."""
        if not self.agreed:
            return
        path = save_now(runner)
        why = '' if self.told or failure else ' because another process stopped, whose messages say why'
        print_log(f'Stopped after iteration {runner.iter}{why}. {path} is saved; --resume continues from it', 'current')
        if failure is not None:
            raise failure
        raise SystemExit(128 + (self._received or signal.SIGTERM))
