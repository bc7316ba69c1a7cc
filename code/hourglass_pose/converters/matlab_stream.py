"""A large struct array in a MATLAB file read record by record, so that memory holds one at a time.

SciPy reads a variable whole, and of a struct with a million small fields it makes many times what the file holds. Here
is as much of MATLAB's level 5 format ("MAT-File Format", The MathWorks) as nested structs of numbers and text need.
"""

import struct
import zlib
from contextlib import contextmanager

from hourglass_pose.errors import AnnotationError

_MATRIX, _COMPRESSED = 14, 15
_STRUCT, _CHAR, _CELL, _LARGEST_NUMBER = 2, 4, 1, 15  # classes of matrices; numbers are 6 to 15
_NUMBERS = {1: 'b', 2: 'B', 3: 'h', 4: 'H', 5: 'i', 6: 'I', 7: 'f', 9: 'd', 12: 'q', 13: 'Q'}
_ENCODINGS = {16: 'utf-8', 17: 'utf-16', 18: 'utf-32'}
_BLOCK = 1 << 12  # bytes; packed, such files are a twentieth of their size


class MatlabStruct:
    """A scalar struct variable of a MATLAB file, opened anew for each reading.

    Values are tuples of numbers, text, lists of dictionaries by field for a struct array, lists for a cell array, and
    None for what is empty or of another kind.
    """

    def __init__(self, path, variable):
        self.path = path
        self.variable = variable

    def fields(self, wanted):
        """Return {name: value} of those of the wanted fields that are there."""
        with _damage_reported(self.path), open(self.path, 'rb') as stream:
            return {
                name: _parse(source.read(size), order)
                for name, size, source, order in self._fields(stream)
                if name in wanted
            }

    def records(self, field, wanted):
        """Yield {name: value} of each record of a struct array in a field, with those of the wanted names there are."""
        with _damage_reported(self.path), open(self.path, 'rb') as stream:
            for name, size, source, order in self._fields(stream):
                if name == field and size:
                    yield from _records(source, order, wanted)
                    return

    def _fields(self, stream):
        """Yield (name, size, source, order) of each field, whose `size` bytes the caller may read from the source."""
        for source, order in _variables(stream):
            kind, count, names, title = _header(source, order)
            if title == self.variable and kind == _STRUCT and count == 1:
                for name in names:
                    size = _tag(source, order)
                    end = source.position + size
                    yield name, size, source, order
                    source.skip(end - source.position)
                return


@contextmanager
def _damage_reported(path):
    try:
        yield
    except OSError as error:
        raise AnnotationError(f'{path}: cannot be read ({error.strerror or error}); check the path and its permissions')
    # Bytes that are none of the format's mean anything.
    except (zlib.error, struct.error, _Broken, ValueError, LookupError, OverflowError, RecursionError) as error:
        raise AnnotationError(f'{path}: this MATLAB file is damaged ({error}); get it again')


class _Broken(Exception):
    """The bytes are no MATLAB file of level 5."""


class _Source:
    """The bytes of one variable, unpacked as they are read."""

    def __init__(self, stream, size, packed):
        self._stream = stream
        self._left = size
        self._unpack = zlib.decompressobj() if packed else None
        self._buffer = bytearray()
        self.position = 0

    def read(self, size):
        """Return the next bytes, exactly so many."""
        while len(self._buffer) < size:
            block = self._stream.read(min(_BLOCK, self._left))
            if not block:
                raise _Broken(f'it ends within {"a variable" if self.position else "its first bytes"}')
            self._left -= len(block)
            self._buffer += self._unpack.decompress(block) if self._unpack else block
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        self.position += size
        return taken

    def skip(self, size):
        """Step over the next bytes without keeping them."""
        while size:
            size -= len(self.read(min(_BLOCK, size)))


