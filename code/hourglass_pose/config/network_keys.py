"""The keys of [Network], from the table of architectures, and the hyperparameters that they select."""

import re
from dataclasses import fields
from typing import Any, Callable, Dict, List, Optional

from hourglass_pose.config.key import Contradictions, Key, Values
from hourglass_pose.config.rules import file_prefix
from hourglass_pose.graph.architectures import (
    ARCHITECTURES,
    DEFAULT_ARCHITECTURE,
    FLAGGED,
    field_names,
    find_architecture,
)
from hourglass_pose.graph.hyperparameters import HyperparameterError, Hyperparameters, key_name, setting_of
from hourglass_pose.rules import choice, integer, or_none

_SECTION = 'Network'

_OTHER_SPELLINGS = {
    'nStack': 'nStacks',
    'nFeat': 'nFeats',
    'outputDim': 'num_joints',
    'attention': 'mcam',
    'drop_rate': 'dropout_rate',
}
# In the original code's config.cfg these may be in any section.
_ANYWHERE = ('nStack', 'nFeat', 'nLow', 'nModules', 'outputDim', 'img_size', 'tiny', 'attention', 'modif', 'drop_rate')


def network_hyperparameters(values: Values) -> Hyperparameters:
    """Return the hyperparameters that a configuration selects. Raises HyperparameterError."""
    architecture = find_architecture(values['arch'], values)
    return architecture(**{name: values[key_name(name)] for name in field_names(architecture)})


def network_contradictions(values: Values) -> Contradictions:
    """Yield the contradictions between the values of [Network] and the architecture."""
    try:
        network = network_hyperparameters(values)
    except HyperparameterError as error:
        for name, expected, found in error.mistakes:
            yield key_name(name), _with_key_names(expected), str(found)
        return
    if values['hm_size'] != network.heatmap_size:
        yield 'hm_size', f'None or img_size / {network.stride} = {network.heatmap_size}', f'{values["hm_size"]}'
    for name, key in _own_keys().items():
        if name not in field_names(type(network)):
            value, default = values[key.name], key.rule.accept(key.default)
            # A file may state a value that the architecture fixes.
            if value not in (default, getattr(network, name, default)):
                others = ' or '.join(repr(other) for other in _architectures_with(name))
                yield key.name, f'{default!r}, or arch {others}', f'{value!r} with arch {network.arch!r}'


def network_keys() -> List[Key]:
    """Return the keys of [Network]: those of every network, and the hyperparameters of all architectures."""
    titles = '; '.join(f"'{name}': {architecture.title}" for name, architecture in ARCHITECTURES.items())
    return [
        Key(_SECTION, 'name', 'hourglass', file_prefix(), 'prefix of the checkpoint files', anywhere=True),
        Key(_SECTION, 'arch', DEFAULT_ARCHITECTURE, choice(*ARCHITECTURES), titles),
        Key(
            _SECTION,
            'outputDim',
            None,
            or_none(integer(1)),
            'number of joints; None counts joint_list, and any other number must be that count',
            'num_joints',
            anywhere=True,
            derive=lambda values: len(values['joint_list']),
        ),
        Key(
            _SECTION,
            'img_size',
            256,
            integer(8, multiple=4),
            'side of the network input in pixels, a multiple of 4 * 2^poolings',
            anywhere=True,
            note='Time and memory grow with its square.',
        ),
        Key(
            _SECTION,
            'hm_size',
            None,
            or_none(integer(2)),
            'side of the heatmaps in cells; None stands for img_size / 4, the only size there is',
            anywhere=True,
            derive=_derived('heatmap_size'),
        ),
    ] + list(_own_keys().values())


def _own_keys() -> Dict[str, Key]:
    """Return {hyperparameter: key} of those that are not common to all networks."""
    common = field_names(Hyperparameters)
    keys = {}
    for architecture in ARCHITECTURES.values():
        for declared in fields(architecture):
            if declared.name not in common and declared.name not in keys:
                key, setting = key_name(declared.name), setting_of(declared)
                keys[declared.name] = Key(
                    _SECTION,
                    key,
                    declared.default,
                    setting.rule,
                    _with_key_names(setting.effect) + _restriction(declared.name),
                    _OTHER_SPELLINGS.get(key, ''),
                    key in _ANYWHERE,
                    _derived(declared.name) if declared.default is None else None,
                    setting.note,
                )
    return keys


def _restriction(hyperparameter: str) -> str:
    """Return the end of an effect: which architectures have the hyperparameter, '' for all."""
    owners = _architectures_with(hyperparameter)
    text = '' if len(owners) == len(ARCHITECTURES) else f'; arch {" and ".join(map(repr, owners))} only'
    for (name, flag), architecture in FLAGGED.items():
        if flag == hyperparameter:
            text += f'; with arch {name!r} it stands for arch {architecture!r}'
    return text


def _architectures_with(hyperparameter: str) -> List[str]:
    return [name for name, architecture in ARCHITECTURES.items() if hyperparameter in field_names(architecture)]


def _derived(attribute: str) -> Callable[[Values], Optional[Any]]:
    """Return the function that derives a value from the hyperparameters, or returns None if that is impossible."""

    def derive(values: Values) -> Optional[Any]:
        try:
            return getattr(network_hyperparameters({**values, key_name(attribute): None}), attribute, None)
        except HyperparameterError:
            return None

    return derive


def _with_key_names(text: str) -> str:
    return re.sub(r'\b\w+\b', lambda word: key_name(word.group()), text)
