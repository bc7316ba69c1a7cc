"""Videos: frames of a file or a camera with their times, MP4 files, and files with a line of JSON for each frame."""

import json
import os
import struct
import time
from typing import Any, Callable, Dict, Iterator, Optional, Tuple, Union

import cv2
import numpy as np

from hourglass_pose.errors import ImageError, UserError
from hourglass_pose.files import kind_of_file, parse_json

DEFAULT_FPS = 25.0
"""Frames per second of a camera or a file that does not say."""

_KINDS = ('mp4', 'quicktime', 'avi', 'matroska', 'flv', 'mpeg', 'wmv')
_ENDINGS = ('.mp4', '.m4v', '.mov', '.avi', '.mkv', '.webm', '.flv', '.mpg', '.mpeg', '.wmv', '.ts', '.mts', '.3gp')
_MOST_FPS = 240.0
_LAST_CAMERA = 255  # /dev/video255
# MPEG-4 Part 2, the one codec that every build of OpenCV can write into MP4.
_CODEC = 'mp4v'
# A box of type `free`, which players skip (ISO/IEC 14496-12), at the end of the file.
_MARK_TEXT = b'made by hourglass-pose'
_MARK = struct.pack('>I', 8 + len(_MARK_TEXT)) + b'free' + _MARK_TEXT


def is_video(path: str) -> bool:
    """Return whether a path names a video: by the content of the file, by its ending if the content is unknown."""
    try:
        kind = kind_of_file(path)
    except OSError:
        kind = None
    return kind in _KINDS or (kind is None and not os.path.isdir(path) and path.lower().endswith(_ENDINGS))


