"""Config: the frozen, checked settings of a run, from config.cfg and overrides, and back to text."""

import os
from dataclasses import dataclass, make_dataclass
from functools import partial
from typing import Any, Dict, Iterable, List, Optional, Union

from hourglass_pose.config.draft import Draft
from hourglass_pose.config.keys import KEYS, SECTIONS
from hourglass_pose.config.network_keys import network_hyperparameters
from hourglass_pose.config.text import literal, printed, read_ini, shown
from hourglass_pose.errors import ConfigError
from hourglass_pose.graph.hyperparameters import Hyperparameters

Overrides = Union[str, Iterable[str]]

_SECTION_TYPES = {
    section: make_dataclass(section, [key.name for key in KEYS if key.section == section], frozen=True)
    for section in SECTIONS
}

# The folder of config.cfg in a checkout, which the default paths are relative to.
_FOLDER_OF_DEFAULTS = 'code'


@dataclass(frozen=True)
class Config:
    """The settings of a run: a frozen object a section, its attributes named as the keys.

    Paths are absolute, lists are tuples, numbers other than counts are float, and a None that stands for a derived
    value is replaced by that value. Configs compare by value.
    """

    DataSetHG: Any
    Network: Any
    Train: Any
    Validation: Any
    Saver: Any
    Device: Any

    def as_dict(self) -> Dict[str, Dict[str, Any]]:
        """Return a dict of sections, each a dict of keys, for JSON; config_from_dict inverts it."""
        return {
            section: {
                key.name: _as_lists(getattr(getattr(self, section), key.name)) for key in KEYS if key.section == section
            }
            for section in SECTIONS
        }

    def hyperparameters(self) -> Hyperparameters:
        """Return the hyperparameters of the network that [Network] selects."""
        return network_hyperparameters({key.name: getattr(getattr(self, key.section), key.name) for key in KEYS})


def load_config(path: 'Optional[Union[str, os.PathLike[str]]]', overrides: Overrides = ()) -> Config:
    """Return the Config of a file, or of the defaults.

    Args:
        path: INI text in UTF-8; every value is a Python literal. Section and key names are matched in any case.
            Relative paths in it start from the folder that holds it. None stands for the defaults, as if they
            were in `code/config.cfg`: data is below `data/` and results are below `runs/` of the current folder.
        overrides: strings 'Section.key=value' that replace values of the file, later ones those of earlier ones. A
            value that is not a literal is read as text, or as a list of texts if it is in brackets. Relative paths
            start from the current folder. A value of the file that equals its derived value, such as hm_size, is
            derived again from the overridden values.

    Raises:
        ConfigError: with one line for each of the first ten mistakes.
    """
    if path is None:
        return _config_of(Draft('defaults', os.path.abspath(_FOLDER_OF_DEFAULTS)), overrides)
    path = os.fspath(path)
    parser = read_ini(path)
    draft = Draft(shown(path, 200), os.path.dirname(os.path.abspath(path)))
    for section in parser.sections():
        if draft.opens(section):
            for spelling, text in parser.items(section):
                draft.put(section, spelling, text, partial(literal, text))
    return _config_of(draft, overrides)


def config_from_dict(values: Any, overrides: Overrides = (), source: str = 'config') -> Config:
    """Return the Config of a dict of sections, each a dict of keys, with the checks of load_config.

    source: name of the dict in messages. Missing keys have their defaults; relative paths start from the
    current folder. Raises ConfigError.
    """
    draft = Draft(source, os.path.abspath(os.curdir))
    if not isinstance(values, dict) or not all(isinstance(keys, dict) for keys in values.values()):
        raise ConfigError(f'{source}: expected a dict of sections, each a dict of keys, found {shown(printed(values))}')
    for section, keys in values.items():
        if draft.opens(str(section)):
            for spelling, value in keys.items():
                draft.put(str(section), str(spelling), printed(value), partial(lambda same: same, value))
    return _config_of(draft, overrides)


def _config_of(draft: Draft, overrides: Overrides) -> Config:
    values = draft.finish([overrides] if isinstance(overrides, str) else list(overrides))
    return Config(
        **{
            section: _SECTION_TYPES[section](**{key.name: values[key.name] for key in KEYS if key.section == section})
            for section in SECTIONS
        }
    )


def format_config(config: Config) -> str:
    """Return the text of a config.cfg with every key, which load_config reads as an equal Config."""
    return format_sections(config.as_dict())


def format_sections(sections: Dict[str, Dict[str, Any]]) -> str:
    """Return the text of a config.cfg of a dict of sections, each a dict of keys, as manifests hold them."""
    lines: List[str] = []
    for section, values in sections.items():
        lines += [f'[{section}]'] + [f'{name}: {value!r}' for name, value in values.items()] + ['']
    return '\n'.join(lines)


def _as_lists(value: Any) -> Any:
    return [_as_lists(item) for item in value] if isinstance(value, tuple) else value
