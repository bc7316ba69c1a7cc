"""StopRequest: SIGTERM and Ctrl-C as a wish that the loop fulfils between two steps."""

import signal


class StopRequest:
    """Context in which SIGINT and SIGTERM set `requested`; a second SIGINT interrupts at once.

    Outside the main thread, where Python allows no signal handlers, nothing is caught.
    """

    def __init__(self):
        self.requested = False
        self._previous = {}

    def __enter__(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._previous[number] = signal.signal(number, self._handle)
            except ValueError:
                break
        return self

    def __exit__(self, *exception):
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number, frame):
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt()
        self.requested = True
