"""record_video: the video and the lines of a prediction, complete also after Ctrl-C, in constant memory."""

import json
import os
import signal
import tracemalloc

import numpy as np
import pytest

from hourglass_pose.errors import ImageError, UserError
from hourglass_pose.prediction.video.following import FollowedFrame, FollowedPerson
from hourglass_pose.prediction.video.recording import FORMAT, record_video, render_frame
from hourglass_pose.skeleton import SKELETONS
from hourglass_pose.synthetic.walks import SyntheticVideo
from hourglass_pose.videos import VideoReader, VideoWriter
from stand_in_predictor import SIZE_WH, StandInPredictor, number_of, numbered_image


class Camera:
    """Stands in for cv2.VideoCapture of a camera: numbered frames, until `count` or for ever."""

    def __init__(self, count=None, before=lambda index: None):
        self.count, self.before, self.index, self.released = count, before, 0, False

    def isOpened(self):
        return True

    def set(self, name, value):
        return False

    def get(self, name):
        return 0.0

    def read(self):
        if self.index == self.count:
            return False, None
        self.before(self.index)
        self.index += 1
        return True, numbered_image(self.index - 1)

    def release(self):
        self.released = True


def camera(capture, fps=25.0):
    """Return the reader of a camera whose frames are 1 / fps seconds apart."""
    return VideoReader(0, lambda number: capture, lambda: capture.index / fps)


@pytest.fixture
def predictor():
    return StandInPredictor(SyntheticVideo(0, 1, 40, SIZE_WH))


def lines_of(tmp_path, stem='walk'):
    return [json.loads(line) for line in (tmp_path / f'{stem}.pose.jsonl').read_text().splitlines()]


def frames_of(tmp_path, stem='walk'):
    reader = VideoReader(str(tmp_path / f'{stem}.pose.mp4'))
    frames = list(reader)
    reader.close()
    return frames


def test_every_frame_of_a_video_has_a_line_and_a_picture(tmp_path, predictor):
    path = str(tmp_path / 'walk.mp4')
    with VideoWriter(path, 12.5, SIZE_WH) as writer:
        for number in range(12):
            writer.write(numbered_image(number))
    reported = []
    record_video(VideoReader(path), str(tmp_path / 'walk'), predictor, report=reported.append)
    lines = lines_of(tmp_path)
    assert [line['frame'] for line in lines] == list(range(12))
    assert np.allclose([line['time'] for line in lines], np.arange(12) / 12.5, atol=1e-3)
    assert {line['format'] for line in lines} == {FORMAT}
    for index, line in enumerate(lines):
        (person,) = line['persons']
        assert person['track'] == 1 and set(person) == {'track', 'score', 'joints', 'smoothed', 'box'}
        true = predictor.video.persons(index)[0].joints_img
        assert np.allclose([joint[:2] for joint in person['joints'].values()], true, atol=5.1e-4)
    frames = frames_of(tmp_path)
    assert np.allclose([time_s for time_s, _ in frames], np.arange(12) / 12.5, atol=1e-3)
    assert reported == [f'12 frames, 1 person in {tmp_path / "walk"}.pose.mp4 and walk.pose.jsonl']


def test_the_video_shows_the_skeleton_and_the_number(predictor):
    person = predictor.find(numbered_image(0))[0]
    image = np.full((96, 128, 3), 128, np.uint8)
    frame = FollowedFrame(0, 0.0, image, (FollowedPerson(1, person, person.joints_img),))
    picture = render_frame(frame, SKELETONS['mpii'])
    assert (image == 128).all() and picture.shape == image.shape
    top, middle = person.joints_img[:, 1].min(), person.joints_img[:, 0].mean()
    changed = np.argwhere((picture != image).any(axis=2))
    assert changed[:, 0].min() < top - 5 or top < 20
    assert np.abs(changed[:, 1] - middle).max() < 60
    empty = FollowedFrame(0, 0.0, image, ())
    assert np.array_equal(render_frame(empty, SKELETONS['mpii']), image)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_camera_with_whole_files(tmp_path, predictor, number):
    capture = Camera(before=lambda index: os.kill(os.getpid(), number) if index == 7 else None)
    reported, handler = [], signal.getsignal(signal.SIGINT)
    record_video(camera(capture), str(tmp_path / 'walk'), predictor, report=reported.append)
    assert len(lines_of(tmp_path)) == len(frames_of(tmp_path)) == 8
    assert capture.released and reported[0].startswith('8 frames, 1 person')
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ['walk.pose.jsonl', 'walk.pose.mp4']
    assert signal.getsignal(signal.SIGINT) is handler


def test_ctrl_c_ends_a_file_with_whole_files_and_interrupts_the_command(tmp_path, predictor):
    path = str(tmp_path / 'walk.mp4')
    with VideoWriter(path, 25, SIZE_WH) as writer:
        for number in range(30):
            writer.write(numbered_image(number))
    once = predictor.predict_boxes

    def interrupt(image, boxes):
        if number_of(image) == 9:
            os.kill(os.getpid(), signal.SIGINT)
        return once(image, boxes)

    predictor.predict_boxes = interrupt
    with pytest.raises(KeyboardInterrupt):
        record_video(VideoReader(path), str(tmp_path / 'walk'), predictor, report=lambda line: None)
    assert len(lines_of(tmp_path)) == len(frames_of(tmp_path)) == 10


def test_a_second_ctrl_c_during_a_frame_leaves_whole_files_too(tmp_path, predictor):
    def twice(index):
        if index == 5:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        record_video(camera(Camera(before=twice)), str(tmp_path / 'walk'), predictor, report=lambda line: None)
    assert len(lines_of(tmp_path)) == len(frames_of(tmp_path)) == 5


def test_a_failure_leaves_whole_files_of_the_frames_before(tmp_path, predictor):
    def fail(index):
        if index == 4:
            raise ValueError('a bug')

    with pytest.raises(ValueError, match='a bug'):
        record_video(camera(Camera(before=fail)), str(tmp_path / 'walk'), predictor)
    assert len(lines_of(tmp_path)) == len(frames_of(tmp_path)) == 4


def test_a_slow_network_repeats_the_frames_of_a_camera_to_keep_time(tmp_path, predictor):
    record_video(camera(Camera(6), fps=5.0), str(tmp_path / 'walk'), predictor, report=lambda line: None)
    frames = frames_of(tmp_path)
    # At 25 frames per second, one a fifth of a second apart is shown five times.
    assert len(lines_of(tmp_path)) == 6 and len(frames) == 5 * 5 + 1


def test_a_camera_without_a_picture_leaves_no_file(tmp_path, predictor):
    with pytest.raises(ImageError, match='camera 0: OpenCV gets no picture'):
        record_video(camera(Camera(0)), str(tmp_path / 'walk'), predictor)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('ending', ['.pose.mp4', '.pose.jsonl'])
def test_files_of_others_are_kept(tmp_path, predictor, ending):
    (tmp_path / f'walk{ending}').write_text('mine')
    with pytest.raises(UserError, match='not written by this program'):
        record_video(camera(Camera(3)), str(tmp_path / 'walk'), predictor)
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [(f'walk{ending}', 'mine')]


def test_memory_is_flat_over_many_frames(tmp_path, predictor):
    taken = {}

    def watch(index):
        if index in (40, 160):
            taken[index] = tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        record_video(camera(Camera(161, watch)), str(tmp_path / 'walk'), predictor, report=lambda line: None)
    finally:
        tracemalloc.stop()
    # Not even two more frames than before are kept.
    assert taken[160] - taken[40] < 2 * numbered_image(0).nbytes
