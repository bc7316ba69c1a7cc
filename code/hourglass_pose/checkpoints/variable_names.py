"""Numbers that follow from the names of variables."""

import re
from typing import Iterable


def count_distinct(pattern: str, names: Iterable[str]) -> int:
    """Return the number of distinct texts that the group of a pattern matches at the start of the names."""
    return len({match.group(1) for match in map(re.compile(pattern).match, names) if match})
