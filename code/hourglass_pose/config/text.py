"""The text of a configuration: an INI file parsed into sections, and their texts into values."""

import ast
import configparser
import os
import warnings
from typing import Any, Dict

from hourglass_pose.config.keys import KEY_BY_SPELLING
from hourglass_pose.errors import ConfigError

_FILE_LIMIT = 2**20  # characters; longer than any configuration, but not than a picture given by mistake
_VALUE_LIMIT = 10000  # characters; limits the nesting of literals, which takes stack of the parser


def read_ini(path: str) -> configparser.ConfigParser:
    """Return the ConfigParser of a file in UTF-8, names unchanged. Raises ConfigError."""
    source = shown(path, 200)
    try:
        with open(path, encoding='utf-8-sig') as stream:
            text = stream.read(_FILE_LIMIT + 1)
    except UnicodeDecodeError:
        raise ConfigError(f'{source}: expected a text file in UTF-8, found other bytes; save it as UTF-8')
    except (OSError, ValueError) as error:
        raise ConfigError(
            f'{source}: expected a configuration file, but {shown(os.path.abspath(path), 200)} cannot be read '
            f'({getattr(error, "strerror", None) or error}); name another'
        )
    if len(text) > _FILE_LIMIT:
        raise ConfigError(
            f'{source}: expected a configuration file, found more than {_FILE_LIMIT} characters; name another'
        )
    # No section is the default one, as its keys would appear in every other section.
    parser = configparser.ConfigParser(interpolation=None, default_section='')
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text, source)
    except configparser.Error as error:
        raise ConfigError(f'{source}: {shown(str(error), 300)}')
    return parser


def given_keys(path: str) -> Dict[str, Any]:
    """Return {key name: value} of the keys that a file gives; unknown keys and malformed values are left out."""
    given: Dict[str, Any] = {}
    parser = read_ini(os.fspath(path))
    for section in parser.sections():
        for spelling, text in parser.items(section):
            key = KEY_BY_SPELLING.get(spelling.strip().lower())
            if key:
                try:
                    given[key.name] = literal_or_words(text)
                except ValueError:
                    # load_config reports it.
                    continue
    return given


def literal(text: str) -> Any:
    """Return the value of a Python literal; raises ValueError without a message for other text."""
    if len(text) > _VALUE_LIMIT:
        raise ValueError(f'a literal of at most {_VALUE_LIMIT} characters')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # '\d' in a Windows path is meant literally
            return ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise ValueError()


def literal_or_words(text: str) -> Any:
    """Return the value of an override, whose quotes the shell may have removed: ['a','b'] arrives as [a,b]."""

    def literal_or_word(word: str) -> Any:
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


def printed(value: Any) -> str:
    """Return repr(value), or a description where it has none."""
    try:
        return repr(value)
    except (ValueError, RecursionError):  # an integer too long to print, a list in itself
        return f'a {type(value).__name__} that cannot be printed'


def shown(text: str, limit: int = 60) -> str:
    """Return text as one printable line of at most limit characters."""
    line = ' '.join(text[:9999].split())
    line = ''.join(character if character.isprintable() else '?' for character in line)
    return (line if len(line) <= limit else f'{line[: limit - 3]}...') or 'nothing'