class VideoReader:
    """The frames of a video file or of a camera.

    source: path of a file, or the number of a camera. open_capture: makes a cv2.VideoCapture or what acts like one.
    clock: seconds, for the times of a camera's frames.
    Raises ImageError if OpenCV cannot open it.
    """

    def __init__(
        self,
        source: Union[str, int],
        open_capture: Callable[..., Any] = cv2.VideoCapture,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        _silence_opencv()
        self.is_camera = not isinstance(source, str)
        self.name = f'camera {source}' if self.is_camera else os.fspath(str(source))
        if not self.is_camera and not os.path.isfile(self.name):
            raise ImageError(f'{self.name}: there is no such file; name a video, or a camera by --camera')
        if isinstance(source, int) and not 0 <= source <= _LAST_CAMERA:
            # Some releases of OpenCV crash for a negative number.
            raise ImageError(f'{self.name}: expected the number of a camera, from 0 to {_LAST_CAMERA}')
        self._clock = clock
        self._capture = open_capture(source)
        if not self._capture.isOpened():
            self._capture.release()
            raise ImageError(self._unreadable())
        if self.is_camera:
            # Older frames would make the picture late when the network is slower than the camera.
            self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = float(fps) if 0 < fps <= _MOST_FPS else DEFAULT_FPS
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.num_frames: Optional[int] = int(count) if count > 0 and not self.is_camera else None

    def __iter__(self) -> Iterator[Tuple[float, np.ndarray]]:
        """Yield (seconds since the first frame, uint8 RGB (H, W, 3)); the seconds increase strictly.

        Raises ImageError if there is not one frame, and for a frame of another size than the first one.
        """
        start: Optional[float] = None
        shape: Tuple[int, ...] = ()
        last = -1.0 / self.fps
        while True:
            read, image = self._capture.read()
            if not read or image is None:
                break
            now = self._clock() if self.is_camera else self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
            start = now if start is None else start
            # Some files have no times, or times that repeat.
            seconds = now - start if now - start > last else last + 1.0 / self.fps
            shape = shape or image.shape
            if image.shape != shape:
                raise ImageError(
                    f'{self.name}: the size changes from {shape[1]} x {shape[0]} to {image.shape[1]} x '
                    f'{image.shape[0]} pixels at {seconds:.2f} s; cut the video there'
                )
            yield seconds, _as_rgb(image)
            last = seconds
        if start is None:
            raise ImageError(self._unreadable())

    def close(self) -> None:
        """Release the file or the camera."""
        self._capture.release()

    def _unreadable(self) -> str:
        if self.is_camera:
            return f'{self.name}: OpenCV gets no picture from it; check the number and that no other program uses it'
        return (
            f'{self.name}: OpenCV reads no frame of it as a video; check that it plays, or convert it, for instance '
            'by "ffmpeg -i FILE out.mp4"'
        )


class VideoWriter:
    """An MP4 file that appears under its name when it is closed, with all frames that were written.

    A file that this program did not write is not replaced. An odd width or height loses its last column or row, because
    the codec takes even ones only. Raises UserError if the file cannot be written.
    """

    def __init__(self, path: str, fps: float, size_wh: Tuple[int, int]) -> None:
        _silence_opencv()
        self._path, self._size_wh = path, size_wh
        self.num_frames = 0
        if os.path.lexists(path) and not is_own_video(path):
            raise UserError(f'{path}: this file exists and was not written by this program; choose another --output')
        self._partial = f'{os.path.splitext(path)[0]}.{os.getpid()}.partial.mp4'
        # MPEG-4 stores the rate as a fraction of two 16-bit numbers.
        self._writer: Any = cv2.VideoWriter(
            self._partial, cv2.VideoWriter.fourcc(*_CODEC), round(fps, 2), (size_wh[0] & ~1, size_wh[1] & ~1)
        )
        if not self._writer.isOpened():
            self._writer.release()
            self._remove_partial()
            raise UserError(
                f'{path}: OpenCV {cv2.__version__} cannot write a video of {size_wh[0]} x {size_wh[1]} pixels here; '
                'check the folder, its permissions and the disk space'
            )

    def write(self, image_rgb: np.ndarray) -> None:
        """Append a frame, uint8 RGB (H, W, 3) of the size of the video."""
        if image_rgb.shape != (self._size_wh[1], self._size_wh[0], 3):
            raise ValueError(f'image_rgb: expected {self._size_wh} pixels, found an array {image_rgb.shape}')
        even = image_rgb[: self._size_wh[1] & ~1, : self._size_wh[0] & ~1]
        self._writer.write(cv2.cvtColor(np.ascontiguousarray(even), cv2.COLOR_RGB2BGR))
        self.num_frames += 1

    def close(self) -> None:
        """Finish the file. Raises UserError if it lacks frames, for instance because the disk is full."""
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        try:
            if not self.num_frames:
                return
            if _count_frames(self._partial) != self.num_frames:
                raise UserError(f'{self._path}: not all frames could be written; free some disk space')
            with open(self._partial, 'ab') as stream:
                stream.write(_MARK)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(self._partial, self._path)
        finally:
            self._remove_partial()

    def _remove_partial(self) -> None:
        if os.path.exists(self._partial):
            os.remove(self._partial)

    def __enter__(self) -> 'VideoWriter':
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def is_own_video(path: str) -> bool:
    """Return whether a file is a video that VideoWriter has finished."""
    try:
        with open(path, 'rb') as stream:
            stream.seek(-min(len(_MARK), os.path.getsize(path)), os.SEEK_END)
            return stream.read() == _MARK
    except OSError:
        return False


class FrameLines:
    """A file with one line of JSON for each frame; every line begins with the key `format`.

    A line is on disk when `write` returns, so that another program can read along. A file whose first line has no
    `format` that begins with 'hourglass-pose' is not replaced. Raises UserError if the file cannot be written.
    """

    def __init__(self, path: str, format_name: str) -> None:
        if os.path.lexists(path) and not _is_own_lines(path):
            raise UserError(f'{path}: this file exists and was not written by this program; choose another --output')
        self._path, self._format = path, format_name
        try:
            self._stream = open(path, 'w', encoding='ascii', buffering=1)
        except OSError as error:
            raise self._failed(error)

    def write(self, record: Dict[str, Any]) -> None:
        """Append a line."""
        try:
            self._stream.write(f'{json.dumps(dict({"format": self._format}, **record), allow_nan=False)}\n')
        except OSError as error:
            raise self._failed(error)

    def close(self) -> None:
        """Close the file."""
        try:
            self._stream.close()
        except OSError as error:
            raise self._failed(error)

    def _failed(self, error: OSError) -> UserError:
        return UserError(
            f'{self._path}: cannot be written ({error.strerror or error}); check the folder, its permissions and the '
            'disk space'
        )

    def __enter__(self) -> 'FrameLines':
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _is_own_lines(path: str) -> bool:
    try:
        with open(path, encoding='ascii') as stream:
            first = stream.readline()
        # A run that ended before its first frame leaves an empty file.
        return not first or str(parse_json(first)['format']).startswith('hourglass-pose')
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _count_frames(path: str) -> int:
    capture = cv2.VideoCapture(path)
    try:
        return int(round(capture.get(cv2.CAP_PROP_FRAME_COUNT))) if capture.isOpened() else 0
    finally:
        capture.release()


def _as_rgb(image: np.ndarray) -> np.ndarray:
    if image.ndim == 2 or image.shape[2] == 1:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _silence_opencv() -> None:
    """Keep OpenCV and FFmpeg from printing messages about a file that cannot be read."""
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
    logging = getattr(getattr(cv2, 'utils', None), 'logging', None)
    if logging is not None:
        logging.setLogLevel(logging.LOG_LEVEL_SILENT)
