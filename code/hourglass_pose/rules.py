"""What a setting accepts: an allowed range, a check and a normal form."""

from dataclasses import dataclass
from typing import Any, Callable, Optional

INT_LIMIT = 2**31 - 1
"""Steps, sizes and seeds become int32 in the graph."""

_FLOAT_LIMIT = 3.4e38  # rates and shares become float32 in the graph


@dataclass(frozen=True)
class Rule:
    """What a setting accepts.

    allowed: a noun phrase, the end of 'expected ...'.
    accept: value -> the value in its normal form (lists as tuples, numbers as float). A value that is not
    allowed raises ValueError with a phrase for what is allowed.
    is_path: whether the accepted text, or each text of a tuple, is a path that may be relative.
    """

    allowed: str
    accept: Callable[[Any], Any]
    is_path: bool = False


def rule(
    allowed: str, accepts: Callable[[Any], bool], normal: Optional[Callable[[Any], Any]] = None, is_path: bool = False
) -> Rule:
    """Return the Rule of a predicate. normal: value -> its normal form; None keeps the value."""

    def accept(value: Any) -> Any:
        if not accepts(value):
            raise ValueError(allowed)
        return value if normal is None else normal(value)

    return Rule(allowed, accept, is_path)


def list_rule(allowed: str, accepts: Callable[[Any], bool], normal: Callable[[Any], Any] = tuple) -> Rule:
    """Return the Rule of non-empty lists and tuples that pass a predicate."""
    return rule(allowed, lambda value: isinstance(value, (list, tuple)) and bool(value) and accepts(value), normal)


def integer(low: int, high: Optional[int] = None, multiple: int = 1, odd: bool = False) -> Rule:
    """Accept integers from low to high, or without an upper limit, that are multiples of a number, or odd."""
    allowed = 'an odd integer' if odd else 'an integer'
    allowed += f' >= {low}' if high is None else f' from {low} to {high}'
    allowed += '' if multiple == 1 else f' that is a multiple of {multiple}'

    def accept(value: Any) -> int:
        # bool is a subclass of int, but True is not a number here.
        if (
            type(value) is not int
            or value < low
            or (high is not None and value > high)
            or value % multiple
            or (odd and value % 2 == 0)
        ):
            raise ValueError(allowed)
        if value > INT_LIMIT:
            raise ValueError(f'{allowed} and < 2^31')
        return value

    return Rule(allowed, accept)


def is_number(value: Any, low: float, high: Optional[float] = None, above: bool = False, below: bool = False) -> bool:
    """Return whether a value is a finite number from low to high; above and below exclude the ends."""
    if type(value) not in (int, float) or not abs(value) < _FLOAT_LIMIT:  # NaN compares as False
        return False
    high = _FLOAT_LIMIT if high is None else high
    return (value > low if above else value >= low) and (value < high if below else value <= high)


def number(low: float, high: Optional[float] = None, above: bool = False, below: bool = False) -> Rule:
    """Accept finite numbers from low to high; above and below exclude the ends."""
    allowed = f'a number {">" if above else ">="} {low:g}'
    allowed += '' if high is None else f' and {"<" if below else "<="} {high:g}'
    return rule(allowed, lambda value: is_number(value, low, high, above, below), float)


def boolean() -> Rule:
    """Accept True and False."""
    return rule('True or False', lambda value: isinstance(value, bool))


def choice(*names: str) -> Rule:
    """Accept one of two or more names."""
    return rule(one_of(names), lambda value: isinstance(value, str) and value in names)


def one_of(names: Any) -> str:
    """Return names in quotes as a phrase: "'a', 'b' or 'c'"."""
    *rest, last = [repr(name) for name in names]
    return f'{", ".join(rest)} or {last}' if rest else last


def or_none(other: Rule) -> Rule:
    """Accept None and what another rule accepts."""

    def accept(value: Any) -> Any:
        try:
            return None if value is None else other.accept(value)
        except ValueError as error:
            raise ValueError(f'None or {error}')

    return Rule(f'None or {other.allowed}', accept, other.is_path)
