"""predict: the persons in photos, videos or a camera, and their joints, as JSON and pictures."""

import argparse
from typing import Any, Iterable, Iterator, List, Sequence, Tuple, Union

from hourglass_pose.cli.options import add_device_options, add_original_options, finite_number, integer_from
from hourglass_pose.errors import UserError
from hourglass_pose.experiment import original_settings

HELP = 'find persons and their joints in photos, videos or a camera'

BOX_SCORE = 0.5
"""Least score of a detector's box."""


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
    parser.add_argument('images', nargs='*', metavar='IMAGE_OR_FOLDER', help='photos and folders of photos, or videos')
    parser.add_argument(
        '--camera',
        type=int,
        metavar='N',
        help='predict the images of this camera, 0 for the first, until Ctrl-C; give no photos',
    )
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
        default='poses',
        metavar='DIR',
        help='folder for NAME.pose.json and NAME.pose.png of a photo, NAME.pose.jsonl and NAME.pose.mp4 of a video '
        '(default: poses, in the current folder)',
    )
    add_original_options(parser)


def run(options: argparse.Namespace) -> None:
    videos = videos_of(options)
    if options.min_person_score is not None and (options.box or options.whole_image):
        raise UserError('--min-person-score: the persons are given by their boxes; leave it out')
    from hourglass_pose.checkpoints.exported import SHIPPED_NOTE, shipped_network
    from hourglass_pose.files import make_folder
    from hourglass_pose.prediction.predictor import Predictor

    paths = [] if videos else _photos_of(options)
    if not options.checkpoint:
        print(SHIPPED_NOTE)
    make_folder(options.output)
    with Predictor(
        options.checkpoint or shipped_network(),
        flip_test=False if videos else None,
        device=options.device,
        precision=options.precision,
        **original_settings.predictor_options(options),
    ) as predictor:
        if videos:
            from hourglass_pose.prediction.video.following import MIN_JOINT_SCORE
            from hourglass_pose.prediction.video.recording import record_videos

            least = MIN_JOINT_SCORE if options.min_score is None else options.min_score
            record_videos(videos, options.output, predictor, options.persons, least, options.min_person_score)
        else:
            from hourglass_pose.prediction.photos import record_photos

            photos = _with_bar(_photo_poses(predictor, paths, options), paths)
            record_photos(photos, paths, options.output, predictor, options.min_score or 0.0)


def videos_of(options: argparse.Namespace) -> List[Union[str, int]]:
    """Return the videos and the camera that predict was called for, [] if it was called for photos.

    Raises UserError for nothing, for photos and videos, and for options that are for photos only.
    """
    from hourglass_pose.videos import is_video

    if not options.images and options.camera is None:
        raise UserError('predict: expected photos, folders of photos, a video, or --camera N; found none of them')
    videos: List[Union[str, int]] = [path for path in options.images if is_video(path)]
    if options.camera is not None:
        videos.append(options.camera)
    if not videos:
        return []
    photos = [path for path in options.images if path not in videos]
    if photos or (options.camera is not None and len(videos) > 1):
        other = photos[0] if photos else videos[0]
        raise UserError(f'{other}: expected only photos, only videos, or only a camera; run predict for each')
    for name in ('box', 'boxes', 'whole_image'):
        if getattr(options, name, None):
            raise UserError(
                f'--{name.replace("_", "-")}: is for photos; leave it out, because videos are searched for people'
            )
    return videos


def _photos_of(options: argparse.Namespace) -> List[str]:
    """Return the paths of the photos, and print which files are passed over."""
    from hourglass_pose.prediction.photos import find_photos

    paths, notes = find_photos(options.images)
    if options.box and len(paths) > 1:
        raise UserError(f'--box: expected one photo, found {len(paths)}; give the boxes of several by --boxes FILE')
    for note in notes:
        print(note)
    return paths


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
