"""synthesize: a data set of drawn people."""

import os

HELP = 'draw a data set of people: JPEGs and a dataset.txt'


def add_arguments(parser):
    parser.add_argument('--output', required=True, metavar='DIR', help='folder for images/ and dataset.txt')
    parser.add_argument('--images', type=int, default=4000, metavar='N', help='pictures to draw (default: 4000)')
    parser.add_argument('--seed', type=int, default=0, help='another number draws other people (default: 0)')


def run(options):
    from hourglass_pose.errors import UserError
    from hourglass_pose.experiment.experiment import make_folder
    from hourglass_pose.experiment.training_data import rendering_bar
    from hourglass_pose.synthetic.dataset import write_synthetic_dataset

    if options.images < 1:
        raise UserError('--images: expected an integer >= 1, found %d' % options.images)
    if not 0 <= options.seed < 2**32:
        raise UserError('--seed: expected an integer from 0 to 2^32 - 1, found %d' % options.seed)
    make_folder(options.output)
    print(write_synthetic_dataset(options.output, options.images, options.seed, rendering_bar, os.cpu_count() or 1))
