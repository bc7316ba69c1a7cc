"""What a key of config.cfg accepts: rules made of an allowed range, a check and a normal form."""

import json
import os
import re
from dataclasses import dataclass
from typing import Any, Callable

from hourglass_pose.skeleton import Skeleton

_INT_LIMIT = 2**31 - 1  # steps, sizes and seeds become int32 in the graph
_FLOAT_LIMIT = 3.4e38  # rates and shares become float32 in the graph


@dataclass(frozen=True)
class Rule:
    """What a key accepts.

    allowed: a noun phrase, the end of 'expected ...'.
    accept: value -> the value in its normal form (lists as tuples, numbers as float). A value that is not
    allowed raises ValueError with the phrase that says what is.
    is_path: the accepted text, or each of a tuple of them, is a path that may be relative.
    """

    allowed: str
    accept: Callable[[Any], Any]
    is_path: bool = False


def _rule(allowed, accepts, normal=None, is_path=False):
    def accept(value):
        if not accepts(value):
            raise ValueError(allowed)
        return value if normal is None else normal(value)

    return Rule(allowed, accept, is_path)


def integer(low, high=None, multiple=1, odd=False):
    """Accept integers from low to high, or without an upper end, that are multiples of a number, or odd."""
    allowed = 'an odd integer' if odd else 'an integer'
    allowed += ' >= %d' % low if high is None else ' from %d to %d' % (low, high)
    allowed += '' if multiple == 1 else ' that is a multiple of %d' % multiple

    def accept(value):
        # bool is a subclass of int, but True is no count.
        if (
            type(value) is not int
            or value < low
            or (high is not None and value > high)
            or value % multiple
            or (odd and value % 2 == 0)
        ):
            raise ValueError(allowed)
        if value > _INT_LIMIT:
            raise ValueError(f'{allowed} and < 2^31')
        return value

    return Rule(allowed, accept)


def _is_number(value, low, high, above, below):
    if type(value) not in (int, float) or not abs(value) < _FLOAT_LIMIT:  # NaN compares as False
        return False
    return (value > low if above else value >= low) and (value < high if below else value <= high)


def number(low, high=None, above=False, below=False):
    """Accept finite numbers from low to high; above and below leave the ends themselves out."""
    allowed = f'a number {">" if above else ">="} {low:g}'
    allowed += '' if high is None else f' and {"<" if below else "<="} {high:g}'
    high = _FLOAT_LIMIT if high is None else high
    return _rule(allowed, lambda value: _is_number(value, low, high, above, below), float)


def loss_scale():
    """Accept None, 'none' and a positive number."""
    return _rule(
        "None, 'none' or a number > 0",
        lambda value: value is None or value == 'none' or _is_number(value, 0, _FLOAT_LIMIT, True, False),
        lambda value: value if value is None or value == 'none' else float(value),
    )


def step_ranges():
    """Accept steps and ranges of steps such as '0|3-5', at most 100 of them, as Ascend's dump_step takes them."""

    def accepts(value):
        if not isinstance(value, str) or not re.match(r'^\d{1,9}(-\d{1,9})?(\|\d{1,9}(-\d{1,9})?){0,99}$', value):
            return False
        ranges = [part.split('-') for part in value.split('|')]
        return all(int(ends[0]) < int(ends[-1]) for ends in ranges if len(ends) == 2)

    return _rule("steps and ranges such as '3-5' in quotes, with bars between them", accepts)


def json_object():
    """Accept the text of a JSON object."""

    def accepts(value):
        try:
            return isinstance(value, str) and isinstance(json.loads(value), dict)
        except (ValueError, RecursionError):
            return False

    return _rule('a JSON object in quotes', accepts)


def file():
    """Accept the path of a file."""
    return _rule('a path in quotes', lambda value: _is_text(value) and bool(value.strip()), is_path=True)


def boolean():
    """Accept True and False."""
    return _rule('True or False', lambda value: isinstance(value, bool))


