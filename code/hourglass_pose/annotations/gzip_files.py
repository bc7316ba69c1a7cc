"""Files that may be packed by gzip: read by their content, written by their name."""

import gzip
import os
import zlib
from contextlib import contextmanager

from hourglass_pose.errors import AnnotationError
from hourglass_pose.files import open_whole

_MAGIC = b'\x1f\x8b'


@contextmanager
def open_bytes(path):
    """Open a stream of the bytes of a file, unpacked where the content is gzip, whatever its name is.

    Raises AnnotationError, in the block too, where the file cannot be read or its packed data are damaged.
    """
    try:
        with open(path, 'rb') as stream:
            packed = stream.read(2) == _MAGIC
            stream.seek(0)
            if not packed:
                yield stream
                return
            with gzip.GzipFile(fileobj=stream, mode='rb') as unpacked:
                try:
                    yield unpacked
                except (EOFError, zlib.error, OSError) as error:
                    raise AnnotationError(
                        f'{path}: the gzip data break off or are damaged ({error}); get or make the file again'
                    )
    except OSError as error:
        raise AnnotationError(
            f'{path}: cannot be read ({error.strerror or error}); looked for {os.path.abspath(path)}; check the '
            f'path and its permissions'
        )


@contextmanager
def create_bytes(path):
    """Open a stream for the bytes of a file, packed where its name ends in .gz; it appears whole or not at all.

    Raises AnnotationError where it cannot be written.
    """
    with open_whole(path, AnnotationError) as stream:
        if not os.fspath(path).lower().endswith('.gz'):
            yield stream
            return
        # Without a time and a name in it, the same content makes the same file.
        with gzip.GzipFile('', 'wb', 6, stream, 0) as packed:
            yield packed
