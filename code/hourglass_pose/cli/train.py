"""train: from random weights, or those of another network, to a trained one."""

import argparse
from typing import Any

from hourglass_pose.cli.options import add_config_options, config_path

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


def run(options: argparse.Namespace) -> None:
    from hourglass_pose.config.config import load_config
    from hourglass_pose.experiment.starting import train

    config = load_config(config_path(options), options.overrides)
    if config.Train.training:
        train(config, fresh=options.fresh, quiet=options.quiet, synthetic=options.synthetic)
    else:
        _validate(config, options.synthetic)


def _validate(config: Any, synthetic: bool) -> None:
    """Measure the newest checkpoint of the run on its validation persons."""
    from hourglass_pose.cli.evaluate import evaluate
    from hourglass_pose.experiment.training_data import require_data, with_synthetic_people

    config = with_synthetic_people(config) if synthetic else config
    require_data(config)
    data, folder = config.DataSetHG, config.Saver.saver_directory
    evaluate(
        folder,
        data.training_txt_file,
        data.img_directory,
        folder,
        'valid',
        data.on_bad_annotation,
        flip_test=config.Validation.flip_test,
        decoding=config.Validation.decoding,
        device=config.Device.device,
        precision=config.Device.precision,
        batch_size=config.Validation.valid_batch_size,
    )
