"""predict: joints in photos, as a JSON and a picture for each."""

import argparse
import os
from typing import Any, Iterable, Sequence, Tuple

from hourglass_pose.cli.options import add_device_options, add_original_options
from hourglass_pose.errors import ImageError, UserError
from hourglass_pose.experiment import original_settings

HELP = 'find the joints of the person in each photo'


def box_argument(text: str) -> Tuple[float, float, float, float]:
    """Return the four numbers of 'x,y,width,height'."""
    try:
        x, y, width, height = [float(number) for number in text.split(',')]
    except ValueError:
        raise argparse.ArgumentTypeError(f'expected x,y,width,height in pixels, such as 10,20,100,200; found {text!r}')
    return x, y, width, height


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--checkpoint',
        required=True,
        help='a run folder, a checkpoint in it such as RUN/best, or an exported .onnx model, which needs no TensorFlow',
    )
    parser.add_argument('images', nargs='+', metavar='IMAGE_OR_FOLDER', help='photos, or folders of photos')
    parser.add_argument(
        '--box',
        type=box_argument,
        action='append',
        metavar='X,Y,W,H',
        help='box of a person in pixels; repeat it for several persons; for one photo only (default: the whole photo)',
    )
    parser.add_argument(
        '--whole-image', action='store_true', help='use the whole photo as the box of one person; the default'
    )
    parser.add_argument(
        '--min-score', type=float, default=0.0, help='leave joints with a lower score out of the picture (default: 0)'
    )
    add_device_options(parser)
    parser.add_argument(
        '--output', required=True, metavar='DIR', help='folder for NAME.pose.json and NAME.pose.png of each photo'
    )
    add_original_options(parser)


def run(options: argparse.Namespace) -> None:
    if options.box and options.whole_image:
        raise UserError('--box and --whole-image: expected one of them; leave one out')
    from hourglass_pose.experiment.experiment import make_folder
    from hourglass_pose.prediction.photos import find_photos, predict_photos
    from hourglass_pose.prediction.pose_files import output_stems, write_poses
    from hourglass_pose.prediction.predictor import Predictor

    paths, notes = find_photos(options.images)
    if options.box and len(paths) > 1:
        raise UserError(f'--box: expected one photo, found {len(paths)}; call predict for each')
    for note in notes:
        print(note)
    make_folder(options.output)
    done, problems = 0, []
    with Predictor(
        options.checkpoint,
        device=options.device,
        precision=options.precision,
        **original_settings.predictor_options(options),
    ) as predictor:
        try:
            for photo, stem in zip(
                _with_bar(predict_photos(predictor, paths, options.box or [None]), paths), output_stems(paths)
            ):
                # A photo that fails must not stop the others.
                try:
                    if photo.problem:
                        raise photo.problem
                    stem_path = os.path.join(options.output, stem)
                    write_poses(stem_path, photo.path, photo.image, photo.poses, predictor, options.min_score)
                    done += 1
                except UserError as error:
                    problems.append(str(error))
        finally:
            if done:
                print(f'{done} {"photo" if done == 1 else "photos"} in {options.output}: a JSON and a picture for each')
    if problems:
        raise ImageError('\n'.join(problems))


def _with_bar(photos: Iterable[Any], paths: Sequence[str]) -> Iterable[Any]:
    if len(paths) < 2:
        return photos
    from tqdm import tqdm

    return tqdm(photos, total=len(paths), unit='photo', disable=None, leave=False)
