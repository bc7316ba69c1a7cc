"""Processes: starts the processes of a run on this server, watches them, and stops all if one fails."""

import os
import shlex
import signal
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from hourglass_pose.errors import LaunchError
from hourglass_pose.launch.plan import Process
from hourglass_pose.runtime.host_channel import LOST_RANK

_LOOK_SECONDS = 0.1
_LAST_LINES = 20

# A process that ends because it lost another one often ends before that one does.
_CAUSE_SECONDS = 10

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Processes:
    """Starts the processes of a Plan and waits for them, and prints the log of the first one meanwhile.

    Args:
        processes: those of the Plan.
        stop_seconds: how long the others may take to end after one has failed.
        show: function that shows a line.
    """

    def __init__(
        self, processes: Sequence[Process], stop_seconds: float = 60, show: Callable[[str], Any] = print
    ) -> None:
        self.processes = processes
        self.stop_seconds = stop_seconds
        self.show = show
        self.stopped_by: Optional[int] = None
        """Number of the first signal that requested a stop, or None."""
        self._running: Dict[int, subprocess.Popen] = {}
        self._failures: List[Tuple[Process, int]] = []
        self._stop_at: Optional[float] = None
        self._kill_at: Optional[float] = None
        self._signals: List[int] = []
        self._shown = 0

    def run(self) -> int:
        """Return 0 if all succeeded, otherwise the exit code of the first that failed (128 + number for a signal).

        Processes that ended because another one did count as failed only if there is no other failure.
        Ctrl-C, SIGTERM and SIGHUP are passed on as SIGTERM, upon which a training process writes a checkpoint and ends;
        the second Ctrl-C kills. Raises LaunchError where a process cannot be started.
        """
        # A handler may interrupt a print, so it only notes the signal.
        previous = {
            number: signal.signal(number, lambda number, frame: self._signals.append(number))
            for number in _SIGNALS
            if not _is_for_nohup(number)
        }
        try:
            for process in self.processes:
                if not self._signals:
                    self._start(process)
            while self._running:
                self._pass_on_signals()
                time.sleep(_LOOK_SECONDS)
                self._look()
            self._pass_on_signals()
        finally:
            self._signal_all(signal.SIGKILL)
            self._show_log()
            for number, handler in previous.items():
                signal.signal(number, handler)
        return self._report_failure()

    def _start(self, process: Process) -> None:
        try:
            for folder in (process.folder, os.path.dirname(process.log)):
                os.makedirs(folder, exist_ok=True)
            if os.path.exists(process.log):
                os.replace(process.log, f'{process.log}.previous')
            with open(process.log, 'wb') as log:
                log.write(f'command: {" ".join(map(shlex.quote, process.command))}\n'.encode())
                log.flush()
                # In its own session: Ctrl-C reaches the launcher alone, which passes it on.
                self._running[process.rank] = subprocess.Popen(
                    process.command,
                    cwd=process.folder,
                    env=dict(os.environ, **process.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise LaunchError(
                f'rank {process.rank} cannot be started: {error.filename or process.command[0]} ({error.strerror})'
            )
        self.show(f'{process.name}: process {self._running[process.rank].pid}, log {process.log}')

    def _look(self) -> None:
        """Note the processes that have ended, and end the others where one failed."""
        for process in self.processes:
            code = self._running[process.rank].poll() if process.rank in self._running else None
            if code is not None:
                ended = self._running.pop(process.rank)
                if code:
                    # It may have left compilers of operations running.
                    _kill_group(ended)
                # Ended by our own SIGTERM, before its handler was installed or after it was removed.
                if code and not (code == -signal.SIGTERM and (self.stopped_by or self._kill_at)):
                    self._note_failure(process, 128 - code if code < 0 else code)
        self._show_log()
        now = time.monotonic()
        if self._stop_at is not None and self._running and now >= self._stop_at:
            self.show(f'stopping the other {len(self._running)} processes')
            self._stop_at, self._kill_at = None, now + self.stop_seconds
            self._signal_all(signal.SIGTERM)
        if self._kill_at is not None and self._running and now >= self._kill_at:
            self.show(f'killed after {self.stop_seconds:g} s: rank {", ".join(map(str, self._running))}')
            self._kill_at = float('inf')
            self._signal_all(signal.SIGKILL)

    def _note_failure(self, process: Process, code: int) -> None:
        self.show(
            f'{process.name} ended with exit code {code}{", because it lost another one" if code == LOST_RANK else ""}'
        )
        self._failures.append((process, code))
        if self._kill_at is None:
            wait = _CAUSE_SECONDS if code == LOST_RANK else 0
            self._stop_at = min(self._stop_at or float('inf'), time.monotonic() + wait)

    def _report_failure(self) -> int:
        """Show the last lines of the process that failed first and return its exit code, 0 where none has failed."""
        if not self._failures:
            return 0
        process, code = next((failure for failure in self._failures if failure[1] != LOST_RANK), self._failures[0])
        self.show(f'error: {process.name} failed with exit code {code}; the last lines of {process.log}:')
        for line in last_lines(process.log):
            self.show(f'  {line}')
        return code

    def _pass_on_signals(self) -> None:
        """Ask the processes to stop at the first signal, and kill them at a further Ctrl-C."""
        while self._signals:
            number = self._signals.pop(0)
            if self.stopped_by is None:
                self.stopped_by = number
                self.show(
                    f'stopping {len(self._running)} processes: each ends its step, and a checkpoint is written; '
                    'Ctrl-C again kills them'
                )
                self._signal_all(signal.SIGTERM)
            elif number == signal.SIGINT:
                self._signal_all(signal.SIGKILL)

    def _signal_all(self, number: int) -> None:
        for started in list(self._running.values()):
            if number == signal.SIGKILL:
                _kill_group(started)
            else:
                started.send_signal(number)

    def _show_log(self) -> None:
        """Show what the first process has written since the last call."""
        try:
            with open(self.processes[0].log, 'rb') as log:
                log.seek(self._shown)
                new = log.read()
        except OSError:
            return
        # Only whole lines, so that the launcher's own lines do not split them.
        new = new[: new.rfind(b'\n') + 1]
        self._shown += len(new)
        sys.stdout.write(new.decode('utf-8', 'replace'))
        sys.stdout.flush()


def _kill_group(started: subprocess.Popen) -> None:
    """Kill a process and all processes that it has started."""
    try:
        os.killpg(started.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _is_for_nohup(number: int) -> bool:
    """Return whether the signal is SIGHUP and ignored: a terminal that closes does not stop what nohup has started."""
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN


def last_lines(path: str) -> List[str]:
    """Return the last lines of a text file, reading no more than its end."""
    with open(path, 'rb') as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - 200 * _LAST_LINES))
        return stream.read().decode('utf-8', 'replace').splitlines()[-_LAST_LINES:]
