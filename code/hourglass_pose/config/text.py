"""The text of a configuration: an INI file to its sections, and what is written there to values."""

import ast
import configparser
import os
import warnings

from hourglass_pose.config.keys import KEY_BY_SPELLING
from hourglass_pose.errors import ConfigError

_FILE_LIMIT = 2**20  # characters; no configuration is as long, a picture given by mistake is
_VALUE_LIMIT = 10000  # characters; bounds the nesting of literals, which costs the parser stack


def read_ini(path):
    """Return the ConfigParser of a file in UTF-8, names as they are written. Raises ConfigError."""
    source = shown(path, 200)
    try:
        with open(path, encoding='utf-8-sig') as stream:
            text = stream.read(_FILE_LIMIT + 1)
    except UnicodeDecodeError:
        raise ConfigError(f'{source}: expected a text file in UTF-8, found other bytes; save it as UTF-8')
    except (OSError, ValueError) as error:
        raise ConfigError(
            '{}: expected a configuration file, but {} cannot be read ({}); name another'.format(
                source, shown(os.path.abspath(path), 200), getattr(error, 'strerror', None) or error
            )
        )
    if len(text) > _FILE_LIMIT:
        raise ConfigError(
            '%s: expected a configuration file, found more than %d characters; name another' % (source, _FILE_LIMIT)
        )
    # No section is the default one: its keys would turn up in every other section.
    parser = configparser.ConfigParser(interpolation=None, default_section='')
    parser.optionxform = str
    try:
        parser.read_string(text, source)
    except configparser.Error as error:
        raise ConfigError(f'{source}: {shown(str(error), 300)}')
    return parser


def given_keys(path):
    """Return {key name: value} of the keys that a file gives; unknown keys and malformed values are passed over."""
    given = {}
    parser = read_ini(os.fspath(path))
    for section in parser.sections():
        for spelling, text in parser.items(section):
            key = KEY_BY_SPELLING.get(spelling.strip().lower())
            if key:
                try:
                    given[key.name] = literal_or_words(text)
                except ValueError:
                    # Reading the whole file reports it.
                    continue
    return given


def literal(text):
    """Return the value of a Python literal; ValueError, without words, when the text is none."""
    if len(text) > _VALUE_LIMIT:
        raise ValueError('a literal of at most %d characters' % _VALUE_LIMIT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # '\d' in a Windows path is meant as it stands
            return ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise ValueError()


def literal_or_words(text):
    """Return the value of an override, whose quotes the shell may have taken: ['a','b'] arrives as [a,b]."""

    def literal_or_word(word):
        try:
            return literal(word)
        except ValueError:
            if not word.strip() or word.strip()[0] in '[({\'"' or len(word) > _VALUE_LIMIT:
                raise
            return word.strip()

    text = text.strip()
    if text[:1] == '[' and text[-1:] == ']':
        try:
            return literal(text)
        except ValueError:
            return [literal_or_word(word) for word in text[1:-1].split(',')]
    return literal_or_word(text)


def printed(value):
    """Return repr(value), or words where it has none."""
    try:
        return repr(value)
    except (ValueError, RecursionError):  # an integer too long to print, a list in itself
        return f'a {type(value).__name__} that cannot be printed'


def shown(text, limit=60):
    """Return text as one printable line of at most limit characters."""
    line = ' '.join(text[:9999].split())
    line = ''.join(character if character.isprintable() else '?' for character in line)
    return (line if len(line) <= limit else f'{line[: limit - 3]}...') or 'nothing'
