"""Videos: what is written is read again with its times, and what cannot be read or replaced is reported in one line."""

import json

import cv2
import numpy as np
import pytest

from hourglass_pose.errors import ImageError, UserError
from hourglass_pose.videos import DEFAULT_FPS, FrameLines, VideoReader, VideoWriter, is_own_video, is_video


def grey(level, size_wh=(64, 48)):
    return np.full((size_wh[1], size_wh[0], 3), level, np.uint8)


def write(path, levels, fps=25.0, size_wh=(64, 48)):
    with VideoWriter(path, fps, size_wh) as writer:
        for level in levels:
            writer.write(grey(level, size_wh))
    return path


def read(source, **options):
    reader = VideoReader(source, **options)
    try:
        return list(reader)
    finally:
        reader.close()


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / 'a.mp4')


@pytest.mark.parametrize('fps', [25.0, 29.97, 12.5, 59.94, 23.976])
def test_frames_come_back_in_order_at_their_times(path, fps):
    frames = read(write(path, range(0, 200, 40), fps))
    assert [int(np.rint(image.mean() / 40)) for _, image in frames] == [0, 1, 2, 3, 4]
    # MPEG-4 keeps the rate to two decimals, times are whole milliseconds at worst.
    assert np.allclose([seconds for seconds, _ in frames], np.arange(5) / fps, atol=1.5e-3)


def test_the_reader_knows_size_rate_and_length(path):
    reader = VideoReader(write(path, range(6), 12.0))
    assert (reader.num_frames, reader.fps, reader.is_camera) == (6, 12.0, False)
    reader.close()


def test_red_stays_red(path):
    red = grey(0)
    red[..., 0] = 220
    with VideoWriter(path, 25, (64, 48)) as writer:
        writer.write(red)
    ((_, image),) = read(path)
    assert image.shape == (48, 64, 3)
    # The codec stores colours in less detail, but does not exchange them.
    assert abs(image[..., 0].mean() - 220) < 15 and image[..., 2].mean() < 15


def test_an_odd_size_loses_its_last_column_and_row(path):
    ((_, image),) = read(write(path, [100], size_wh=(65, 49)))
    assert image.shape == (48, 64, 3)


def test_a_frame_of_another_size_is_a_mistake_of_the_caller(path):
    with VideoWriter(path, 25, (64, 48)) as writer:
        with pytest.raises(ValueError, match='expected'):
            writer.write(grey(0, (48, 64)))


