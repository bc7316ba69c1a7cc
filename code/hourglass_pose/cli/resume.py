"""resume: goes on with a stopped run from its newest intact checkpoint."""

import os

from hourglass_pose.cli.train import CONFIG_COPY, add_config_arguments, require_data, train
from hourglass_pose.config import load_config
from hourglass_pose.errors import CheckpointError

HELP = 'go on with a stopped run from its newest checkpoint'


def add_arguments(parser):
    add_config_arguments(parser)
    parser.add_argument('checkpoint', nargs='?', metavar='RUN',
                        help='the run folder (default: Saver.saver_directory of the config)')


def run(options):
    folder = options.checkpoint or load_config(options.config, options.overrides).Saver.saver_directory
    from hourglass_pose.training.checkpoint import CheckpointFolder
    newest = CheckpointFolder(folder).newest_intact(lambda message: print('damaged: %s' % message))
    if not newest:
        raise CheckpointError('%s: there is no checkpoint to go on from; name a run folder, or start one by '
                              '"python train_launcher.py"' % folder)
    # The settings the run was started with, not those of a config.cfg that may have changed since.
    # The folder itself may have been moved.
    overrides = ['Saver.saver_directory=%r' % folder] + options.overrides
    config = load_config(os.path.join(folder, CONFIG_COPY), overrides)
    require_data(config)
    print('going on from %s' % newest)
    train(config, resume_folder=newest, quiet=True)
