"""Options that several subcommands share: --config and --set, --device and --precision, --decoding."""

import argparse
import os
from typing import Any, Optional

CONFIG = 'config.cfg'
DEVICES = ('auto', 'cpu', 'gpu', 'npu')
PRECISIONS = ('auto', 'float32', 'mixed')

CHECKPOINT_HELP = (
    'a run folder, a checkpoint in it such as RUN/best, a checkpoint of the original TensorFlow 1 code, or weights of '
    'a PyTorch hourglass'
)


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
