"""Rules of the kinds of values that only config.cfg has: paths, joint names, scales and ranges."""

import os
import re
from typing import Any, List

from hourglass_pose.files import parse_json
from hourglass_pose.rules import Rule, is_number, list_rule, rule
from hourglass_pose.skeleton import Skeleton


def loss_scale() -> Rule:
    """Accept None, 'none' and a positive number."""
    return rule(
        "None, 'none' or a number > 0",
        lambda value: value is None or value == 'none' or is_number(value, 0, above=True),
        lambda value: value if value is None or value == 'none' else float(value),
    )


def step_ranges() -> Rule:
    """Accept steps and ranges of steps such as '0|3-5', at most 100 of them, as Ascend's dump_step takes them."""

    def accepts(value: Any) -> bool:
        if not isinstance(value, str) or not re.match(r'^\d{1,9}(-\d{1,9})?(\|\d{1,9}(-\d{1,9})?){0,99}$', value):
            return False
        ranges = [part.split('-') for part in value.split('|')]
        return all(int(ends[0]) < int(ends[-1]) for ends in ranges if len(ends) == 2)

    return rule("steps and ranges such as '3-5' in quotes, with bars between them", accepts)


def json_object() -> Rule:
    """Accept the text of a JSON object."""

    def accepts(value: Any) -> bool:
        try:
            return isinstance(value, str) and isinstance(parse_json(value), dict)
        except ValueError:
            return False

    return rule('a JSON object in quotes', accepts)


def file() -> Rule:
    """Accept the path of a file."""
    return rule('a path in quotes', lambda value: _is_text(value) and bool(value.strip()), is_path=True)


def _is_text(value: Any) -> bool:
    """Return whether a value is text without control characters that this machine can use as a file name."""
    if not isinstance(value, str) or any(ord(character) < 32 for character in value):
        return False
    try:
        os.fsencode(value)
    except UnicodeError:
        return False
    return True


def file_prefix() -> Rule:
    """Accept a file name that other names can begin with."""
    return rule(
        "a name in quotes, without '/' or '\\'",
        lambda value: _is_text(value) and bool(value.strip(' .')) and not set(value) & set('/\\'),
    )


def folder() -> Rule:
    """Accept the path of a folder; '' is the folder that relative paths start from."""
    return rule('a folder in quotes', _is_text, is_path=True)


def paths(what: str) -> Rule:
    """Accept one path or a list of them; the normal form is a tuple."""

    def as_list(value: Any) -> List[Any]:
        return list(value) if isinstance(value, (list, tuple)) else [value]

    return rule(
        f'{what} in quotes, or a list of them',
        lambda value: bool(value) and all(_is_text(path) and path for path in as_list(value)),
        lambda value: tuple(as_list(value)),
        is_path=True,
    )


def joint_names() -> Rule:
    """Accept joint names that make a Skeleton, in its spelling."""

    def accepts(value: Any) -> bool:
        if not all(_is_text(name) and name.strip() for name in value):
            return False
        try:
            Skeleton(tuple(value))
        except ValueError:
            return False
        return True

    return list_rule('a list of distinct names in quotes', accepts, lambda value: Skeleton(tuple(value)).joints)


def joint_pairs() -> Rule:
    """Accept pairs of joint names, in a Skeleton's spelling, no name in two of them; an empty list is no pairs."""

    def accepts(value: Any) -> bool:
        if not isinstance(value, (list, tuple)):
            return False
        if not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in value):
            return False
        try:
            joint_names().accept([name for pair in value for name in pair] or ['none'])
        except ValueError:
            return False
        return True

    return rule(
        'a list of pairs [name, name], no name in two of them',
        accepts,
        lambda value: tuple(Skeleton(tuple(pair)).joints for pair in value),
    )


def zeros_and_ones() -> Rule:
    """Accept a list of 0 and 1 with at least one 1."""
    return list_rule(
        'a list of 0 and 1 with at least one 1',
        lambda value: all(type(item) is int and item in (0, 1) for item in value) and any(value),
    )


def counts() -> Rule:
    """Accept a list of integers >= 1."""
    return list_rule('a list of integers >= 1', lambda value: all(type(item) is int and item > 0 for item in value))


def ascending_shares() -> Rule:
    """Accept fractions in ascending order, without 0 and 1."""
    return list_rule(
        'a list of ascending numbers > 0 and < 1',
        lambda value: (
            all(is_number(item, 0, 1, above=True, below=True) for item in value)
            and all(first < second for first, second in zip(value, value[1:]))
        ),
        lambda value: tuple(float(item) for item in value),
    )
