"""Types of options that are numbers."""

import argparse
import math
from typing import Callable


def integer_from(least: int) -> Callable[[str], int]:
    """Return an argument type: integers that are at least `least`."""

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f'expected an integer >= {least}, found {text!r}')
        return number

    return convert


def finite_number(text: str) -> float:
    """Return the number of a text. Raises ArgumentTypeError for any other text, NaN and infinity included."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f'expected a number such as 0.5, found {text!r}')
    return number
