"""What the cases of one kind came to."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Counter as CounterType
from typing import List


@dataclass
class Row:
    """A line of the table. outcomes: how many cases ended in which way. failures: a text for each failed case."""

    name: str
    outcomes: CounterType[str] = field(default_factory=Counter)
    failures: List[str] = field(default_factory=list)
