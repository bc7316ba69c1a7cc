"""Files that may be packed by gzip: read by their content, written by their name."""

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
    """Open a stream of the bytes of a file, unpacked where the content is gzip, whatever its name is.

    Raises AnnotationError, in the block too, where the file cannot be read or its packed data are damaged.
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
                        f'{path}: the gzip data break off or are damaged ({error}); get or make the file again'
                    )
    except OSError as error:
        raise AnnotationError(
            f'{path}: cannot be read ({error.strerror or error}); looked for {os.path.abspath(path)}; check the '
            f'path and its permissions'
        )


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file, unpacked, which kind_of_bytes can tell a kind from. Raises AnnotationError."""
    with open_bytes(path) as stream:
        return stream.read(1 << 16)


def lines_of(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a stream without their ends, which are LF, CR LF or CR."""
    for line in stream:
        yield from line.splitlines() or [b'']


@contextmanager
def create_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a stream for the bytes of a file, packed where its name ends in .gz; it appears whole or not at all.

    Raises AnnotationError where it cannot be written.
    """
    with open_whole(path, AnnotationError) as stream:
        if not os.fspath(path).lower().endswith('.gz'):
            yield stream
            return
        # Without a time and a name in it, the same content makes the same file.
        with gzip.GzipFile('', 'wb', 6, stream, 0) as packed:
            yield cast('IO[bytes]', packed)
