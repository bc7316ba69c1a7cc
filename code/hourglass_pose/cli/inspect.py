"""inspect: describes a checkpoint: its network, training, data and versions."""

import argparse
import json

from hourglass_pose.cli.options import CHECKPOINT_HELP

HELP = 'describe a checkpoint'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help=CHECKPOINT_HELP)
    parser.add_argument('--json', action='store_true', help='print it as JSON')


def run(options: argparse.Namespace) -> None:
    from hourglass_pose.checkpoints.description import describe
    from hourglass_pose.checkpoints.opening import open_checkpoint

    record = describe(open_checkpoint(options.checkpoint))
    if options.json:
        print(json.dumps(record, indent=2))
        return
    width = max(map(len, record))
    for name, value in record.items():
        for number, line in enumerate(value if isinstance(value, list) else [value]):
            print(f'{"" if number else name:{width}}  {line}')
