"""The part of predict that is for videos and cameras."""

import argparse
import os
from typing import List, Union

from hourglass_pose.errors import ImageError, UserError
from hourglass_pose.experiment import original_settings


def add_video_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --camera."""
    parser.add_argument(
        '--camera',
        type=int,
        metavar='N',
        help='predict the pictures of this camera, 0 for the first, until Ctrl-C is pressed; no photos are given then',
    )


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
        raise UserError(f'{other}: expected only photos, only videos, or only a camera; call predict for each')
    for name in ('box', 'boxes', 'whole_image'):
        if getattr(options, name, None):
            raise UserError(f'--{name.replace("_", "-")}: is for photos; leave it out, videos are searched for people')
    return videos


def predict_videos(options: argparse.Namespace, videos: List[Union[str, int]]) -> None:
    """Write the files of each video, or of the camera."""
    from hourglass_pose.experiment.experiment import make_folder
    from hourglass_pose.prediction.pose_files import output_stems
    from hourglass_pose.prediction.predictor import Predictor
    from hourglass_pose.prediction.video.following import MIN_JOINT_SCORE
    from hourglass_pose.prediction.video.recording import record_video
    from hourglass_pose.videos import VideoReader

    make_folder(options.output)
    stems = output_stems([video if isinstance(video, str) else f'camera{video}' for video in videos])
    least = MIN_JOINT_SCORE if options.min_score is None else options.min_score
    problems = []
    with Predictor(
        options.checkpoint,
        flip_test=False,
        device=options.device,
        precision=options.precision,
        **original_settings.predictor_options(options),
    ) as predictor:
        for video, stem in zip(videos, stems):
            # A video that fails must not stop the others.
            try:
                stem_path = os.path.join(options.output, stem)
                reader = VideoReader(video)
                record_video(reader, stem_path, predictor, options.persons, least, options.min_person_score)
            except UserError as error:
                problems.append(str(error))
    if problems:
        raise ImageError('\n'.join(problems))
