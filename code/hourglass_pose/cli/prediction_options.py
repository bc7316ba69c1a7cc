"""The prediction options that evaluate and submit share."""

import argparse
from typing import Any, Dict, Tuple

from hourglass_pose.cli.numbers import integer_from
from hourglass_pose.cli.options import add_decoding_option, add_device_options
from hourglass_pose.experiment import original_settings

LARGEST_ZOOM = 4.0


def scales_argument(text: str) -> Tuple[float, ...]:
    """Return the numbers of '0.8,1,1.2'. Raises ArgumentTypeError for any other text."""
    try:
        scales = tuple(float(number) for number in text.split(','))
    except ValueError:
        scales = ()
    if not scales or len(set(scales)) < len(scales) or not all(1 / LARGEST_ZOOM <= s <= LARGEST_ZOOM for s in scales):
        raise argparse.ArgumentTypeError(
            f'expected different numbers from {1 / LARGEST_ZOOM:g} to {LARGEST_ZOOM:g} such as 0.8,1,1.2; found '
            f'{text!r}'
        )
    return scales


def add_prediction_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the prediction options."""
    parser.add_argument(
        '--flip-test',
        choices=('on', 'off'),
        help='average with the heatmaps of the mirrored crop (default: as in the training run)',
    )
    add_decoding_option(parser)
    parser.add_argument(
        '--crop-rule',
        choices=('box', 'centre_scale'),
        help='what crops are centred on (default: as in the training run)',
    )
    parser.add_argument(
        '--scales',
        type=scales_argument,
        default=(1.0,),
        metavar='S,S,...',
        help='average the heatmaps of crops in which the person is this much larger, such as 0.8,1,1.2 (default: 1)',
    )
    parser.add_argument(
        '--batch-size',
        type=integer_from(1),
        default=16,
        help='number of persons prepared in advance; results do not depend on it',
    )
    parser.add_argument(
        '--workers',
        type=integer_from(0),
        default=None,
        help='threads that prepare them, 0 for none (default: one a core); results do not depend on it',
    )
    add_device_options(parser)


def prediction_options(options: argparse.Namespace) -> Dict[str, Any]:
    """Return the keyword arguments for Predictor that follow from the options."""
    return dict(
        original_settings.predictor_options(options),
        flip_test=None if options.flip_test is None else options.flip_test == 'on',
        decoding=options.decoding,
        crop_rule=options.crop_rule,
        device=options.device,
        precision=options.precision,
    )
