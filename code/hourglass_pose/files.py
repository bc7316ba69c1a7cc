"""Writing a file so that it appears whole or not at all, and the checksum of a file."""

import hashlib
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


def sha256_of(path: str) -> str:
    """Return the SHA-256 of a file's content in hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    with open(path, 'rb') as stream:
        for block in iter(lambda: stream.read(2**20), b''):
            digest.update(block)
    return digest.hexdigest()