def test_a_video_appears_when_it_is_whole(path, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        with VideoWriter(path, 25, (64, 48)) as writer:
            writer.write(grey(9))
            assert not (tmp_path / 'a.mp4').exists()
            raise KeyboardInterrupt
    assert len(read(path)) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ['a.mp4']


def test_own_videos_are_replaced_and_others_are_kept(path, tmp_path):
    assert is_own_video(write(path, range(3)))
    assert len(read(write(path, range(5)))) == 5
    content = (tmp_path / 'a.mp4').read_bytes()
    (tmp_path / 'a.mp4').write_bytes(content[:-4])
    with pytest.raises(UserError, match='not written by this program') as error:
        VideoWriter(path, 25, (64, 48))
    assert '\n' not in str(error.value)
    assert (tmp_path / 'a.mp4').read_bytes() == content[:-4]


def test_a_video_without_frames_leaves_no_file(path, tmp_path):
    write(path, [])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(UserError, match='cannot write a video') as error:
        VideoWriter(str(tmp_path / 'none' / 'a.mp4'), 25, (64, 48))
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('content', [b'', b'text', b'\0\0\0\x18ftypisom\0\0\0\0isom'])
def test_what_opencv_cannot_read_is_one_line(tmp_path, content, capfd):
    (tmp_path / 'b.mp4').write_bytes(content)
    with pytest.raises(ImageError, match='OpenCV reads no frame.*convert it') as error:
        read(str(tmp_path / 'b.mp4'))
    assert '\n' not in str(error.value) and 'b.mp4' in str(error.value)
    assert capfd.readouterr() == ('', '')


def test_every_truncation_of_a_video_gives_frames_or_one_line(path, tmp_path):
    content = (tmp_path / 'a.mp4').read_bytes() if write(path, range(0, 250, 10)) else b''
    for length in range(0, len(content), len(content) // 12):
        (tmp_path / 'c.mp4').write_bytes(content[:length])
        try:
            assert len(read(str(tmp_path / 'c.mp4'))) <= 25
        except ImageError as error:
            assert '\n' not in str(error)


def test_a_missing_file_is_reported_as_missing(tmp_path):
    with pytest.raises(ImageError, match='no such file'):
        VideoReader(str(tmp_path / 'none.mp4'))


@pytest.mark.parametrize(
    'name, content, expected',
    [
        ('a.mp4', b'\0\0\0\x18ftypisom', True),
        ('a', b'RIFF\0\0\0\0AVI LIST', True),
        ('a.jpg', b'\x1a\x45\xdf\xa3', True),
        ('a.mp4', b'\xff\xd8\xff\xe0', False),
        ('a.mp4', b'', True),
        ('a.txt', b'text', False),
        ('missing.MOV', None, True),
        ('missing.jpg', None, False),
    ],
)
def test_a_video_is_known_by_its_content_or_its_name(tmp_path, name, content, expected):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert is_video(str(tmp_path / name)) == expected


def test_a_folder_is_no_video(tmp_path):
    (tmp_path / 'a.mp4').mkdir()
    assert not is_video(str(tmp_path / 'a.mp4'))


class Capture:
    """Stands in for cv2.VideoCapture: grey pictures, and what a driver says of itself."""

    def __init__(self, levels, properties=None, opened=True):
        self.levels, self.properties, self.opened = list(levels), properties or {}, opened
        self.released, self.set_to = False, {}

    def isOpened(self):
        return self.opened

    def read(self):
        return (True, grey(self.levels.pop(0))) if self.levels else (False, None)

    def get(self, name):
        return self.properties.get(name, 0.0)

    def set(self, name, value):
        self.set_to[name] = value
        return True

    def release(self):
        self.released = True


def test_a_camera_is_timed_by_the_clock():
    capture, ticks = Capture(range(4), {cv2.CAP_PROP_FPS: 30.0, cv2.CAP_PROP_FRAME_COUNT: -1.0}), iter([5, 5.1, 5.4, 6])
    reader = VideoReader(0, lambda number: capture, lambda: next(ticks))
    assert (reader.name, reader.fps, reader.num_frames, reader.is_camera) == ('camera 0', 30.0, None, True)
    assert np.allclose([seconds for seconds, _ in reader], [0, 0.1, 0.4, 1.0])
    assert capture.set_to == {cv2.CAP_PROP_BUFFERSIZE: 1}
    reader.close()
    assert capture.released


@pytest.mark.parametrize('fps', [0.0, -1.0, float('nan'), 90000.0])
def test_a_camera_that_does_not_know_its_rate_gets_a_usual_one(fps):
    assert VideoReader(0, lambda number: Capture([1], {cv2.CAP_PROP_FPS: fps})).fps == DEFAULT_FPS


def test_a_camera_that_is_not_there_is_one_line():
    capture = Capture([], opened=False)
    with pytest.raises(ImageError, match='camera 3: OpenCV gets no picture'):
        VideoReader(3, lambda number: capture)
    assert capture.released


@pytest.mark.parametrize('number', [-1, 256, 10**14])
def test_a_number_that_no_camera_has_is_refused_before_opencv_is_asked(number):
    with pytest.raises(ImageError, match=f'camera {number}: expected the number of a camera, from 0 to 255'):
        VideoReader(number, lambda source: pytest.fail('OpenCV was asked'))


def test_times_that_do_not_increase_are_replaced_by_the_rate(tmp_path):
    (tmp_path / 'a.avi').write_bytes(b'')
    capture = Capture(range(4), {cv2.CAP_PROP_FPS: 20.0, cv2.CAP_PROP_POS_MSEC: 70.0})
    times = [seconds for seconds, _ in VideoReader(str(tmp_path / 'a.avi'), lambda source: capture)]
    assert np.allclose(times, [0, 0.05, 0.1, 0.15])


def test_a_size_that_changes_is_one_line():
    capture = Capture(range(3))
    reader = VideoReader(0, lambda number: capture)
    frames = iter(reader)
    next(frames)
    capture.read = lambda: (True, grey(0, (32, 32)))
    with pytest.raises(ImageError, match='changes from 64 x 48 to 32 x 32'):
        next(frames)


def test_lines_are_readable_while_they_are_written(tmp_path):
    path = tmp_path / 'a.jsonl'
    with FrameLines(str(path), 'hourglass-pose test 1') as lines:
        lines.write({'frame': 0})
        assert json.loads(path.read_text()) == {'format': 'hourglass-pose test 1', 'frame': 0}
        lines.write({'frame': 1})
    assert len(path.read_text().splitlines()) == 2
    with FrameLines(str(path), 'hourglass-pose test 1') as lines:
        lines.write({'frame': 0})
    assert len(path.read_text().splitlines()) == 1


@pytest.mark.parametrize('content', ['{"frame": 0}\n', 'text', '[]', '\u00e9'])
def test_lines_of_others_are_kept(tmp_path, content):
    path = tmp_path / 'a.jsonl'
    path.write_text(content, encoding='utf-8')
    with pytest.raises(UserError, match='not written by this program'):
        FrameLines(str(path), 'hourglass-pose test 1')
    assert path.read_text(encoding='utf-8') == content
