"""The settings that a checkpoint of the original code is used with: what it shows, a config.cfg, and overrides."""

from hourglass_pose.checkpoints.exported import is_exported
from hourglass_pose.errors import CheckpointError, UserError

# What the original code does where its config.cfg has no key for it.
_TRAINING = {'loss': 'sigmoid', 'optimizer': 'rmsprop', 'schedule': 'exponential', 'warmup_steps': 0}

# Traits that variables show, by the key that says them.
_SHOWN = {
    'arch': 'arch',
    'nStack': 'num_stacks',
    'nFeat': 'num_features',
    'nLow': 'num_poolings',
    'nModules': 'num_modules',
    'outputDim': 'num_joints',
    'tiny': 'tiny',
    'attention': 'attention',
}


def add_arguments(parser):
    """Add --config and --set, for what a checkpoint of the original code cannot show."""
    parser.add_argument('--config', help='config.cfg of a checkpoint of the original code, which has no manifest')
    parser.add_argument(
        '--set',
        action='append',
        default=[],
        metavar='SECTION.KEY=VALUE',
        dest='overrides',
        help='a setting of such a checkpoint, for instance Network.modif=True; may be repeated',
    )


def predictor_options(options):
    """Return the keywords for Predictor that --config and --set ask for."""
    if not options.config and not options.overrides:
        return {}
    if is_exported(options.checkpoint):
        raise UserError(
            f'{options.checkpoint}: an exported model carries its own settings; leave out --config and --set'
        )
    from hourglass_pose.checkpoints.stored import open_stored
    from hourglass_pose.experiment.experiment import Experiment

    stored = open_stored(options.checkpoint)
    if stored.manifest:
        raise UserError(
            f'{stored.path} carries its own settings; leave out --config and --set, which are for checkpoints of the '
            'original code'
        )
    experiment = Experiment(config_of_original(stored, options.config, options.overrides))
    return {'traits': experiment.traits(), 'inference': experiment.inference_record(None)}


def config_of_original(stored, path=None, overrides=()):
    """Return the Config to use a checkpoint of the original code with.

    The network's settings are those that its variables show, whatever a file says. All others are the file's, for
    keys that it lacks those of the original code. overrides: as in load_config; one that contradicts the variables is
    a CheckpointError. Raises ConfigError for settings that cannot go with such a network.
    """
    from hourglass_pose.config.config import config_from_dict, load_config
    from hourglass_pose.config.text import given_keys

    shown = {key: getattr(stored.traits, trait) for key, trait in _SHOWN.items()}
    if stored.traits.modif:
        shown['modif'] = True
    training = dict(_TRAINING, sigma=stored.inference.sigma)
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
        seen = ['Network.{}={!r}'.format(*item) for item in shown.items()]
        lacking = ['Train.{}={!r}'.format(*item) for item in training.items() if item[0] not in given]
        config = load_config(path, seen + lacking + list(overrides))
    differences = [
        f'{key}: {value!r} / {getattr(config.Network, key)!r}'
        for key, value in shown.items()
        if getattr(config.Network, key) != value
    ]
    if differences:
        raise CheckpointError(
            '{}: the checkpoint is of another network (checkpoint / --set): {}; leave these settings out'.format(
                stored.path, ', '.join(differences)
            )
        )
    return config


def notes_on_original(stored, path, config):
    """Return lines on what of a config file does not rule, or does what the checkpoint's training did not."""
    from hourglass_pose.config.text import given_keys

    notes = []
    given = given_keys(path)
    for key, trait in _SHOWN.items():
        if given.get(key) is not None and given[key] != getattr(stored.traits, trait):
            notes.append(
                f'note: {path} says {key} {given[key]!r}; the checkpoint has {getattr(stored.traits, trait)!r}, '
                f'which is used'
            )
    if config.Train.loss != _TRAINING['loss']:
        notes.append(
            f"note: the checkpoint was trained with loss 'sigmoid', it is now trained on with "
            f"'{config.Train.loss}', as {path} says"
        )
    return notes
