"""Draft: collects the values of a Config and the mistakes in them."""

import difflib
import os
from typing import Any, Callable, Dict, List, Optional

from hourglass_pose.config.key import Key, Values
from hourglass_pose.config.keys import KEY_BY_SPELLING, KEYS, SECTIONS, contradictions
from hourglass_pose.config.text import literal_or_words, shown
from hourglass_pose.errors import ConfigError

_MISTAKES_SHOWN = 10


class Draft:
    """Values by key, each with the location where it was given.

    source: name of the file in messages. folder: where relative paths in it start.
    """

    def __init__(self, source: str, folder: str) -> None:
        self._source = source
        self._folder = folder
        self._sections: Dict[str, str] = {}
        self._values: Values = {}
        self._locations: Dict[str, str] = {}
        self._mistakes: List[str] = []

    def opens(self, section: str) -> bool:
        """Return whether the keys of a section can be read: it is known, and this is its first occurrence."""
        location = f'{self._source} [{shown(section)}]'
        name = self._known_section(location, section)
        if name in self._sections:
            self._mistakes.append(f'{location}: the section is already there as [{self._sections[name]}]; join the two')
            return False
        if name is not None:
            self._sections[name] = section
        return name is not None

    def put(self, section: str, spelling: str, found: str, read: Callable[[], Any]) -> None:
        """Add one key of the source. found: its text for messages. read: returns its value, or raises ValueError."""
        location = f'{self._source} [{shown(section)}] {shown(spelling)}'
        key = self._known_key(location, section, spelling)
        if key is None:
            return
        if key.name in self._locations:
            earlier = self._locations[key.name][len(self._source) :]
            self._mistakes.append(f'{location}: the same key is already there as{earlier}; keep one of them')
            return
        self._accept(key, location, found, read, self._folder)

    def finish(self, overrides: List[str]) -> Values:
        """Return all values, overrides and defaults included, or raise ConfigError."""
        if overrides and not self._mistakes:
            self._release_derived()
        for override in overrides:
            self._override(override)
        self._stop_at_mistakes()
        values = self._complete()
        for name, expected, found in contradictions(values):
            location = self._locations.get(name, f'{self._source} [{KEY_BY_SPELLING[name.lower()].section}] {name}')
            self._mistakes.append(f'{location}: expected {expected}, found {shown(found)}')
        self._stop_at_mistakes()
        return values

    def _override(self, override: str) -> None:
        name, equals, text = override.partition('=')
        section, dot, spelling = name.strip().partition('.')
        location = f'--set {shown(name)}'
        if not equals or not dot:
            key = KEY_BY_SPELLING.get(name.strip().lower(), KEY_BY_SPELLING['batch_size'])
            self._mistakes.append(
                f'{location}: expected Section.key=value, for instance '
                f'{key.section}.{key.name}={shown(text) if equals else 8}; found {shown(override)}'
            )
        elif self._known_section(location, section):
            known = self._known_key(location, section, spelling)
            if known is not None:
                self._accept(known, location, text, lambda: literal_or_words(text), os.path.abspath(os.curdir))

    def _known_section(self, location: str, section: str) -> Optional[str]:
        names = {name.lower(): name for name in SECTIONS}
        section = section.strip().lower()
        if section not in names:
            near = difflib.get_close_matches(section[:60], names, 1, 0.0)[0]
            self._mistakes.append(
                f'{location}: unknown section, the nearest is [{names[near]}]; there are '
                f'{" ".join(f"[{name}]" for name in SECTIONS)}'
            )
        return names.get(section)

    def _known_key(self, location: str, section: str, spelling: str) -> Optional[Key]:
        key = KEY_BY_SPELLING.get(spelling.strip().lower())
        if key is None:
            near = difflib.get_close_matches(spelling.strip()[:60].lower(), KEY_BY_SPELLING, 1, 0.0)[0]
            nearest = KEY_BY_SPELLING[near]
            name = nearest.name if near == nearest.name.lower() else nearest.other
            self._mistakes.append(f'{location}: unknown key, the nearest known key is {name} of [{nearest.section}]')
            return None
        if not key.anywhere and key.section.lower() != section.strip().lower():
            self._mistakes.append(f'{location}: the key belongs to [{key.section}]; move it there')
            return None
        return key

    def _accept(self, key: Key, location: str, found: str, read: Callable[[], Any], folder: str) -> None:
        self._locations[key.name] = location
        try:
            self._values[key.name] = _resolve(key, key.rule.accept(read()), folder)
        except ValueError as error:
            self._mistakes.append(f'{location}: expected {str(error) or key.rule.allowed}, found {shown(found)}')

    def _release_derived(self) -> None:
        complete = self._complete()
        for key in KEYS:
            if key.derive and self._values.get(key.name) == key.derive(complete):
                del self._values[key.name]

    def _complete(self) -> Values:
        values = {
            key.name: self._values[key.name]
            if key.name in self._values
            else _resolve(key, key.rule.accept(key.default), self._folder)
            for key in KEYS
        }
        for key in KEYS:
            if key.derive and values[key.name] is None:
                values[key.name] = key.derive(values)
        return values

    def _stop_at_mistakes(self) -> None:
        lines = self._mistakes[:_MISTAKES_SHOWN]
        if len(self._mistakes) > len(lines):
            lines.append(f'... and {len(self._mistakes) - len(lines)} more')
        if lines:
            raise ConfigError('\n'.join(lines))


def _resolve(key: Key, value: Any, folder: str) -> Any:
    """Return a value with its paths made absolute."""
    if not key.rule.is_path or value is None:
        return value
    if isinstance(value, tuple):
        return tuple(_resolve(key, path, folder) for path in value)
    return os.path.abspath(os.path.join(folder, os.path.expanduser(value)))
