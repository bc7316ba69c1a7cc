"""train: trains a network from random weights or from those of another network."""

import argparse
from typing import Any

from hourglass_pose.cli.options import CHECKPOINT_HELP, add_config_options, load_run_config

HELP = 'train a network from the settings of a config.cfg'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config_options(parser)
    parser.add_argument('--quiet', action='store_true', help='do not print the resolved settings')
    parser.add_argument(
        '--synthetic', action='store_true', help='render DataSetHG.synthetic_images pictures of people to train on'
    )
    parser.add_argument(
        '--fresh', action='store_true', help='start over: an earlier run in Saver.saver_directory is set aside'
    )
    parser.add_argument(
        '--initialise-from',
        metavar='CHECKPOINT',
        help=f'start with the weights of {CHECKPOINT_HELP}; joints, stacks and input size may differ',
    )


def run(options: argparse.Namespace) -> None:
    from hourglass_pose.checkpoints.opening import open_checkpoint
    from hourglass_pose.experiment.starting import train

    config = load_run_config(options)
    if config.Train.training:
        weights = open_checkpoint(options.initialise_from) if options.initialise_from else None
        train(config, weights_from=weights, fresh=options.fresh, quiet=options.quiet, synthetic=options.synthetic)
    else:
        _validate(config, options.synthetic)


def _validate(config: Any, synthetic: bool) -> None:
    """Measure the newest checkpoint of the run on its validation persons."""
    from hourglass_pose.experiment.evaluation_run import evaluate_checkpoint
    from hourglass_pose.experiment.training_data import require_data, with_synthetic_people

    config = with_synthetic_people(config) if synthetic else config
    require_data(config)
    data, folder = config.DataSetHG, config.Saver.saver_directory
    evaluate_checkpoint(
        folder,
        data.training_txt_file,
        data.img_directory,
        folder,
        'valid',
        data.on_bad_annotation,
        batch_size=config.Validation.valid_batch_size,
        flip_test=config.Validation.flip_test,
        decoding=config.Validation.decoding,
        device=config.Device.device,
        precision=config.Device.precision,
    )
