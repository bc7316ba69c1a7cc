"""prepare: turns the official files of MPII, LSP and COCO into annotations for training and evaluation."""

import argparse
from typing import Dict

from hourglass_pose.cli.options import add_config_options, load_run_config
from hourglass_pose.converters.formats import BOX_KINDS, FORMATS

HELP = 'turn the files of MPII, LSP or COCO into annotations'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument('data_set', choices=sorted(FORMATS), help='the data set')
    parser.add_argument(
        '--annotations',
        required=True,
        nargs='+',
        metavar='FILE',
        help=_listed({name: data_format.files for name, data_format in FORMATS.items()}),
    )
    parser.add_argument(
        '--images', required=True, metavar='DIR', help='folder of the images, which may still be missing'
    )
    parser.add_argument(
        '--output',
        required=True,
        metavar='FILE',
        help='file to write: lines of JSON, or dataset.txt for a name that ends in .txt; .gz compresses it',
    )
    parser.add_argument(
        '--head-boxes',
        metavar='FILE',
        help='mpii: detections_our_format.mat or gt_valid.mat, for head boxes of validation persons',
    )
    parser.add_argument(
        '--split-list', metavar='FILE', help='persons to validate with: one image name or NAME[LETTER] a line'
    )
    parser.add_argument(
        '--boxes',
        choices=sorted(BOX_KINDS),
        help=f'boxes to write; {_listed(BOX_KINDS)}. Choices of each data set, the default first: '
        + _listed({name: ' or '.join(data_format.boxes) for name, data_format in FORMATS.items()}),
    )
    parser.add_argument(
        '--joints',
        choices=sorted({joints for data_format in FORMATS.values() for joints in data_format.joints}),
        help='joints to write: those of a skeleton, or of the file. Choices of each data set, the default first: '
        + _listed({name: ' or '.join(data_format.joints) for name, data_format in FORMATS.items()}),
    )
    parser.add_argument(
        '--existing-only', action='store_true', help='leave out persons whose image is not in the folder'
    )
    parser.add_argument(
        '--pack',
        metavar='DIR',
        help='also pack the persons: a new folder with their crops, which training reads faster; --config and --set '
        'give size and augmentations of the crops',
    )
    add_config_options(parser)


def _listed(meanings: Dict[str, str]) -> str:
    return '; '.join(f'{name}: {meaning}' for name, meaning in meanings.items())


def run(options: argparse.Namespace) -> None:
    """Prepare the files, pack the persons if asked to, and print what was written and left out."""
    from hourglass_pose.converters.preparing import Preparation, prepare

    fields = {name: getattr(options, name) for name in Preparation.__dataclass_fields__}
    config = load_run_config(options) if options.pack else None
    for line in prepare(Preparation(**fields)):
        print(line)
    if config:
        from hourglass_pose.experiment.packed_data import make_pack

        for line in make_pack(config, options.output, options.images, options.pack):
            print(line)
