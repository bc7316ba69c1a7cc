"""resume: goes on with a stopped run from its newest intact checkpoint, or trains on from the original code's."""

import os

import hourglass_pose
from hourglass_pose.cli.train import CONFIG_COPY, add_config_arguments, require_data, train
from hourglass_pose.config.config import load_config
from hourglass_pose.errors import CheckpointError
from hourglass_pose.experiment.original_settings import config_of_original, notes_on_original

HELP = 'go on with a stopped run from its newest checkpoint, or train on from a checkpoint of the original code'

# The folder of load.py, where the original code's manual has people put a downloaded checkpoint.
BESIDE = os.path.dirname(os.path.dirname(os.path.abspath(hourglass_pose.__file__)))


def add_arguments(parser):
    add_config_arguments(parser)
    parser.add_argument(
        'checkpoint',
        nargs='?',
        metavar='RUN_OR_PREFIX',
        help='the run folder, or the prefix of a checkpoint of the original code (default: '
        'Saver.saver_directory of the config, then the folder of load.py)',
    )


def run(options):
    folder = options.checkpoint or load_config(options.config, options.overrides).Saver.saver_directory
    from hourglass_pose.checkpoints.folder import CheckpointFolder
    from hourglass_pose.checkpoints.original import find_original

    notes = []
    newest = CheckpointFolder(folder).newest_intact(lambda message: notes.append(f'damaged: {message}'))
    if newest:
        return _go_on(folder, newest, options, notes)
    prefix = find_original(folder) or (None if options.checkpoint else find_original(BESIDE))
    if prefix:
        return _train_on(prefix, options)
    searched = folder if options.checkpoint else f'{folder} and {BESIDE}'
    raise CheckpointError(
        f'{searched}: there is no checkpoint to go on from; name a run folder or the prefix of a checkpoint, '
        'or start a run by "python train_launcher.py"'
    )


def _go_on(folder, newest, options, notes):
    # The settings the run was started with, not those of a config.cfg that may have changed since.
    # The folder itself may have been moved.
    overrides = [f'Saver.saver_directory={folder!r}'] + options.overrides
    config = load_config(os.path.join(folder, CONFIG_COPY), overrides)
    require_data(config)
    train(config, resume_folder=newest, quiet=True, notes=notes + [f'going on from {newest}'])


def _train_on(prefix, options):
    """Start a run of ours with the weights, and the optimizer's state where it fits, of the original code's."""
    from hourglass_pose.checkpoints.stored import open_stored

    stored = open_stored(prefix)
    config = config_of_original(stored, options.config, options.overrides)
    require_data(config)
    trained = '' if stored.step is None else ', trained for %d steps' % stored.step
    notes = [f'training on from {stored.path}{trained}']
    notes += notes_on_original(stored, options.config, config)
    train(config, initial=stored, quiet=options.quiet, notes=notes)
