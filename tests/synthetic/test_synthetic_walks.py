"""Videos of rendered people: pure functions of seed and frame, with paths, crossings and truth on disk."""

import json

import numpy as np
import pytest

from hourglass_pose.skeleton import MPII_JOINTS
from hourglass_pose.synthetic.video_files import truth_record, write_synthetic_video
from hourglass_pose.synthetic.walks import SyntheticVideo
from hourglass_pose.videos import VideoReader

SIZE = (160, 120)


def centres(video, number):
    return np.array([video.persons(index)[number - 1].joints_img.mean(axis=0) for index in range(video.num_frames)])


def test_a_frame_depends_on_the_seed_and_its_index_alone():
    first, second = (SyntheticVideo(4, 2, 20, SIZE) for _ in range(2))
    second.image(3)
    assert np.array_equal(first.image(11), second.image(11))
    assert all(np.array_equal(a.joints_img, b.joints_img) for a, b in zip(first.persons(11), second.persons(11)))
    assert not np.array_equal(first.image(11), SyntheticVideo(5, 2, 20, SIZE).image(11))
    assert not np.array_equal(first.image(11), first.image(12))


def test_frames_are_uint8_rgb_of_the_size_that_was_asked_for():
    image = SyntheticVideo(0, 3, 5, (162, 122)).image(4)
    assert image.dtype == np.uint8 and image.shape == (122, 162, 3)


def test_people_are_painted_where_their_joints_are():
    """A frame differs from one half a second later most where the body is."""
    video = SyntheticVideo(2, 1, 14, (320, 240))
    change = np.abs(video.image(0).astype(int) - video.image(13)).sum(axis=2)
    left, right = (centres(video, 1)[index, 0] for index in (0, 13))
    rows, columns = np.nonzero(change > 150)
    stature = np.ptp(video.persons(0)[0].joints_img[:, 1])
    assert len(columns) and columns.min() > min(left, right) - stature and columns.max() < max(left, right) + stature


def test_walkers_move_at_their_speed_and_runners_faster():
    steps = {}
    for motion in ('stand', 'walk', 'run'):
        video = SyntheticVideo(6, 1, 12, (640, 480), motion=motion)
        stature = np.ptp(video.persons(0)[0].joints_img[:, 1])
        steps[motion] = abs(np.diff(centres(video, 1)[[0, -1], 0])[0]) / stature / (11 / 25)
    assert steps['stand'] < 0.05
    assert 0.45 < steps['walk'] < 1.1 < steps['run']


def test_feet_stay_on_the_ground():
    video = SyntheticVideo(1, 1, 30, (640, 480))
    lowest = [person.joints_img[:, 1].max() for index in range(30) for person in video.persons(index)]
    stature = np.ptp(video.persons(0)[0].joints_img[:, 1])
    # The lowest joint is an ankle, at most half a foot above the lowest sole.
    assert np.ptp(lowest) < 0.08 * stature


def test_people_turn_round_before_they_leave():
    video = SyntheticVideo(3, 2, 400, (320, 240))
    for number in (1, 2):
        columns = centres(video, number)[:, 0]
        assert columns.min() > 0 and columns.max() < 319
        assert np.ptp(columns) > 100


@pytest.mark.parametrize('hidden', [0, 5, 15])
@pytest.mark.parametrize('seed', range(3))
def test_people_cross_in_the_middle_behind_the_post(seed, hidden):
    video = SyntheticVideo(seed, 2, 70, (640, 480), crossing=hidden)
    apart = centres(video, 1)[:, 0] - centres(video, 2)[:, 0]
    assert np.sign(apart[0]) == -np.sign(apart[-1])
    assert abs(int(np.argmin(np.abs(apart))) - 35) <= 3
    counts = [sum(not video.persons(index)[number].visible.any() for index in range(20, 50)) for number in (0, 1)]
    assert min(counts) == hidden


def test_hidden_joints_are_behind_the_post_or_outside():
    video = SyntheticVideo(0, 2, 70, (640, 480), crossing=15)
    for index in range(0, 70, 5):
        for person in video.persons(index):
            inside = np.all((person.joints_img > -0.5) & (person.joints_img < (639.5, 479.5)), axis=1)
            assert not (person.visible & ~inside).any()
            hidden = person.joints_img[inside & ~person.visible, 0]
            if len(hidden):
                assert np.ptp(hidden) < 300 and abs(hidden.mean() - 319.5) < 150


def test_the_files_hold_the_frames_and_the_truth(tmp_path):
    video = SyntheticVideo(7, 2, 6, SIZE)
    path = write_synthetic_video(str(tmp_path), 'walk_seed7', video)
    reader = VideoReader(path)
    images = [image for _, image in reader]
    reader.close()
    records = [json.loads(line) for line in (tmp_path / 'walk_seed7.jsonl').read_text().splitlines()]
    assert len(images) == len(records) == 6
    for index, (image, record) in enumerate(zip(images, records)):
        # Another frame, or exchanged colours, would differ by tens of levels.
        assert np.abs(image.astype(int) - video.image(index)).mean() < 12
        assert record.pop('format') == 'hourglass-pose true joints 1'
        assert record == json.loads(json.dumps(truth_record(video, index)))
        assert [person['track'] for person in record['persons']] == [1, 2]
        for person, true in zip(record['persons'], video.persons(index)):
            assert list(person['joints']) == list(MPII_JOINTS) and not person['hidden']
            assert np.allclose([joint[:2] for joint in person['joints'].values()], true.joints_img, atol=5.1e-4)
            assert [bool(joint[2]) for joint in person['joints'].values()] == true.visible.tolist()
