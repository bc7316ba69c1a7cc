"""Follower: one crop a person and frame, searches at times, numbers that stay, joints that are smooth."""

import json

import numpy as np
import pytest

from hourglass_pose.prediction.video.following import SEARCH_EVERY, Follower
from hourglass_pose.synthetic.walks import SyntheticVideo
from stand_in_predictor import SIZE_WH, StandInPredictor, numbered_image

FPS = 25.0


def follow(predictor, frames, **options):
    follower = Follower(predictor, **options)
    size_wh = predictor.video.size_wh
    return list(follower.frames((index / FPS, numbered_image(index, size_wh)) for index in frames))


def tracks(frames):
    return [[person.track for person in frame.persons] for frame in frames]


def test_a_person_is_searched_once_and_then_followed_by_one_crop_a_frame():
    predictor = StandInPredictor(SyntheticVideo(0, 1, 40, SIZE_WH))
    frames = follow(predictor, range(40))
    assert tracks(frames) == [[1]] * 40
    assert (predictor.searches, predictor.crops) == (1, 39)


def test_the_whole_image_is_searched_again_after_some_frames():
    predictor = StandInPredictor(SyntheticVideo(0, 1, 40, SIZE_WH, motion='stand'))
    follow(predictor, range(2 * SEARCH_EVERY + 1))
    assert predictor.searches == 3


def test_nobody_is_searched_while_everybody_is_followed():
    predictor = StandInPredictor(SyntheticVideo(0, 1, 40, SIZE_WH, motion='stand'))
    follow(predictor, range(2 * SEARCH_EVERY + 1), max_persons=1)
    assert predictor.searches == 1


def test_a_new_person_is_found_by_the_next_search():
    predictor = StandInPredictor(SyntheticVideo(1, 2, 40, SIZE_WH, motion='stand'))
    everybody, predictor._people = predictor._people, lambda image: everybody(image)[:1]
    follower = Follower(predictor, search_every=10)
    images = [(index / FPS, numbered_image(index)) for index in range(40)]
    assert tracks(follower.frames(images[:15]))[-1] == [1]
    predictor._people = everybody
    found = [[person.track for person in follower.follow(image, time_s)] for time_s, image in images[15:]]
    assert found == [[1]] * 5 + [[1, 2]] * 20


def test_an_empty_video_is_searched_every_few_frames_without_a_crop():
    predictor = StandInPredictor(SyntheticVideo(0, 1, 40, SIZE_WH))
    predictor._people = lambda image: []
    assert tracks(follow(predictor, range(40))) == [[]] * 40
    assert (predictor.searches, predictor.crops) == (4, 0)


@pytest.mark.parametrize('hidden', [0, 5, 15])
def test_people_who_cross_keep_their_numbers(hidden):
    videos = [SyntheticVideo(seed, 2, 70, (640, 480), crossing=hidden) for seed in range(2)]
    kept = 0
    for video in videos:
        given = {1: set(), 2: set()}
        frames = follow(StandInPredictor(video, 4.0), range(70), search_every=10)
        for frame in frames:
            for person in frame.persons:
                apart = [np.abs(person.pose.joints_img - true.joints_img).mean() for true in video.persons(frame.index)]
                given[1 + int(np.argmin(apart))].add(person.track)
        kept += given[1] != given[2] and len(given[1]) == len(given[2]) == 1
    assert kept == len(videos)


def test_two_poses_of_one_person_are_one():
    predictor = StandInPredictor(SyntheticVideo(0, 1, 40, SIZE_WH), 0.3)
    once = predictor.find
    predictor.find = lambda *arguments: once(*arguments) + once(*arguments)
    assert tracks(follow(predictor, range(3), search_every=1)) == [[1]] * 3


def test_at_most_so_many_people_are_followed():
    predictor = StandInPredictor(SyntheticVideo(1, 3, 40, (512, 96), motion='stand'))
    assert {len(numbers) for numbers in tracks(follow(predictor, range(5), max_persons=2))} == {2}


def test_a_person_who_leaves_the_image_is_looked_for_no_longer():
    predictor = StandInPredictor(SyntheticVideo(0, 1, 40, SIZE_WH, crossing=0))
    follower = Follower(predictor)
    follower.follow(numbered_image(20), 0.0)
    # The same pose far outside.
    (track,) = follower._tracker.tracks(0.0)
    track.joints_img = track.joints_img + 1000
    crops = predictor.crops
    assert follower.follow(numbered_image(21), 0.04) == []
    assert predictor.crops == crops


def test_joints_below_the_threshold_are_not_smoothed_and_have_raw_coordinates():
    predictor = StandInPredictor(SyntheticVideo(0, 1, 4, SIZE_WH))
    exact = predictor._pose

    def without_feet(person):
        pose = exact(person)
        pose.scores[[0, 5]] = 0.1
        return pose

    predictor._pose = without_feet
    (person,) = follow(predictor, range(3))[-1].persons
    assert np.isnan(person.smoothed_img[[0, 5]]).all() and np.isfinite(person.smoothed_img[1:5]).all()
    record = json.loads(json.dumps(person.as_dict(), allow_nan=False))
    assert record['smoothed']['r_ankle'] is None and len(record['joints']['r_ankle']) == 3
    assert record['track'] == 1 and np.allclose(record['smoothed']['head'], person.smoothed_img[9], atol=5.1e-4)


def test_standing_people_jitter_less_after_smoothing():
    predictor = StandInPredictor(SyntheticVideo(0, 1, 60, SIZE_WH, motion='stand'), 1.0)
    frames = follow(predictor, range(60))[10:]
    raw = np.diff([frame.persons[0].pose.joints_img for frame in frames], axis=0)
    smooth = np.diff([frame.persons[0].smoothed_img for frame in frames], axis=0)
    assert smooth.std() < raw.std() / 2


def test_a_new_track_starts_with_an_unsmoothed_pose():
    predictor = StandInPredictor(SyntheticVideo(0, 1, 40, SIZE_WH), 1.0)
    follower = Follower(predictor, search_every=1)
    for index in range(5):
        follower.follow(numbered_image(index), index / FPS)
    (person,) = follower.follow(numbered_image(30), 30.0)
    assert person.track == 2 and np.array_equal(person.smoothed_img, person.pose.joints_img)


def test_a_pose_without_enough_joints_is_no_person():
    predictor = StandInPredictor(SyntheticVideo(0, 1, 4, SIZE_WH))
    assert tracks(follow(predictor, range(3), min_joint_score=0.95)) == [[]] * 3
