"""submit: writes a network's poses of MPII's test persons as the file that MPII's evaluation accepts."""

import argparse

from hourglass_pose.cli.options import add_original_options, add_prediction_arguments, prediction_options
from hourglass_pose.errors import counted

HELP = "write a network's poses of MPII's test persons as a submission .mat"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--checkpoint', required=True, help='a run folder, or a checkpoint in it such as RUN/best')
    parser.add_argument(
        '--annotations',
        required=True,
        metavar='FILE',
        help='the official mpii_human_pose_v1_u12_1.mat, which lists the persons to predict',
    )
    parser.add_argument('--images', required=True, metavar='DIR', help='folder of the images')
    parser.add_argument(
        '--persons',
        choices=('single', 'all'),
        default='single',
        help='persons who stand apart, as in the single-person protocol (default), or all with position and scale',
    )
    add_prediction_arguments(parser)
    parser.add_argument('--output', required=True, metavar='FILE', help='the .mat to write')
    add_original_options(parser)


def run(options: argparse.Namespace) -> None:
    from hourglass_pose.experiment.evaluation_run import max_unreadable
    from hourglass_pose.files import require_writable
    from hourglass_pose.prediction.measuring import predict_all
    from hourglass_pose.prediction.predictor import Predictor
    from hourglass_pose.scoring.submission_persons import mpii_ids, read_test_persons, write_checked

    require_writable(options.output)
    images, persons = read_test_persons(options.annotations, options.persons, options.images)
    with Predictor(options.checkpoint, **prediction_options(options)) as predictor:
        joint_ids = mpii_ids(predictor.skeleton.joints)
        poses = list(
            predict_all(
                predictor,
                persons,
                scales=options.scales,
                batch_size=options.batch_size,
                workers=options.workers,
                max_unreadable=max_unreadable(predictor),
            )
        )
    print(f'writing {options.output} and reading it again; this takes a minute for all of MPII')
    write_checked(options.output, images, poses, joint_ids, len(persons))
    persons_text = counted(len(poses), 'person')
    print(f'{options.output}: {persons_text} on the {len(images)} test images of {options.annotations}')
