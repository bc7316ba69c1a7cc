"""The items of a large JSON file one after the other, so that memory holds one at a time."""

import io
import json

from hourglass_pose.annotations.gzip_files import open_bytes
from hourglass_pose.errors import AnnotationError

_BLOCK = 1 << 16  # characters
_SPACE = ' \t\r\n'


def json_items(path):
    """Yield (key, item) of a file that holds a JSON array or an object; gzip is told by the content.

    Of an array the items come with the key None. Of an object, the items of each value that is an array come one after
    the other with its key; any other value comes whole. Raises AnnotationError for a file that is no such JSON.
    """
    with open_bytes(path) as stream:
        text = _Text(path, io.TextIOWrapper(stream, 'utf-8-sig'))
        try:
            if text.take('['):
                yield from ((None, item) for item in text.items())
            elif text.take('{'):
                yield from text.members()
            else:
                text.fail('a [ or a { is needed at its start')
            if text.peek():
                text.fail(f'nothing may follow its end, but there is {text.peek()!r}')
        except UnicodeDecodeError as error:
            raise AnnotationError(f'{path}: no UTF-8 text ({error}); save the file as UTF-8')


class _Text:
    """The part of a JSON file that has been read and not yet been used."""

    def __init__(self, path, stream):
        self._path = path
        self._stream = stream
        self._decoder = json.JSONDecoder()
        self._text = ''
        self._start = 0
        self._ended = False

    def fail(self, what):
        raise AnnotationError(f'{self._path}: this is no complete JSON: {what}; get the file again')

    def peek(self):
        """Return the next character that is no space, '' at the end."""
        while True:
            while self._start < len(self._text) and self._text[self._start] in _SPACE:
                self._start += 1
            if self._start < len(self._text) or not self._more():
                return self._text[self._start : self._start + 1]

    def take(self, character):
        """Step over the next character that is no space if it is this one, and return whether it was."""
        if self.peek() != character:
            return False
        self._start += 1
        return True

    def items(self):
        """Yield what is left of an array whose [ has been taken."""
        if self.take(']'):
            return
        while True:
            yield self._value()
            if self.take(']'):
                return
            if not self.take(','):
                self.fail(f'a comma or ] is needed, found {self.peek()!r}')

    def members(self):
        """Yield (key, item) of an object whose { has been taken, arrays item by item."""
        if self.take('}'):
            return
        while True:
            key = self._value()
            if not isinstance(key, str) or not self.take(':'):
                self.fail(f'"key": is needed, found {key!r}')
            if self.take('['):
                for item in self.items():
                    yield key, item
            else:
                yield key, self._value()
            if self.take('}'):
                return
            if not self.take(','):
                self.fail(f'a comma or }} is needed, found {self.peek()!r}')

    def _value(self):
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._start)
                # A number that ends where the text does may go on.
                if end < len(self._text) or not self._more():
                    self._start = end
                    return value
            except ValueError as error:
                if not self._more():
                    self.fail(str(error))
            except RecursionError:
                self.fail('it is nested too deeply')

    def _more(self):
        """Read on, at least as much as is left over, and return whether there was more."""
        if not self._ended:
            self._text = self._text[self._start :]
            self._start = 0
            block = self._stream.read(max(_BLOCK, len(self._text)))
            self._ended = not block
            self._text += block
        return not self._ended
