"""Which cases are to be tried, and what they came to."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Counter as CounterType
from typing import List


@dataclass(frozen=True)
class Plan:
    """Which cases: `count` from number `first` on, none begun after the time `deadline`, of rows that `only` is in."""

    first: int
    count: int
    deadline: float
    only: str = ''

    def goes_on(self, number: int) -> bool:
        return number < self.first + self.count and time.time() < self.deadline


@dataclass
class Row:
    """A line of the table. outcomes: how many cases ended in which way. failures: a text for each failed case."""

    name: str
    outcomes: CounterType[str] = field(default_factory=Counter)
    failures: List[str] = field(default_factory=list)
