"""FolderLock: one process at a time writes in a folder, and a killed process leaves it unlocked.

It uses the operating system's flock, which ends with the process that holds it. The `filelock` package is not suitable:
in its newest version for Python 3.7, a forked child that ends releases the lock of its parent, and a child that lives
on keeps the lock of a killed parent.
"""

import errno
import fcntl
import json
import os
import socket
import time
from typing import Any, Callable, Optional, Set

from hourglass_pose.errors import UserError
from hourglass_pose.files import parse_json, write_whole

LOCK, OWNER = '.lock', '.lock-owner.json'

_HELD_BY_ANOTHER = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK)

# Descriptors of this process's locks. They close when a program is executed, but a forked child has to close them.
_descriptors: Set[int] = set()


class FolderLock:
    """A context that holds the lock of a folder, so that no other process gets it.

    The file .lock always exists; what counts is the lock on it, which a copy of the folder does not have. The file
    .lock-owner.json names the owner for people and has no effect.

    folder: it must exist. report: shows a line if the file system has no locks; the context then holds none.
    waits: wait until the lock is free. Otherwise raises UserError, naming the owner, if another process holds it.
    """

    def __init__(self, folder: str, report: Callable[[str], None], waits: bool = False) -> None:
        self.folder = folder
        self._report = report
        self._waits = waits
        self._descriptor: Optional[int] = None

    def __enter__(self) -> 'FolderLock':
        path = os.path.join(self.folder, LOCK)
        try:
            # Python opens files so that executed programs do not inherit them.
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise UserError(
                f'{path}: the lock of the folder cannot be opened ({error.strerror}); check its permissions, or choose '
                'another folder'
            )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if self._waits else fcntl.LOCK_NB))
        except OSError as error:
            os.close(descriptor)
            if error.errno in _HELD_BY_ANOTHER:
                raise UserError(
                    f'{self.folder}: {self._owner()} writes in this folder; wait until it ends, stop it, or choose '
                    'another folder, for a run by --set Saver.saver_directory=FOLDER'
                )
            self._report(
                f'note: {self.folder}: the file system has no locks ({error.strerror}); do not start a second run in '
                'this folder'
            )
            return self
        self._descriptor = descriptor
        _descriptors.add(descriptor)
        owner = {'host': socket.gethostname(), 'process': os.getpid(), 'started': time.strftime('%Y-%m-%d %H:%M:%S')}
        try:
            write_whole(os.path.join(self.folder, OWNER), f'{json.dumps(owner)}\n'.encode('ascii'))
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._descriptor is not None:
            try:
                os.remove(os.path.join(self.folder, OWNER))
            except OSError:
                pass
            self._release()

    def _release(self) -> None:
        if self._descriptor is not None:
            _descriptors.discard(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _owner(self) -> str:
        try:
            with open(os.path.join(self.folder, OWNER), 'rb') as stream:
                owner = parse_json(stream.read())
            return f'process {owner["process"]} on {owner["host"]}, started {owner["started"]},'
        except (OSError, ValueError, KeyError, TypeError):
            return 'another process'


def _close_in_child() -> None:
    for descriptor in _descriptors:
        os.close(descriptor)
    _descriptors.clear()


os.register_at_fork(after_in_child=_close_in_child)
