"""Key: the declaration of one key of config.cfg."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

from hourglass_pose.rules import Rule

Values = Dict[str, Any]
"""All values of a configuration by key name, in their normal form."""

Contradictions = Iterator[Tuple[str, str, str]]
"""(key name, what it would have to be, what it is)."""


@dataclass(frozen=True)
class Key:
    """One key of config.cfg.

    rule: what it accepts; the default is given as a person would write it, and has to pass, too.
    effect: one line for people, without the allowed values. note: sentences that config.cfg adds.
    other: another accepted spelling, or ''.
    anywhere: accepted in every section, as in the configuration files of the original TensorFlow 1 code.
    derive: for a key whose None stands for a value that follows from others, the function that computes it.
    """

    section: str
    name: str
    default: Any
    rule: Rule
    effect: str
    other: str = ''
    anywhere: bool = False
    derive: Optional[Callable[[Values], Any]] = None
    note: str = ''
