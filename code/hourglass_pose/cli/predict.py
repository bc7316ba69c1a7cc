"""predict: joints in photos, as a JSON and a picture for each."""

import argparse
import os

from tqdm import tqdm

from hourglass_pose.cli.options import add_device_options, add_original_options
from hourglass_pose.errors import ImageError, UserError
from hourglass_pose.experiment import original_settings

HELP = 'find the joints of the person in each photo'


def box_argument(text):
    """Return the four numbers of 'x,y,width,height'."""
    try:
        x, y, width, height = [float(number) for number in text.split(',')]
    except ValueError:
        raise argparse.ArgumentTypeError(f'expected x,y,width,height in pixels, such as 10,20,100,200; found {text!r}')
    return x, y, width, height


def add_arguments(parser):
    parser.add_argument('--checkpoint', required=True, help='a run folder, or a checkpoint in it such as RUN/best')
    parser.add_argument('images', nargs='+', metavar='IMAGE_OR_FOLDER', help='photos, or folders of photos')
    parser.add_argument(
        '--box',
        type=box_argument,
        metavar='X,Y,W,H',
        help='where the person is, in pixels (default: the whole photo); one photo only',
    )
    parser.add_argument('--min-score', type=float, default=0.0, help='joints scored below are not drawn (default: 0)')
    add_device_options(parser)
    parser.add_argument('--output', required=True, metavar='DIR', help='folder for the results')
    add_original_options(parser)


def run(options):
    from hourglass_pose.experiment.experiment import make_folder
    from hourglass_pose.images import list_images

    paths = list_images(options.images)
    if options.box and len(paths) > 1:
        raise UserError(f'--box fits one photo, found {len(paths)}; call predict for each')
    from hourglass_pose.prediction.predictor import Predictor

    make_folder(options.output)
    failures = []
    with Predictor(
        options.checkpoint,
        device=options.device,
        precision=options.precision,
        batch_size=1,
        **original_settings.predictor_options(options),
    ) as predictor:
        bar = tqdm(paths, unit='photo', disable=len(paths) < 2 or None, leave=False)
        for path, stem in zip(bar, output_stems(paths)):
            try:
                _predict_one(predictor, path, os.path.join(options.output, stem), options)
            except ImageError as error:
                # One bad photo among many must not cost the others.
                failures.append(str(error))
    done = len(paths) - len(failures)
    if done:
        print('%d %s in %s: a JSON and a picture for each' % (done, 'photo' if done == 1 else 'photos', options.output))
    if failures:
        raise ImageError('\n'.join(failures))


def output_stems(paths):
    """Return a distinct file name without ending for each photo, its own where no other has it."""
    stems, taken = [], set()
    for path in paths:
        stem = base = os.path.splitext(os.path.basename(path))[0]
        count = 1
        while stem in taken:
            count += 1
            stem = '%s_%d' % (base, count)
        taken.add(stem)
        stems.append(stem)
    return stems


def _predict_one(predictor, path, output, options):
    from hourglass_pose.images import read_image
    from hourglass_pose.report.drawing import draw_skeleton, write_png
    from hourglass_pose.report.tables import write_json
    from hourglass_pose.tf_compat import describe_versions

    image = read_image(path)
    pose = predictor.predict(image, options.box)
    record = pose.as_dict()
    record.update(
        image=os.path.basename(path),
        image_size=[image.shape[1], image.shape[0]],
        frame='0-based pixels of the upright photo: x right, y down, pixel centres at integers; '
        'joints are x, y, score and the box is x, y, width, height',
        checkpoint=predictor.stored.path,
        step=predictor.stored.step,
        flip_test=predictor.flip_test,
        decoding=predictor.codec.decoding,
        versions=describe_versions(),
    )
    write_json(f'{output}.json', record)
    write_png(
        f'{output}.png', draw_skeleton(image, pose.joints_img, predictor.skeleton, pose.scores, options.min_score)
    )
