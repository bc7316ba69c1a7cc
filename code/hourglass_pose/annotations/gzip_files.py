"""Files that may be gzipped: decompressed by their content when read, compressed by their name when written."""

import gzip
import os
import zlib
from contextlib import contextmanager
from typing import IO, Iterator, Union, cast

from hourglass_pose.errors import AnnotationError
from hourglass_pose.files import HEAD_BYTES, kind_of_bytes, open_whole

Path = Union[str, os.PathLike]


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file as a stream of bytes, decompressed if its content is gzip; its name does not matter.

    Raises AnnotationError, also inside the block, if the file cannot be read or its compressed data are damaged.
    """
    try:
        with open(path, 'rb') as stream:
            packed = kind_of_bytes(stream.read(HEAD_BYTES)) == 'gzip'
            stream.seek(0)
            if not packed:
                yield stream
                return
            with gzip.GzipFile(fileobj=stream, mode='rb') as unpacked:
                try:
                    yield cast('IO[bytes]', unpacked)
                except (EOFError, zlib.error, OSError) as error:
                    raise AnnotationError(
                        f'{path}: the gzip data are truncated or damaged ({error}); download or create the file again'
                    )
    except OSError as error:
        raise AnnotationError(
            f'{path}: cannot be read ({error.strerror or error}; absolute path: {os.path.abspath(path)}); check the '
            'path and its permissions'
        )


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file, decompressed, as kind_of_bytes needs them. Raises AnnotationError."""
    with open_bytes(path) as stream:
        return stream.read(1 << 16)


def lines_of(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a stream without their ends, which are LF, CR LF or CR."""
    for line in stream:
        yield from line.splitlines() or [b'']


@contextmanager
def create_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a stream that writes a file atomically, gzipped if its name ends in .gz.

    Raises AnnotationError if it cannot be written.
    """
    with open_whole(path, AnnotationError) as stream:
        if not os.fspath(path).lower().endswith('.gz'):
            yield stream
            return
        # The gzip header gets no time and no name, so that equal content makes equal files.
        with gzip.GzipFile('', 'wb', 6, stream, 0) as packed:
            yield cast('IO[bytes]', packed)
