"""import-weights: turns the weights of a PyTorch hourglass into a run folder for prediction and further training."""

import argparse

HELP = 'turn weights of a PyTorch hourglass into a checkpoint'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('file', metavar='FILE', help='a state dict, or a checkpoint with one, written by torch.save')
    parser.add_argument(
        '--from',
        required=True,
        choices=('bearpaw', 'princeton'),
        dest='code_base',
        help='code base of the network: bearpaw/pytorch-pose, also anibali/pytorch-stacked-hourglass, or '
        'princeton-vl/pytorch_stacked_hourglass',
    )
    parser.add_argument('--output', required=True, metavar='DIR', help='the run folder to make')


def run(options: argparse.Namespace) -> None:
    from hourglass_pose.experiment.importing import import_run

    import_run(options.file, options.code_base, options.output, print)
