"""resume: continues a stopped run from its newest checkpoint, or the training of the original code's checkpoint."""

import argparse

from hourglass_pose.cli.options import add_config_options, config_path

HELP = 'continue a stopped run from its newest checkpoint, or the training of a checkpoint of the original code'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config_options(parser)
    parser.add_argument('--quiet', action='store_true', help='do not print the resolved settings')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        metavar='RUN_OR_CHECKPOINT',
        help='a run folder, a checkpoint in it, or the prefix of a checkpoint of the original code (default: '
        'Saver.saver_directory of the config, then the folder of load.py)',
    )


def run(options: argparse.Namespace) -> None:
    from hourglass_pose.experiment.starting import resume

    resume(options.checkpoint, config_path(options), options.overrides, options.quiet)
