"""StopRequest: SIGTERM and Ctrl-C as a request that the training loop meets between two steps."""

import signal
from typing import Any, Dict


class Stopped(Exception):
    """Raised when a request to stop comes during a validation."""


class StopRequest:
    """Context in which SIGINT and SIGTERM set `requested`; a second SIGINT interrupts at once.

    Outside the main thread, where Python allows no signal handlers, nothing is caught.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: Dict[int, Any] = {}

    def __enter__(self) -> 'StopRequest':
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._previous[number] = signal.signal(number, self._handle)
            except ValueError:
                break
        return self

    def __exit__(self, *exception: Any) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: Any) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt()
        self.requested = True
