"""The settings for a checkpoint of the original code: from its variables, a config.cfg, and overrides."""

import argparse
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

from hourglass_pose.errors import CheckpointError, UserError

if TYPE_CHECKING:
    from hourglass_pose.checkpoints.stored import StoredNetwork
    from hourglass_pose.config.config import Config

# Settings of the original code for which its config.cfg has no key.
_TRAINING = {'loss': 'sigmoid', 'optimizer': 'rmsprop', 'schedule': 'exponential', 'warmup_steps': 0}

# The hyperparameters that follow from the names and shapes of the variables: {key of the config: field}.
_VISIBLE_IN_VARIABLES = {
    'arch': 'arch',
    'nStack': 'num_stacks',
    'nFeat': 'num_features',
    'nLow': 'num_poolings',
    'nModules': 'num_modules',
    'outputDim': 'num_joints',
    'tiny': 'tiny',
    'attention': 'attention',
}


def predictor_options(options: argparse.Namespace) -> Dict[str, Any]:
    """Return the keywords for Predictor that --config and --set ask for."""
    if not options.config and not options.overrides:
        return {}
    from hourglass_pose.checkpoints.exported import ExportedModel
    from hourglass_pose.checkpoints.opening import open_network
    from hourglass_pose.experiment.experiment import Experiment

    stored = open_network(options.checkpoint)
    if isinstance(stored, ExportedModel) or stored.manifest or stored.variables:
        raise UserError(
            f'{stored.path} carries its own settings; leave out --config and --set, which are for checkpoints of the '
            'original code'
        )
    experiment = Experiment(config_of_original(stored, options.config, options.overrides))
    return {'hyperparameters': experiment.hyperparameters(), 'inference': experiment.inference_record(None)}


def config_of_original(stored: 'StoredNetwork', path: Optional[str] = None, overrides: Sequence[str] = ()) -> 'Config':
    """Return the Config to use a checkpoint of the original code with.

    The network's settings follow from its variables, and those of the file are ignored. All other settings are the
    file's, or the original code's for keys that the file lacks. overrides: as in load_config. Raises CheckpointError
    for an override that contradicts the variables, ConfigError for settings that do not fit such a network.
    """
    from hourglass_pose.config.config import config_from_dict, load_config
    from hourglass_pose.config.text import given_keys

    shown: Dict[str, Any] = {
        key: getattr(stored.hyperparameters, field) for key, field in _VISIBLE_IN_VARIABLES.items()
    }
    if getattr(stored.hyperparameters, 'modif', False):
        shown['modif'] = True
    training: Dict[str, Any] = dict(_TRAINING, sigma=stored.inference.sigma)
    if path is None:
        data = {'joint_list': list(stored.inference.joints)}
        config = config_from_dict(
            {
                'DataSetHG': data,
                'Network': shown,
                'Train': training,
                'Validation': {'flip_test': stored.inference.flip_test},
            },
            overrides,
            stored.path,
        )
    else:
        given = given_keys(path)
        seen = [f'Network.{key}={value!r}' for key, value in shown.items()]
        lacking = [f'Train.{key}={value!r}' for key, value in training.items() if key not in given]
        config = load_config(path, seen + lacking + list(overrides))
    differences = [
        f'{key}: {value!r} / {getattr(config.Network, key)!r}'
        for key, value in shown.items()
        if getattr(config.Network, key) != value
    ]
    if differences:
        raise CheckpointError(
            f'{stored.path}: the checkpoint is of another network (checkpoint / --set): {", ".join(differences)}; '
            'leave these settings out'
        )
    return config


def notes_on_original(stored: 'StoredNetwork', path: Optional[str], config: 'Config') -> List[str]:
    """Return lines on settings of a config file that are not used, or differ from the checkpoint's training."""
    from hourglass_pose.config.text import given_keys

    notes: List[str] = []
    if path is None:
        return notes
    given = given_keys(path)
    for key, field in _VISIBLE_IN_VARIABLES.items():
        stored_value = getattr(stored.hyperparameters, field)
        if given.get(key) is not None and given[key] != stored_value:
            notes.append(
                f'note: {path} sets {key} to {given[key]!r}; the checkpoint has {stored_value!r}, which is used'
            )
    if config.Train.loss != _TRAINING['loss']:
        notes.append(
            f"note: the checkpoint was trained with loss 'sigmoid', it is now trained on with "
            f"'{config.Train.loss}', which {path} sets"
        )
    return notes
