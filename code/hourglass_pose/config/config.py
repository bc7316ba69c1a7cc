"""config.cfg and overrides of it -> one frozen, checked Config, and back to text."""

import difflib
import os
from collections import OrderedDict
from dataclasses import dataclass, make_dataclass
from typing import Any

from hourglass_pose.config.keys import KEY_BY_SPELLING, KEYS, SECTIONS, contradictions
from hourglass_pose.config.network_keys import network_hyperparameters
from hourglass_pose.config.text import literal, literal_or_words, printed, read_ini, shown
from hourglass_pose.errors import ConfigError
from hourglass_pose.graph.hyperparameters import Hyperparameters

_MISTAKES_SHOWN = 10

_SECTION_TYPES = {
    section: make_dataclass(section, [key.name for key in KEYS if key.section == section], frozen=True)
    for section in SECTIONS
}


@dataclass(frozen=True)
class Config:
    """The settings of a run: a frozen object a section, its attributes named as the keys of config_keys.

    Paths are absolute, lists are tuples, numbers that are no counts are float, and a None that stands for a
    value that follows from others is replaced by that value. Configs compare by value.
    """

    DataSetHG: Any
    Network: Any
    Train: Any
    Validation: Any
    Saver: Any
    Device: Any

    def as_dict(self):
        """Return a dict of sections, each a dict of keys, for json; config_from_dict inverts it."""
        return OrderedDict(
            (
                section,
                OrderedDict(
                    (key.name, _plain(getattr(getattr(self, section), key.name)))
                    for key in KEYS
                    if key.section == section
                ),
            )
            for section in SECTIONS
        )

    def hyperparameters(self) -> Hyperparameters:
        """Return the hyperparameters of the network that [Network] selects."""
        return network_hyperparameters({key.name: getattr(getattr(self, key.section), key.name) for key in KEYS})


def load_config(path, overrides=()):
    """Return the Config of a file.

    path: INI text in UTF-8; every value is a Python literal. Section and key names are matched in any case.
    Relative paths in it start from the folder that holds it.
    overrides: strings 'Section.key=value' that replace values of the file, the later the stronger. A value
    that is no literal is taken as text, and as a list of texts in brackets. Relative paths in them start from
    the current folder. A value that only repeats what follows from others, such as hm_size, follows them.
    Raises ConfigError with one line for each of the first ten mistakes.
    """
    path = os.fspath(path)
    parser = read_ini(path)
    draft = _Draft(shown(path, 200), os.path.dirname(os.path.abspath(path)))
    for section in parser.sections():
        if draft.opens(section):
            for spelling, text in parser.items(section):
                draft.put(section, spelling, text, lambda text=text: literal(text))
    return draft.finish(overrides)


def config_from_dict(values, overrides=(), source='config'):
    """Return the Config of a dict of sections, each a dict of keys, with the checks of load_config.

    source: what messages call the dict. Missing keys have their defaults; relative paths start from the
    current folder. Raises ConfigError.
    """
    draft = _Draft(source, os.path.abspath(os.curdir))
    if not isinstance(values, dict) or not all(isinstance(keys, dict) for keys in values.values()):
        raise ConfigError(f'{source}: expected a dict of sections, each a dict of keys, found {shown(printed(values))}')
    for section, keys in values.items():
        if draft.opens(str(section)):
            for spelling, value in keys.items():
                draft.put(str(section), str(spelling), printed(value), lambda value=value: value)
    return draft.finish(overrides)


def format_config(config):
    """Return the text of a config.cfg with every key, from which load_config makes an equal Config."""
    return format_sections(config.as_dict())


def format_sections(sections):
    """Return the text of a config.cfg of a dict of sections, each a dict of keys, as manifests hold them."""
    lines = []
    for section, values in sections.items():
        lines += [f'[{section}]'] + ['{}: {!r}'.format(*item) for item in values.items()] + ['']
    return '\n'.join(lines)


