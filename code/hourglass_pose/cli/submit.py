"""submit: a network's poses of MPII's test persons, as the file that MPII's evaluation takes."""

import os
from dataclasses import replace

from hourglass_pose.cli.options import add_original_options
from hourglass_pose.cli.prediction_options import (
    add_prediction_arguments,
    check_numbers,
    make_generator,
    prediction_options,
    progress_bar,
)
from hourglass_pose.errors import UserError

HELP = "write a network's poses of MPII's test persons as a submission .mat"


def add_arguments(parser):
    parser.add_argument('--checkpoint', required=True, help='a run folder, or a checkpoint in it such as RUN/best')
    parser.add_argument(
        '--annotations',
        required=True,
        metavar='FILE',
        help='the official mpii_human_pose_v1_u12_1.mat, which says who is to be predicted',
    )
    parser.add_argument('--images', required=True, metavar='DIR', help='folder of the images')
    parser.add_argument(
        '--persons',
        choices=('single', 'all'),
        default='single',
        help='persons who stand apart, as the single-person protocol has it (default), or all with position and scale',
    )
    add_prediction_arguments(parser)
    parser.add_argument('--output', required=True, metavar='FILE', help='the .mat to write')
    add_original_options(parser)


def run(options):
    from hourglass_pose.converters.mpii_mat import read_mpii_mat
    from hourglass_pose.prediction.predictor import Predictor
    from hourglass_pose.scoring.array_files import read_arrays
    from hourglass_pose.scoring.submission import find_release, official_images

    check_numbers(options)
    release = find_release(read_arrays(options.annotations))
    if release is None:
        raise UserError(
            f'{options.annotations}: no official annotations (RELEASE with annolist, img_train and single_person); a '
            'submission is for the test images that they name'
        )
    images = [image for image in official_images(release, options.annotations) if not image.is_training]
    del release
    everyone = [person for person in read_mpii_mat(options.annotations) if person is not None]
    persons = choose_persons(images, everyone, options.persons, options.images, options.annotations)
    with Predictor(options.checkpoint, **prediction_options(options)) as predictor:
        poses = predict(predictor, persons, options)
        joint_ids = mpii_ids(predictor.skeleton.joints)
    print(f'writing {options.output} and reading it again; a structure of so many parts takes a minute')
    write_checked(options.output, images, poses, joint_ids, len(persons))
    print(
        '%s: %d persons in %d of %d test images; as many as %s asks for'
        % (options.output, len(persons), len(poses), len(images), options.annotations)
    )


def choose_persons(images, everyone, which, folder, path):
    """Return the Persons to predict, in the order of the official file, with the paths of their pictures.

    which: 'single' or 'all'. Raises UserError where one of 'single' has no position or scale, or nobody is left.
    """
    known = {
        (person.image, person.person_index): person
        for person in everyone
        if person.centre_img is not None and person.scale is not None
    }
    chosen = []
    for image in images:
        wanted = sorted(image.single) if which == 'single' else range(image.num_rects)
        for rect in wanted:
            person = known.get((image.name, rect))
            if person is not None:
                chosen.append(replace(person, image_path=os.path.join(folder, image.name)))
            elif which == 'single':
                raise UserError(
                    '%s: person %d of %s is to be predicted and has no position or scale; get the file '
                    'anew, or take --persons all' % (path, rect + 1, image.name)
                )
    if not chosen:
        raise UserError(f'{path}: no person of a test image has position and scale; give the official annotations')
    return chosen


def predict(predictor, persons, options):
    """Return {image name: {rect index: joints (J, 2) counted from 1}}."""
    from hourglass_pose.evaluation.evaluator import predict_persons

    generator = make_generator(persons, predictor, options.scales, options.batch_size, options.workers)
    poses = {}
    for index, joints_img, _ in predict_persons(
        generator, predictor.last_logits, predictor.flip_test, progress_bar(generator)
    ):
        person = persons[index]
        # The official file, and whoever evaluates the submission, counts pixels from 1.
        poses.setdefault(person.image, {})[person.person_index] = joints_img + 1.0
    return poses


def mpii_ids(joints):
    """Return MPII's number of each joint. Raises UserError for joints that MPII does not have, or that are lacking."""
    from hourglass_pose.skeleton import MPII_JOINTS

    if sorted(joints) != sorted(MPII_JOINTS):
        raise UserError(
            "the network's %d joints are not MPII's %d; a submission needs these: %s"
            % (len(joints), len(MPII_JOINTS), ', '.join(MPII_JOINTS))
        )
    return [MPII_JOINTS.index(name) for name in joints]


def write_checked(path, images, poses, joint_ids, expected):
    """Write the submission and read it again. Raises UserError unless it has the expected number of persons.

    images: [OfficialImage, ...] in their order. poses: as predict returns them.
    """
    from hourglass_pose.scoring.array_files import read_arrays
    from hourglass_pose.scoring.submission import find_submission, read_submission, write_submission

    count = sum(len(of_image) for of_image in poses.values())
    if count != expected:
        raise UserError(
            '%d of %d persons were predicted; the pictures of the others cannot be read, and a submission '
            'has to have all' % (count, expected)
        )
    write_submission(path, [(image.name, poses.get(image.name, {}), image.num_rects) for image in images], joint_ids)
    structure = find_submission(read_arrays(path))
    found = len(read_submission(structure, path))
    if (found, structure.size) != (expected, len(images)):
        raise UserError(
            '%s: holds %d persons in %d images, and not %d in %d; do not submit it'
            % (path, found, structure.size, expected, len(images))
        )