def _variables(stream):
    """Yield (source, byte order) of each variable of a file."""
    start = stream.read(128)
    order = {b'IM': '<', b'MI': '>'}.get(start[126:128])
    if order is None:
        raise _Broken('its first bytes are not those of version 5')
    while True:
        tag = stream.read(8)
        if len(tag) < 8:
            return
        kind, size = struct.unpack(f'{order}II', tag)
        end = stream.tell() + size
        if kind == _COMPRESSED:
            source = _Source(stream, size, True)
            _tag(source, order)
            yield source, order
        elif kind == _MATRIX:
            yield _Source(stream, size, False), order
        stream.seek(end)


def _tag(source, order):
    """Return the size of the matrix that follows in a source."""
    kind, size = struct.unpack(f'{order}II', source.read(8))
    if kind != _MATRIX:
        raise _Broken('an element of type %d where a matrix is needed' % kind)
    return size


def _element(source, order):
    """Return (type, bytes) of the next element of numbers or text in a source."""
    head = source.read(8)
    kind, size = struct.unpack(f'{order}II', head)
    if kind >> 16:
        return kind & 0xFFFF, head[4 : 4 + (kind >> 16)]
    return kind, source.read(size + -size % 8)[:size]


def _header(source, order):
    """Return (class, count of records, names of fields, name of the variable) of a matrix in a source."""
    kind = struct.unpack(f'{order}I', _element(source, order)[1][:4])[0] & 0xFF
    count = 1
    for length in _numbers(*_element(source, order), order=order):
        count *= length
    title = _element(source, order)[1].decode('latin-1')
    names = []
    if kind == _STRUCT:
        width = _numbers(*_element(source, order), order=order)[0]
        text = _element(source, order)[1]
        names = [text[i : i + width].split(b'\0')[0].decode('latin-1') for i in range(0, len(text), width)]
    return kind, count, names, title


def _records(source, order, wanted):
    kind, count, names, _ = _header(source, order)
    for _ in range(count if kind == _STRUCT and names else 0):
        record = {}
        for name in names:
            content = source.read(_tag(source, order))
            if name in wanted:
                record[name] = _parse(content, order)
        yield record


def _parse(content, order):
    """Return the value of a matrix given its bytes."""
    return _value(_Bytes(content), order) if content else None


class _Bytes:
    """Bytes in memory, read like a _Source."""

    def __init__(self, content):
        self._content = content
        self.position = 0

    def read(self, size):
        start, self.position = self.position, self.position + size
        if self.position > len(self._content):
            raise _Broken('a value is longer than its place')
        return self._content[start : self.position]

    def left(self):
        """Return how many bytes have not been read."""
        return len(self._content) - self.position


def _value(source, order):
    kind, count, names, _ = _header(source, order)
    if kind in (_STRUCT, _CELL) and count > source.left():
        raise _Broken('%d records are more than its bytes' % count)
    if kind == _STRUCT:
        return [{name: _nested(source, order) for name in names} for _ in range(count)] or None
    if kind == _CELL:
        return [_nested(source, order) for _ in range(count)] or None
    if not count or not (kind == _CHAR or 6 <= kind <= _LARGEST_NUMBER):
        return None
    stored, content = _element(source, order)
    if kind == _CHAR:
        # Text is stored as numbers of two bytes, or encoded.
        encoding = _ENCODINGS.get(stored)
        if encoding is None:
            return ''.join(map(chr, _numbers(stored, content, order)))
        suffix = '' if stored == 16 else {'<': '-le', '>': '-be'}[order]
        return content.decode(encoding + suffix)
    return _numbers(stored, content, order)


def _nested(source, order):
    size = _tag(source, order)
    end = source.position + size
    value = _value(source, order) if size else None
    # What has no value may have bytes all the same.
    source.position = end
    return value


def _numbers(stored, content, order):
    if stored not in _NUMBERS:
        raise _Broken('numbers of type %d' % stored)
    code = _NUMBERS[stored]
    return struct.unpack('%s%d%s' % (order, len(content) // struct.calcsize(code), code), content)
