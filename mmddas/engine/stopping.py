"""Ctrl-C, SIGTERM and failures, met between two iterations."""

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

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.received is None:
            self.received, self._first = number, now
        elif now - self._first > SAME_EVENT_SECONDS or os.getpid() != self._process:
            self._restore()
            os.kill(os.getpid(), number)


class Stopping:
    """Whether a search has to end after the step at hand.

    Within the ``with`` block signals are only noted. Other processes may be waiting in the step for this one, so that
    all learn of it in the step's own message, and end together.
    """

    def __init__(self) -> None:
        self.signals = StopSignals()
        self.agreed = False  # with all processes, in the last step

    def __enter__(self) -> Stopping:
        self.signals.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self.signals.__exit__(*error)

    @property
    def told(self) -> bool:
        """This process has got a signal."""
        return self.signals.received is not None

    def end_if_agreed(self, runner: Runner, failure: Exception | None) -> None:
        """Save a checkpoint and end, as signals do, or with this process's failure, where any process has to stop."""
        if not self.agreed:
            return
        path = save_now(runner)
        why = '' if self.told or failure else ', because another process did, whose messages say why'
        print_log(f'Stopped after iteration {runner.iter}{why}; {path} is saved, --resume goes on from it', 'current')
        if failure is not None:
            raise failure
        raise SystemExit(128 + (self.signals.received or signal.SIGTERM))
