"""synthesize: a data set of rendered people."""

import argparse

HELP = 'render a data set of people: JPEGs and a dataset.txt'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument('--output', required=True, metavar='DIR', help='folder for images/ and dataset.txt')
    parser.add_argument('--images', type=int, default=4000, metavar='N', help='images to render (default: 4000)')
    parser.add_argument('--seed', type=int, default=0, help='another number renders other people (default: 0)')


def run(options: argparse.Namespace) -> None:
    """Render the data set and print the path of its annotations."""
    from hourglass_pose.cli.train import drawing_bar
    from hourglass_pose.cores import available_cores
    from hourglass_pose.errors import UserError
    from hourglass_pose.experiment.experiment import make_folder
    from hourglass_pose.synthetic.dataset import write_synthetic_dataset

    if options.images < 1:
        raise UserError(f'--images: expected an integer >= 1, found {options.images}')
    if not 0 <= options.seed < 2**32:
        raise UserError(f'--seed: expected an integer from 0 to 2^32 - 1, found {options.seed}')
    make_folder(options.output)
    print(write_synthetic_dataset(options.output, options.images, options.seed, drawing_bar, available_cores()))
