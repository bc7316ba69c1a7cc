"""Options that several subcommands share, and the types of their values."""

import argparse
import math
import os
from typing import Any, Callable, Dict, Optional, Tuple

from hourglass_pose.experiment import original_settings

CONFIG = 'config.cfg'
DEVICES = ('auto', 'cpu', 'gpu', 'npu')
PRECISIONS = ('auto', 'float32', 'mixed')
LARGEST_ZOOM = 4.0

CHECKPOINT_HELP = (
    'a run folder, a checkpoint in it such as RUN/best, a checkpoint of the original TensorFlow 1 code, or weights of '
    'a PyTorch hourglass'
)


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


def integer_from(least: int) -> Callable[[str], int]:
    """Return an argument type: integers that are at least `least`."""

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f'expected an integer >= {least}, found {text!r}')
        return number

    return convert


def finite_number(text: str) -> float:
    """Return the number of a text. Raises ArgumentTypeError for any other text, NaN and infinity included."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f'expected a number such as 0.5, found {text!r}')
    return number


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add --config and --set, the settings of a run."""
    parser.add_argument('--config', help='the settings (default: config.cfg in this folder, otherwise the defaults)')
    _add_set(parser, 'override a setting, for instance Train.batch_size=8; may be repeated')


def add_original_options(parser: argparse.ArgumentParser) -> None:
    """Add --config and --set, for the settings that a checkpoint of the original code does not hold."""
    parser.add_argument('--config', help='config.cfg of a checkpoint of the original code, which has no manifest')
    _add_set(parser, 'a setting of such a checkpoint, for instance Network.modif=True; may be repeated')


def add_device_options(parser: argparse.ArgumentParser) -> None:
    """Add --device and --precision."""
    parser.add_argument('--device', choices=DEVICES, default='auto', help='where the network runs (default: auto)')
    parser.add_argument(
        '--precision',
        choices=PRECISIONS,
        default='float32',
        help='mixed: 16 bits where they suffice; auto: mixed on devices that gain by it (default: float32)',
    )


def add_decoding_option(parser: argparse.ArgumentParser) -> None:
    """Add --decoding."""
    from hourglass_pose.representations.heatmap.numpy import DECODINGS

    parser.add_argument(
        '--decoding', choices=DECODINGS, help='how a heatmap becomes a joint (default: as in the training run)'
    )


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


def _add_set(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument('--set', action='append', default=[], metavar='SECTION.KEY=VALUE', dest='overrides', help=text)


def config_path(options: argparse.Namespace) -> Optional[str]:
    """Return the file that --config names, otherwise config.cfg if it is in this folder, otherwise None."""
    if options.config or os.path.isfile(CONFIG):
        return options.config or CONFIG
    return None


def load_run_config(options: argparse.Namespace) -> Any:
    """Return the Config of --config and --set, and print a line if there is no file."""
    from hourglass_pose.config.config import load_config

    path = config_path(options)
    if path is None:
        print(f'note: there is no {CONFIG} in this folder; the default settings are used; change one by --set')
    return load_config(path, options.overrides)
