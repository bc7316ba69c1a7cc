"""What a key of config.cfg accepts: rules made of an allowed range, a check and a normal form."""

import json
import os
import re

from hourglass_pose.rules import is_number, list_rule, rule
from hourglass_pose.skeleton import Skeleton


def loss_scale():
    """Accept None, 'none' and a positive number."""
    return rule(
        "None, 'none' or a number > 0",
        lambda value: value is None or value == 'none' or is_number(value, 0, above=True),
        lambda value: value if value is None or value == 'none' else float(value),
    )


def step_ranges():
    """Accept steps and ranges of steps such as '0|3-5', at most 100 of them, as Ascend's dump_step takes them."""

    def accepts(value):
        if not isinstance(value, str) or not re.match(r'^\d{1,9}(-\d{1,9})?(\|\d{1,9}(-\d{1,9})?){0,99}$', value):
            return False
        ranges = [part.split('-') for part in value.split('|')]
        return all(int(ends[0]) < int(ends[-1]) for ends in ranges if len(ends) == 2)

    return rule("steps and ranges such as '3-5' in quotes, with bars between them", accepts)


def json_object():
    """Accept the text of a JSON object."""

    def accepts(value):
        try:
            return isinstance(value, str) and isinstance(json.loads(value), dict)
        except (ValueError, RecursionError):
            return False

    return rule('a JSON object in quotes', accepts)


def file():
    """Accept the path of a file."""
    return rule('a path in quotes', lambda value: _is_text(value) and bool(value.strip()), is_path=True)


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
    return rule(
        "a name in quotes, without '/' or '\\'",
        lambda value: _is_text(value) and bool(value.strip(' .')) and not set(value) & set('/\\'),
    )


def folder():
    """Accept the path of a folder; '' is the folder that relative paths start from."""
    return rule('a folder in quotes', _is_text, is_path=True)


def paths(what):
    """Accept one path or a list of them; the normal form is a tuple."""

    def as_list(value):
        return value if isinstance(value, (list, tuple)) else [value]

    return rule(
        f'{what} in quotes, or a list of them',
        lambda value: bool(value) and all(_is_text(path) and path for path in as_list(value)),
        lambda value: tuple(as_list(value)),
        is_path=True,
    )


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

    return list_rule('a list of distinct names in quotes', accepts, lambda value: Skeleton(tuple(value)).joints)


def name_pairs():
    """Accept a list, perhaps empty, of pairs of joint names."""
    return rule(
        'a list of pairs of names in quotes',
        lambda value: (
            isinstance(value, (list, tuple))
            and all(isinstance(pair, (list, tuple)) and len(pair) == 2 and all(map(_is_text, pair)) for pair in value)
        ),
        lambda value: tuple(tuple(pair) for pair in value),
    )


def zeros_and_ones():
    """Accept a mask that keeps something."""
    return list_rule(
        'a list of 0 and 1 with at least one 1',
        lambda value: all(type(item) is int and item in (0, 1) for item in value) and any(value),
    )


def rising_shares():
    """Accept shares of a whole in rising order, without 0 and 1."""
    return list_rule(
        'a list of rising numbers > 0 and < 1',
        lambda value: (
            all(is_number(item, 0, 1, above=True, below=True) for item in value)
            and all(first < second for first, second in zip(value, value[1:]))
        ),
        lambda value: tuple(float(item) for item in value),
    )
