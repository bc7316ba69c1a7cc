"""predict for videos and cameras, and synthesize --video: the files, and one line for each mistake of the user."""

import json

import numpy as np
import pytest

from hourglass_pose.cli import main
from hourglass_pose.prediction import predictor as predictor_module
from hourglass_pose.prediction.video import recording
from hourglass_pose.synthetic.walks import SyntheticVideo
from hourglass_pose.videos import VideoReader, VideoWriter
from stand_in_predictor import SIZE_WH, StandInPredictor, numbered_image


@pytest.fixture
def predict(monkeypatch, tmp_path):
    """Return a function that runs predict with a stand-in for the network; `opened` are the Predictors' options."""

    def open_predictor(checkpoint, **options):
        run.opened.append(dict(options, checkpoint=checkpoint))
        return StandInPredictor(SyntheticVideo(0, 1, 40, SIZE_WH))

    def run(*arguments):
        return main(['predict', *arguments, '--checkpoint', 'a.onnx', '--output', str(tmp_path / 'out')])

    run.opened = []
    monkeypatch.setattr(predictor_module, 'Predictor', open_predictor)
    return run


def make_video(path, frames=6):
    with VideoWriter(str(path), 25, SIZE_WH) as writer:
        for number in range(frames):
            writer.write(numbered_image(number))
    return str(path)


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_video_becomes_lines_and_a_video_without_flip_test(predict, tmp_path, capsys):
    assert predict(make_video(tmp_path / 'walk.mp4')) == 0
    assert sorted(entry.name for entry in (tmp_path / 'out').iterdir()) == ['walk.pose.jsonl', 'walk.pose.mp4']
    assert [line['persons'][0]['track'] for line in lines_of(tmp_path / 'out' / 'walk.pose.jsonl')] == [1] * 6
    assert predict.opened[0]['flip_test'] is False and predict.opened[0]['checkpoint'] == 'a.onnx'
    assert capsys.readouterr().out.startswith('6 frames, 1 person in ')


def test_several_videos_keep_apart_and_one_that_fails_does_not_stop_the_others(predict, tmp_path, capsys):
    (tmp_path / 'other').mkdir()
    (tmp_path / 'broken.mp4').write_bytes(b'\0\0\0\x18ftypisom')
    paths = [make_video(tmp_path / 'a.mp4'), str(tmp_path / 'broken.mp4'), make_video(tmp_path / 'other' / 'a.mp4')]
    assert predict(*paths) == 2
    names = {'a.pose.jsonl', 'a.pose.mp4', 'a_2.pose.jsonl', 'a_2.pose.mp4'}
    assert {entry.name for entry in (tmp_path / 'out').iterdir()} == names
    message = capsys.readouterr().err
    assert message.startswith('error: ') and 'broken.mp4: OpenCV reads no frame' in message
    assert message.rstrip().count('\n') == 0


class Camera:
    def __init__(self, number):
        self.number, self.index = number, 0

    def isOpened(self):
        return self.number == 0

    def set(self, name, value):
        return False

    def get(self, name):
        return 0.0

    def read(self):
        self.index += 1
        return (self.index <= 4), numbered_image(self.index - 1)

    def release(self):
        pass


def test_a_camera_is_predicted_until_it_ends(predict, tmp_path, monkeypatch):
    monkeypatch.setattr(
        'hourglass_pose.prediction.video.recording.VideoReader', lambda source: VideoReader(source, Camera)
    )
    assert predict('--camera', '0') == 0
    lines = lines_of(tmp_path / 'out' / 'camera0.pose.jsonl')
    assert len(lines) == 4 and lines[0]['time'] == 0 and np.all(np.diff([line['time'] for line in lines]) > 0)
    assert (tmp_path / 'out' / 'camera0.pose.mp4').exists()


def test_a_camera_that_is_not_there_is_one_line(predict, monkeypatch, capsys):
    monkeypatch.setattr(
        'hourglass_pose.prediction.video.recording.VideoReader', lambda source: VideoReader(source, Camera)
    )
    assert predict('--camera', '3') == 2
    assert capsys.readouterr().err.startswith('error: camera 3: OpenCV gets no picture')


def test_incompatible_arguments_are_one_line(predict, tmp_path, capsys):
    video = make_video(tmp_path / 'a.mp4')
    for arguments, part in (
        ([video, 'photo.jpg'], 'photo.jpg: expected only photos'),
        ([video, '--camera', '0'], 'only a camera'),
        (['photo.jpg', '--camera', '0'], 'photo.jpg: expected only photos'),
        ([video, '--box', '1,2,30,40'], '--box: is for photos'),
        ([video, '--whole-image'], '--whole-image: is for photos'),
        ([], 'found none of them'),
        (['missing.mp4'], 'no such file'),
    ):
        assert predict(*arguments) == 2
        message = capsys.readouterr().err
        assert message.startswith('error: ') and part in message and message.count('\n') == 1


def test_options_reach_the_follower(predict, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(recording, 'record_video', lambda *arguments: seen.append(arguments[3:]))
    video = make_video(tmp_path / 'a.mp4')
    predict(video)
    predict(video, '--persons', '2', '--min-score', '0', '--min-person-score', '0.7')
    assert seen == [(None, 0.2, None), (2, 0.0, 0.7)]


def test_synthesize_writes_a_video_and_its_truth(tmp_path, capsys):
    assert main(['synthesize', '--video', '--output', str(tmp_path), '--frames', '3', '--size', '96x64']) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / 'walk_seed0.mp4')
    (line,) = [line for line in lines_of(tmp_path / 'walk_seed0.jsonl') if line['frame'] == 2]
    assert [person['track'] for person in line['persons']] == [1]
    arguments = ['--motion', 'run', '--crossing', '0', '--seed', '3', '--frames', '2', '--size', '96x64']
    assert main(['synthesize', '--video', '--output', str(tmp_path), *arguments]) == 0
    assert [len(line['persons']) for line in lines_of(tmp_path / 'run_seed3.jsonl')] == [2, 2]


def test_mistakes_of_synthesize_are_one_line(tmp_path, capsys):
    for arguments, part in (
        (['--video', '--images', '5'], '--images and --video'),
        (['--people', '2'], '--people: is an option of --video'),
        (['--video', '--crossing', '5', '--people', '3'], '--crossing: expected two people'),
        (['--video', '--crossing', '5', '--motion', 'squat'], '--crossing: expected two people'),
        (['--video', '--size', '65x64'], 'even numbers'),
        (['--video', '--size', '64'], 'WIDTHxHEIGHT'),
        (['--video', '--frames', '0'], 'an integer >= 1'),
        (['--seed', '-1'], '--seed: expected an integer'),
    ):
        try:
            code = main(['synthesize', '--output', str(tmp_path), *arguments])
        except SystemExit as end:
            code = end.code
        message = capsys.readouterr().err
        assert code == 2 and message.startswith('error: ') and part in message and message.count('\n') == 1
    assert list(tmp_path.iterdir()) == []
