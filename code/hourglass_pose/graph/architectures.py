"""The table of network architectures: their names and hyperparameters, without TensorFlow."""

from dataclasses import fields
from typing import Any, Dict, Mapping, Type

from hourglass_pose.graph.hyperparameters import HyperparameterError, Hyperparameters
from hourglass_pose.graph.modelzoo.hyperparameters import ModelzooHyperparameters
from hourglass_pose.graph.newell.hyperparameters import NewellHyperparameters
from hourglass_pose.graph.newell_attention.hyperparameters import NewellAttentionHyperparameters
from hourglass_pose.rules import one_of

ARCHITECTURES: Dict[str, Type[Hyperparameters]] = {
    'newell': NewellHyperparameters,
    'newell_attention': NewellAttentionHyperparameters,
    'modelzoo': ModelzooHyperparameters,
}

DEFAULT_ARCHITECTURE = 'newell'

FLAGGED = {('newell', 'attention'): 'newell_attention'}
"""(name, flag) -> the architecture that earlier versions wrote as this name with this flag."""

# The fields of the record that all architectures shared in the manifests of earlier versions.
_FORMER_FIELDS = (
    'num_stacks num_features num_poolings num_modules num_joints input_size stem_features tiny attention '
    'attention_kernel attention_iterations modif drop_rate input_mean'
).split()


def find_architecture(name: str, values: Mapping[str, Any]) -> Type[Hyperparameters]:
    """Return the class of an architecture's hyperparameters. values: hyperparameters with possible flags, see FLAGGED.

    Raises HyperparameterError for an unknown name.
    """
    for (flagged, flag), architecture in FLAGGED.items():
        if name == flagged and values.get(flag):
            name = architecture
    if name not in ARCHITECTURES:
        raise HyperparameterError(('arch', one_of(ARCHITECTURES), repr(name)))
    return ARCHITECTURES[name]


def make_hyperparameters(arch: str = DEFAULT_ARCHITECTURE, **values: Any) -> Hyperparameters:
    """Return the hyperparameters of an architecture; those that are not given take their defaults.

    Raises HyperparameterError for a network that cannot be built, and for names that the architecture does not have.
    """
    architecture = find_architecture(arch, values)
    own = {name: value for name, value in values.items() if (arch, name) not in FLAGGED}
    for name in set(own) - field_names(architecture):
        raise HyperparameterError((name, f'no such hyperparameter with arch {architecture.arch!r}', repr(own[name])))
    return architecture(**own)


def hyperparameters_from_dict(values: Mapping[str, Any]) -> Hyperparameters:
    """Return the hyperparameters that a manifest holds, of this version (`as_dict`) or of earlier ones.

    Earlier versions wrote the fields of all architectures, also those that the network does not have.
    Raises HyperparameterError.
    """
    name = values.get('arch', DEFAULT_ARCHITECTURE)
    architecture = find_architecture(name, values)
    dropped = set(_FORMER_FIELDS) - field_names(architecture)
    own = {field: value for field, value in values.items() if field != 'arch' and field not in dropped}
    return make_hyperparameters(architecture.arch, **own)


def field_names(architecture: Type[Hyperparameters]) -> set:
    """Return the names of an architecture's hyperparameters."""
    return {declared.name for declared in fields(architecture)}
