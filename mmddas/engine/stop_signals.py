"""Ctrl-C and SIGTERM, met between two iterations."""

from __future__ import annotations

import os
import signal
import threading
import time

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# What follows a signal sooner comes from the same event: a launcher passes on what all its processes have got.
SAME_EVENT_SECONDS = 1.0


class StopSignals:
    """Within the ``with`` block the first Ctrl-C or SIGTERM is only noted, in :attr:`received`.

    A later one does what it would have done without this. A signal that is ignored stays so (the shell has background
    jobs ignore Ctrl-C), and outside the main thread, where Python has no say in signals, nothing is noted.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict = {}

    def __enter__(self) -> StopSignals:
        self.received = None
        self._process = os.getpid()
        if threading.current_thread() is threading.main_thread():
            noted = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._note) for number in noted}
        return self

    def __exit__(self, *error) -> None:
        self._restore()

    def _restore(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())

    def _note(self, number: int, frame) -> None:
        now = time.monotonic()
        if self.received is None:
            self.received, self._first = number, now
        elif now - self._first > SAME_EVENT_SECONDS or os.getpid() != self._process:
            self._restore()
            os.kill(os.getpid(), number)
