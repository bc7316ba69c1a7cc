"""The files of a video's prediction: a video with skeletons, and a line of JSON for each frame."""

import os
from typing import Callable, List, Optional, Sequence, Union

import cv2
import numpy as np
from tqdm import tqdm

from hourglass_pose.errors import ImageError, UserError, counted
from hourglass_pose.prediction.pose_files import output_stems
from hourglass_pose.prediction.predictor import Predictor
from hourglass_pose.prediction.video.following import MIN_JOINT_SCORE, FollowedFrame, Follower
from hourglass_pose.report.drawing import render_skeleton
from hourglass_pose.skeleton import Skeleton
from hourglass_pose.training.stopping import StopRequest
from hourglass_pose.videos import FrameLines, VideoReader, VideoWriter

VIDEO_ENDING, LINES_ENDING = '.pose.mp4', '.pose.jsonl'
FORMAT = 'hourglass-pose frame 1'
"""Value of the key `format` of each line of JSON."""


def record_videos(
    videos: Sequence[Union[str, int]],
    folder: str,
    predictor: Predictor,
    max_persons: Optional[int],
    min_joint_score: float,
    min_person_score: Optional[float],
) -> None:
    """Write the files of videos; a video that fails does not stop the others.

    Args:
        videos: paths, or the number of a camera.
        max_persons, min_joint_score, min_person_score: as in Follower.

    Raises ImageError, after the last video, with a line for each video that failed.
    """
    problems: List[str] = []
    stems = output_stems([video if isinstance(video, str) else f'camera{video}' for video in videos])
    for video, stem in zip(videos, stems):
        try:
            stem_path = os.path.join(folder, stem)
            record_video(VideoReader(video), stem_path, predictor, max_persons, min_joint_score, min_person_score)
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise ImageError('\n'.join(problems))


def record_video(
    reader: VideoReader,
    stem_path: str,
    predictor: Predictor,
    max_persons: Optional[int] = None,
    min_joint_score: float = MIN_JOINT_SCORE,
    min_person_score: Optional[float] = None,
    report: Callable[[str], object] = print,
) -> None:
    """Write STEM.pose.mp4 and STEM.pose.jsonl of a video, frame by frame, until it ends or Ctrl-C is pressed.

    Both files are complete after Ctrl-C, too. Ctrl-C is how a camera is ended; for a file it raises KeyboardInterrupt.

    Args:
        reader: is closed at the end. stem_path: path of the files without their endings.
        max_persons, min_joint_score, min_person_score: as in Follower.
        report: function that shows a line.

    Raises ImageError if there is no frame, UserError if the files cannot be written or would replace others.
    """
    follower = Follower(predictor, max_persons, min_joint_score, min_person_score)
    progress = tqdm(
        total=reader.num_frames, unit='frame', desc=os.path.basename(stem_path), dynamic_ncols=True, disable=None
    )
    files: Optional[_Files] = None
    with StopRequest() as stop, progress:
        try:
            for frame in follower.frames(reader):
                if files is None:
                    files = _Files(stem_path, reader, frame.image, predictor.skeleton)
                files.write(frame)
                progress.update()
                if stop.requested:
                    break
        finally:
            reader.close()
            if files is not None:
                files.close()
    assert files is not None
    report(files.summary())
    if reader.num_frames and not stop.requested and files.num_frames < 0.9 * reader.num_frames:
        report(f'note: {reader.name}: the file says {reader.num_frames} frames, {files.num_frames} could be read')
    if stop.requested and not reader.is_camera:
        raise KeyboardInterrupt


class _Files:
    def __init__(self, stem_path: str, reader: VideoReader, image: np.ndarray, skeleton: Skeleton) -> None:
        self._skeleton = skeleton
        self._stem_path = stem_path
        self._repeats = reader.is_camera
        self._fps = reader.fps
        self._video = VideoWriter(stem_path + VIDEO_ENDING, reader.fps, (image.shape[1], image.shape[0]))
        try:
            self._lines = FrameLines(stem_path + LINES_ENDING, FORMAT)
        except BaseException:
            self._video.close()
            raise
        self._tracks = 0
        self.num_frames = 0

    def write(self, frame: FollowedFrame) -> None:
        persons = [person.as_dict() for person in frame.persons]
        self._lines.write({'frame': frame.index, 'time': round(frame.time_s, 6), 'persons': persons})
        picture = render_frame(frame, self._skeleton)
        # The frames of a camera come as fast as the network takes them: the video repeats them to keep time.
        due = int(round(frame.time_s * self._fps)) + 1 if self._repeats else self._video.num_frames + 1
        for _ in range(due - self._video.num_frames):
            self._video.write(picture)
        self._tracks = max([self._tracks] + [person.track for person in frame.persons])
        self.num_frames += 1

    def close(self) -> None:
        try:
            self._lines.close()
        finally:
            self._video.close()

    def summary(self) -> str:
        people = '1 person' if self._tracks == 1 else f'{self._tracks} people'
        return (
            f'{counted(self.num_frames, "frame")}, {people} in {self._stem_path}{VIDEO_ENDING} and '
            f'{os.path.basename(self._stem_path)}{LINES_ENDING}'
        )


def render_frame(frame: FollowedFrame, skeleton: Skeleton) -> np.ndarray:
    """Return the image of a frame with the smoothed skeletons and the numbers of its people, uint8 RGB (H, W, 3)."""
    picture = frame.image
    for person in frame.persons:
        picture = render_skeleton(picture, person.smoothed_img, skeleton)
        shown = person.smoothed_img[np.isfinite(person.smoothed_img).all(axis=1)]
        if len(shown):
            _write_number(picture, person.track, shown[:, 0].mean(), shown[:, 1].min())
    return picture


def _write_number(picture: np.ndarray, number: int, x: float, top: float) -> None:
    """Write a number above a point, in place, large enough for the picture."""
    scale = max(0.4, picture.shape[0] / 700)
    thickness = max(1, int(round(1.6 * scale)))
    (width, height), _ = cv2.getTextSize(str(number), cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    left = int(np.clip(x - width / 2, 0, max(picture.shape[1] - width, 0)))
    bottom = int(np.clip(top - 0.6 * height, height + 1, picture.shape[0] - 1))
    for colour, extra in (((16, 16, 18), 2), ((255, 255, 255), 0)):
        cv2.putText(
            picture,
            str(number),
            (left, bottom),
            cv2.FONT_HERSHEY_SIMPLEX,
            scale,
            colour,
            thickness + extra,
            cv2.LINE_AA,
        )
