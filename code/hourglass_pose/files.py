"""Writing a file so that it appears whole or not at all."""

import os
from contextlib import contextmanager

from hourglass_pose.errors import UserError


@contextmanager
def open_whole(path, error_type=UserError):
    """Open a stream of bytes for what `path` is to hold, where even after a kill there is the old file or the new one.

    The new one appears when the block ends, and not when it raises. Raises error_type if the folder, its permissions
    or the disk do not allow it.
    """
    path = os.fspath(path)
    partial = '%s.%d.partial' % (path, os.getpid())
    try:
        try:
            with open(partial, 'wb') as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(partial, path)
        finally:
            if os.path.exists(partial):
                os.remove(partial)
    except OSError as error:
        raise error_type(
            f'{path}: cannot be written ({error.strerror or error}); check the folder, its permissions and the '
            f'disk space'
        )


def write_whole(path, content):
    """Write bytes to `path`, whole or not at all, as `open_whole` does. Raises UserError."""
    with open_whole(path) as stream:
        stream.write(content)


def require_writable(path: str) -> None:
    """Raise UserError unless a file at `path` can be written: its folder exists and is writable, and it is no folder.

    For commands that work for long before they write.
    """
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise UserError(f'{path}: is a folder; name a file')
    if not os.path.isdir(folder):
        raise UserError(f'{path}: there is no folder {folder}; make it, or name another file')
    if not os.access(folder, os.W_OK):
        raise UserError(f'{path}: the folder {folder} is not writable; name another file')