class _Draft:
    """Values on their way to a Config, each with the place where it was given; mistakes are collected."""

    def __init__(self, source, folder):
        self._source = source
        self._folder = folder
        self._sections = {}
        self._values = {}
        self._places = {}
        self._mistakes = []

    def opens(self, section):
        """Tell whether the keys of a section can be taken: it is known, and has not been seen before."""
        place = f'{self._source} [{shown(section)}]'
        name = self._known_section(place, section)
        if name in self._sections:
            self._mistakes.append(f'{place}: the section is already there as [{self._sections[name]}]; join the two')
            return False
        if name is not None:
            self._sections[name] = section
        return name is not None

    def put(self, section, spelling, found, read):
        """Take one key of the source; found is its value for people, read() the value or ValueError."""
        place = f'{self._source} [{shown(section)}] {shown(spelling)}'
        key = self._known_key(place, section, spelling)
        if key is None:
            return
        if key.name in self._places:
            self._mistakes.append(
                f'{place}: the same key is already there as{self._places[key.name][len(self._source) :]}; keep '
                f'one of them'
            )
            return
        self._accept(key, place, found, read, self._folder)

    def finish(self, overrides):
        """Return the Config of what was put and of overrides, or raise ConfigError."""
        overrides = [overrides] if isinstance(overrides, str) else list(overrides)
        if overrides and not self._mistakes:
            self._release_derived()
        for override in overrides:
            self._override(override)
        self._stop_at_mistakes()
        values = self._complete()
        for name, expected, found in contradictions(values):
            self._mistakes.append(
                f'{self._places.get(name, self._place_of_default(name))}: expected {expected}, found {shown(found)}'
            )
        self._stop_at_mistakes()
        return Config(
            **{
                section: _SECTION_TYPES[section](
                    **{key.name: values[key.name] for key in KEYS if key.section == section}
                )
                for section in SECTIONS
            }
        )

    def _override(self, override):
        name, equals, text = override.partition('=')
        section, dot, spelling = name.strip().partition('.')
        place = f'--set {shown(name)}'
        if not equals or not dot:
            key = KEY_BY_SPELLING.get(name.strip().lower(), KEY_BY_SPELLING['batch_size'])
            self._mistakes.append(
                f'{place}: expected Section.key=value, for instance '
                f'{key.section}.{key.name}={shown(text) if equals else 8}; found {shown(override)}'
            )
        elif self._known_section(place, section):
            key = self._known_key(place, section, spelling)
            if key is not None:
                self._accept(key, place, text, lambda: literal_or_words(text), os.path.abspath(os.curdir))

    def _known_section(self, place, section):
        names = {name.lower(): name for name in SECTIONS}
        section = section.strip().lower()
        if section not in names:
            near = difflib.get_close_matches(section[:60], names, 1, 0.0)[0]
            self._mistakes.append(
                '{}: unknown section, the nearest is [{}]; there are {}'.format(
                    place, names[near], ' '.join(f'[{name}]' for name in SECTIONS)
                )
            )
        return names.get(section)

    def _known_key(self, place, section, spelling):
        key = KEY_BY_SPELLING.get(spelling.strip().lower())
        if key is None:
            near = difflib.get_close_matches(spelling.strip()[:60].lower(), KEY_BY_SPELLING, 1, 0.0)[0]
            key = KEY_BY_SPELLING[near]
            self._mistakes.append(
                f'{place}: unknown key, the nearest known key is '
                f'{key.name if near == key.name.lower() else key.other} of [{key.section}]'
            )
            return None
        if not key.anywhere and key.section.lower() != section.strip().lower():
            self._mistakes.append(f'{place}: the key belongs to [{key.section}]; move it there')
            return None
        return key

    def _accept(self, key, place, found, read, folder):
        self._places[key.name] = place
        try:
            self._values[key.name] = _resolve(key, key.rule.accept(read()), folder)
        except ValueError as error:
            self._mistakes.append(f'{place}: expected {str(error) or key.rule.allowed}, found {shown(found)}')

    def _release_derived(self):
        complete = self._complete()
        for key in KEYS:
            if key.derive and self._values.get(key.name) == key.derive(complete):
                del self._values[key.name]

    def _complete(self):
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

    def _place_of_default(self, name):
        return f'{self._source} [{KEY_BY_SPELLING[name.lower()].section}] {name}'

    def _stop_at_mistakes(self):
        lines = self._mistakes[:_MISTAKES_SHOWN]
        if len(self._mistakes) > len(lines):
            lines.append('... and %d more' % (len(self._mistakes) - len(lines)))
        if lines:
            raise ConfigError('\n'.join(lines))


def _resolve(key, value, folder):
    if not key.rule.is_path or value is None:
        return value
    if isinstance(value, tuple):
        return tuple(_resolve(key, path, folder) for path in value)
    return os.path.abspath(os.path.join(folder, os.path.expanduser(value)))


def _plain(value):
    return list(value) if isinstance(value, tuple) else value
