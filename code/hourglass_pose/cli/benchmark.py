"""benchmark: speed of a training step, of its input or of prediction, compared with another config or checkout."""

import argparse
import json
import os
import platform
import sys
from typing import Any

import hourglass_pose
from hourglass_pose.cli.options import add_config_options, config_path, integer_from

HELP = 'measure the speed of training steps, input or prediction, and compare it with another config or checkout'

_CODE = os.path.dirname(os.path.dirname(os.path.abspath(hourglass_pose.__file__)))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'what',
        nargs='?',
        choices=('step', 'input', 'predict', 'scale'),
        default='step',
        help='step (default): a training step on random images; input: batches of the training data; predict: one '
        'photo with the network of --checkpoint; scale: a step of several processes that train together',
    )
    add_config_options(parser)
    parser.add_argument(
        '--compare',
        '--rival',
        action='append',
        default=[],
        metavar='SECTION.KEY=VALUE',
        help='also measure the same config with this setting; may be repeated',
    )
    parser.add_argument('--against', metavar='FOLDER', help='also measure another checkout of this project')
    parser.add_argument('--checkpoint', help='the network for predict')
    parser.add_argument('--workers', type=integer_from(2), default=2, help='processes of scale (default: 2)')
    parser.add_argument('--steps', type=integer_from(1), default=20, help='measured runs of each side (default: 20)')
    parser.add_argument('--output', metavar='FILE', help='write all measurements as JSON')
    parser.add_argument('--serve', action='store_true', help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> None:
    if options.serve:
        return _serve()
    from hourglass_pose.files import require_writable, write_whole

    if options.output:
        require_writable(options.output)
    measured = _scaling(options) if options.what == 'scale' else _comparison(options)
    print('\n'.join(measured.lines()))
    if options.output:
        content = dict(
            measured.as_dict(),
            what=options.what,
            command=' '.join(sys.argv),
            python=platform.python_version(),
            processors=os.cpu_count(),
        )
        write_whole(options.output, f'{json.dumps(content, indent=2)}\n'.encode())


def _comparison(options: argparse.Namespace) -> Any:
    from hourglass_pose.benchmark.comparison import compare
    from hourglass_pose.experiment.benchmark.sides import open_sides

    with open_sides(
        options.what,
        config_path(options),
        options.overrides,
        options.compare,
        options.checkpoint,
        _CODE,
        options.against,
    ) as (sides, peak):
        return compare(sides, options.steps, peak)


def _scaling(options: argparse.Namespace) -> Any:
    from hourglass_pose.benchmark.scaling import measure_scaling
    from hourglass_pose.experiment.benchmark.sides import check_arguments, open_crowd

    check_arguments(options.what, options.compare, options.checkpoint, options.against)
    with open_crowd(config_path(options), options.overrides, _CODE, options.workers) as crowd:
        return measure_scaling(crowd, options.steps)


def _serve() -> None:
    """Run as a worker of a comparison: measure on requests from the standard input."""
    from hourglass_pose.benchmark.worker import serve
    from hourglass_pose.experiment.benchmark.timed import serve_order

    serve_order(json.loads(sys.stdin.readline()), lambda parts: serve(parts, sys.stdin))
