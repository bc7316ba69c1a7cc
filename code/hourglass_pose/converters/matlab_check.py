"""A check of MATLAB 5 files for damage that makes SciPy's reader crash instead of raising an error."""

import struct
import zlib
from typing import Iterator, Tuple

_HEADER_BYTES = 128
_MATRIX, _COMPRESSED = 14, 15
_TYPES = frozenset((1, 2, 3, 4, 5, 6, 7, 9, 12, 13, _MATRIX, _COMPRESSED, 16, 17, 18))  # of an element's data
_CLASSES = range(1, 18)  # of an array, from cells to opaque objects
_NUMERIC_CLASSES = range(6, 16)
_NUMBERS = frozenset((1, 2, 3, 4, 5, 6, 7, 9, 12, 13))  # of the types
_IS_COMPLEX = 0x800  # of an array's flags
_PART_BYTES = 1 << 16


def check_matlab_file(path: str) -> None:
    """Raise ValueError for a damaged .mat file: a bad checksum of compressed data, or an element of unknown type.

    Compressed data is checked by its checksum only, other data by its structure, not by its values.
    """
    with open(path, 'rb') as stream:
        content = memoryview(stream.read())
    order = '<' if content[_HEADER_BYTES - 2 : _HEADER_BYTES] == b'IM' else '>'
    # Compressed variables are not padded to eight bytes.
    for kind, start, end in _elements(content, _HEADER_BYTES, len(content), order):
        if kind == _COMPRESSED:
            _check_compressed(content[start:end])
        elif kind == _MATRIX:
            _check_matrix(content, start, end, order)


def _elements(content: memoryview, start: int, end: int, order: str) -> Iterator[Tuple[int, int, int]]:
    """Yield (kind, start, end) of the data of each element in a part of a file."""
    while start + 8 <= end:
        kind, size = struct.unpack_from(f'{order}II', content, start)
        if kind & 0xFFFF not in _TYPES:
            raise ValueError(f'an element of type {kind & 0xFFFF}')
        if kind >> 16:
            # A short element stores its data in the tag.
            yield kind & 0xFFFF, start + 4, start + 8
            start += 8
            continue
        start += 8
        if start + size > end:
            raise ValueError(f'an element of {size} bytes extends beyond its container')
        yield kind, start, start + size
        start += size if kind == _COMPRESSED else size + -size % 8


def _check_matrix(content: memoryview, start: int, end: int, order: str) -> None:
    if start == end:
        return
    flags, kinds = 0, []
    for index, (kind, first, last) in enumerate(_elements(content, start, end, order)):
        kinds.append(kind)
        if index == 0:
            flags = struct.unpack_from(f'{order}I', content, first)[0] if last - first == 8 else 0
            if flags & 0xFF not in _CLASSES:
                raise ValueError(f'an array of class {flags & 0xFF}')
        elif kind == _MATRIX:
            _check_matrix(content, first, last, order)
    # After flags, dimensions and name come the real and, if the flags say so, the imaginary parts.
    parts = kinds[3 : 5 if flags & _IS_COMPLEX else 4]
    if flags & 0xFF in _NUMERIC_CLASSES and (
        len(parts) < (2 if flags & _IS_COMPLEX else 1) or not _NUMBERS.issuperset(parts)
    ):
        raise ValueError('an array without its numbers')


def _check_compressed(content: memoryview) -> None:
    inflater = zlib.decompressobj()
    for start in range(0, len(content), _PART_BYTES):
        inflater.decompress(content[start : start + _PART_BYTES])
    if not inflater.eof:
        raise ValueError('a compressed variable ends too early')
