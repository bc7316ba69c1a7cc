"""predict: the persons in photos and their joints, as a JSON and a picture for each photo."""

import argparse
import os
from typing import Any, Iterable, Iterator, List, Sequence, Tuple

from hourglass_pose.cli.numbers import finite_number, integer_from
from hourglass_pose.cli.options import add_device_options, add_original_options
from hourglass_pose.cli.video_prediction import add_video_arguments, predict_videos, videos_of
from hourglass_pose.errors import ImageError, UserError, counted
from hourglass_pose.experiment import original_settings

HELP = 'find the persons in each photo and their joints'

BOX_SCORE = 0.5
"""Least score of a detector's box."""
_NAMES_SHOWN = 3


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
        help='a run folder, a checkpoint in it such as RUN/best, or an exported .onnx model, which needs no TensorFlow '
        '(default: the network that ships with this package)',
    )
    parser.add_argument(
        'images', nargs='*', metavar='IMAGE_OR_FOLDER', help='photos, folders of photos, or videos instead of them'
    )
    add_video_arguments(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        '--box',
        type=box_argument,
        action='append',
        metavar='X,Y,W,H',
        help='box of a person in pixels; repeat it for several persons; for one photo only (default: the persons are '
        'found)',
    )
    where.add_argument(
        '--boxes',
        metavar='FILE',
        help="file of the persons' boxes: annotations of this program, COCO's JSON, or CSV image,x,y,width,height",
    )
    where.add_argument('--whole-image', action='store_true', help='use the whole photo as the box of one person')
    where.add_argument(
        '--persons', type=integer_from(1), metavar='N', help='find at most N persons in a photo (default: all)'
    )
    parser.add_argument(
        '--min-person-score',
        type=finite_number,
        metavar='SCORE',
        help='leave out persons that are found with a lower score, or whose box in --boxes has a lower score '
        f"(default: what suits the network; {BOX_SCORE:g} for a detector's boxes)",
    )
    parser.add_argument(
        '--min-score',
        type=finite_number,
        help='leave joints with a lower score out of the picture (default: 0; of a video 0.2)',
    )
    add_device_options(parser)
    parser.add_argument(
        '--output',
        required=True,
        metavar='DIR',
        help='folder for NAME.pose.json and NAME.pose.png of a photo, NAME.pose.jsonl and NAME.pose.mp4 of a video',
    )
    add_original_options(parser)


def run(options: argparse.Namespace) -> None:
    videos = videos_of(options)
    if videos:
        predict_videos(options, videos)
        return
    if options.min_person_score is not None and (options.box or options.whole_image):
        raise UserError('--min-person-score: the persons are given by their boxes; leave it out')
    from hourglass_pose.checkpoints.shipped import SHIPPED_NOTE, shipped_network
    from hourglass_pose.experiment.experiment import make_folder
    from hourglass_pose.prediction.photos import find_photos
    from hourglass_pose.prediction.pose_files import output_stems, write_poses
    from hourglass_pose.prediction.predictor import Predictor

    paths, notes = find_photos(options.images)
    if options.box and len(paths) > 1:
        raise UserError(f'--box: expected one photo, found {len(paths)}; give the boxes of several by --boxes FILE')
    for note in notes:
        print(note)
    checkpoint = options.checkpoint or shipped_network()
    if not options.checkpoint:
        print(SHIPPED_NOTE)
    make_folder(options.output)
    problems: List[str] = []
    counts: List[Tuple[str, int]] = []
    with Predictor(
        checkpoint, device=options.device, precision=options.precision, **original_settings.predictor_options(options)
    ) as predictor:
        photos = _with_bar(_photo_poses(predictor, paths, options), paths)
        try:
            for photo, stem in zip(photos, output_stems(paths)):
                # A photo that fails must not stop the others.
                try:
                    if photo.problem:
                        raise photo.problem
                    stem_path = os.path.join(options.output, stem)
                    write_poses(stem_path, photo.path, photo.image, photo.poses, predictor, options.min_score or 0.0)
                    counts.append((photo.path, len(photo.poses)))
                except UserError as error:
                    problems.append(str(error))
        finally:
            if counts:
                print(f'{counted(len(counts), "photo")} in {options.output}: a JSON and a picture for each')
                print(describe_persons(counts))
    if problems:
        raise ImageError('\n'.join(problems))


def describe_persons(counts: Sequence[Tuple[str, int]]) -> str:
    """Return a line such as '3 persons; none in b.jpg' of (path, number of persons) of photos."""
    total = sum(number for _, number in counts)
    empty = [os.path.basename(path) for path, number in counts if not number]
    if not total:
        return (
            'no persons found; a lower --min-person-score finds less certain ones, --whole-image takes the photo as one'
        )
    more = f' and {len(empty) - _NAMES_SHOWN} more' if len(empty) > _NAMES_SHOWN else ''
    return counted(total, 'person') + (f'; none in {", ".join(empty[:_NAMES_SHOWN])}{more}' if empty else '')


def _photo_poses(predictor: Any, paths: Sequence[str], options: argparse.Namespace) -> Iterator[Any]:
    """Return an iterator of PhotoPoses by the options."""
    from hourglass_pose.prediction.photos import find_in_photos, predict_photos

    if options.boxes:
        from hourglass_pose.annotations.box_files import BoxFile

        least = BOX_SCORE if options.min_person_score is None else options.min_person_score
        boxes = BoxFile(options.boxes, least)
        for line in boxes.notes(paths):
            print(line)
        return predict_photos(predictor, paths, boxes.of)
    if options.box or options.whole_image:
        return predict_photos(predictor, paths, lambda path: options.box or [None])
    return find_in_photos(predictor, paths, options.persons, options.min_person_score)


def _with_bar(photos: Iterable[Any], paths: Sequence[str]) -> Iterable[Any]:
    if len(paths) < 2:
        return photos
    from tqdm import tqdm

    return tqdm(photos, total=len(paths), unit='photo', disable=None, leave=False)
