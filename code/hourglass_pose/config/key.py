"""Key: the declaration of one key of config.cfg."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

from hourglass_pose.rules import Rule

Values = Dict[str, Any]
"""All values of a configuration by key name, in their normal form."""

Contradictions = Iterator[Tuple[str, str, str]]
"""(name of a key, what is allowed, what was found)."""


@dataclass(frozen=True)
class Key:
    """One key of config.cfg.

    rule: the allowed values; default, which is written as in a file, passes it too.
    effect: one line for config.cfg and docs, without the allowed values. note: further sentences for config.cfg.
    other: an alternative spelling, or ''.
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