def choice(*names):
    """Accept one of two or more names."""
    quoted = [repr(name) for name in names]
    return _rule(f'{", ".join(quoted[:-1])} or {quoted[-1]}', lambda value: isinstance(value, str) and value in names)


def _is_text(value):
    """Tell whether a value is text without control characters that a file name of this machine can hold."""
    if not isinstance(value, str) or any(ord(character) < 32 for character in value):
        return False
    try:
        os.fsencode(value)
    except UnicodeError:
        return False
    return True


def file_prefix():
    """Accept a file name that other names can begin with."""
    return _rule(
        "a name in quotes, without '/' or '\\'",
        lambda value: _is_text(value) and bool(value.strip(' .')) and not set(value) & set('/\\'),
    )


def folder():
    """Accept the path of a folder; '' is the folder that relative paths start from."""
    return _rule('a folder in quotes', _is_text, is_path=True)


def paths(what):
    """Accept one path or a list of them; the normal form is a tuple."""

    def as_list(value):
        return value if isinstance(value, (list, tuple)) else [value]

    return _rule(
        f'{what} in quotes, or a list of them',
        lambda value: bool(value) and all(_is_text(path) and path for path in as_list(value)),
        lambda value: tuple(as_list(value)),
        is_path=True,
    )


def _list(allowed, accepts, normal=tuple):
    return _rule(allowed, lambda value: isinstance(value, (list, tuple)) and bool(value) and accepts(value), normal)


def joint_names():
    """Accept joint names that make a Skeleton, in its spelling."""

    def accepts(value):
        if not all(_is_text(name) and name.strip() for name in value):
            return False
        try:
            Skeleton(tuple(value))
        except ValueError:
            return False
        return True

    return _list('a list of distinct names in quotes', accepts, lambda value: Skeleton(tuple(value)).joints)


def name_pairs():
    """Accept a list, perhaps empty, of pairs of joint names."""
    return _rule(
        'a list of pairs of names in quotes',
        lambda value: (
            isinstance(value, (list, tuple))
            and all(isinstance(pair, (list, tuple)) and len(pair) == 2 and all(map(_is_text, pair)) for pair in value)
        ),
        lambda value: tuple(tuple(pair) for pair in value),
    )


def zeros_and_ones():
    """Accept a mask that keeps something."""
    return _list(
        'a list of 0 and 1 with at least one 1',
        lambda value: all(type(item) is int and item in (0, 1) for item in value) and any(value),
    )


def stem_channels():
    """Accept three numbers of channels, or two, of which the second counts twice.

    All but the first are those of residual modules, which halve them.
    """
    return _list(
        'a list of two or three integers >= 2, even but for the first',
        lambda value: (
            len(value) in (2, 3)
            and all(type(item) is int and 2 <= item <= _INT_LIMIT for item in value)
            and not any(item % 2 for item in value[1:])
        ),
        lambda value: (tuple(value) + (value[-1],))[:3],
    )


def channel_shares():
    """Accept a number from 0 to 1 for each of three colours."""
    return _list(
        'a list of three numbers from 0 to 1',
        lambda value: len(value) == 3 and all(_is_number(item, 0, 1, False, False) for item in value),
        lambda value: tuple(float(item) for item in value),
    )


def rising_shares():
    """Accept shares of a whole in rising order, without 0 and 1."""
    return _list(
        'a list of rising numbers > 0 and < 1',
        lambda value: (
            all(_is_number(item, 0, 1, True, True) for item in value)
            and all(first < second for first, second in zip(value, value[1:]))
        ),
        lambda value: tuple(float(item) for item in value),
    )


def or_none(rule):
    """Accept None besides what another rule accepts."""

    def accept(value):
        try:
            return None if value is None else rule.accept(value)
        except ValueError as error:
            raise ValueError(f'None or {error}')

    return Rule(f'None or {rule.allowed}', accept, rule.is_path)
