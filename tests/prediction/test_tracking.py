"""Tracker: people keep their numbers when they cross, tracks end after a while, and new people get new numbers."""

import numpy as np
import pytest

from crossings import poses_of_crossing
from hourglass_pose.prediction.video.tracking import FORGET_S, Tracker
from hourglass_pose.skeleton import SKELETONS
from hourglass_pose.synthetic.walks import SyntheticVideo

SIGMAS = SKELETONS['mpii'].oks_sigmas
STANDING = SyntheticVideo(0, 1, 1, motion='stand').persons(0)[0].joints_img
ALL = np.ones((1, 16), bool)


def numbers_of_crossing(seed, hidden, behind_each_other):
    """Return {true number: set of the tracker's numbers}."""
    tracker, given = Tracker(SIGMAS), {}
    for time_s, joints, seen, true in poses_of_crossing(seed, hidden, behind_each_other):
        for number, track in zip(true, tracker.update(joints, seen, time_s)):
            given.setdefault(number, set()).add(track.number)
    return given


@pytest.mark.parametrize('hidden, behind_each_other', [(0, False), (5, False), (15, False), (5, True), (15, True)])
def test_people_who_cross_keep_their_numbers(hidden, behind_each_other):
    given = [numbers_of_crossing(seed, hidden, behind_each_other) for seed in range(20)]
    assert all(len(numbers) == 2 for numbers in given)
    kept = sum(all(len(numbers) == 1 for numbers in both.values()) for both in given)
    assert kept >= 19


def follow(tracker, offsets, times, seen=ALL):
    return [tracker.update((STANDING + offset)[None], seen, time_s)[0] for offset, time_s in zip(offsets, times)]


def test_a_person_is_expected_to_keep_the_velocity():
    tracker, times = Tracker(SIGMAS), np.arange(30) / 25
    velocity = np.array([90.0, -20.0])
    follow(tracker, times[:, None] * velocity, times)
    (track,) = tracker.tracks(times[-1])
    assert np.allclose(track.velocity, velocity)
    assert np.allclose(track.expected_at(1.5), STANDING + 1.5 * velocity)


def test_swinging_arms_do_not_move_the_body():
    tracker = Tracker(SIGMAS)
    arms = np.zeros((16, 2))
    arms[[10, 11, 14, 15]] = (0.0, 40.0)
    follow(tracker, [arms * np.sin(index) for index in range(20)], np.arange(20) / 25)
    assert np.allclose(tracker.tracks(0.76)[0].velocity, 0)


def test_joints_that_are_not_seen_move_along_with_the_body():
    tracker = Tracker(SIGMAS)
    follow(tracker, [np.zeros(2)], [0.0])
    seen = ALL.copy()
    seen[0, :6] = False
    follow(tracker, [np.array([10.0, 0.0])], [0.1], seen)
    assert np.allclose(tracker.tracks(0.1)[0].joints_img, STANDING + [10, 0])


def test_joints_that_are_not_seen_do_not_count():
    tracker = Tracker(SIGMAS)
    follow(tracker, [np.zeros(2)], [0.0])
    seen, wrong = ALL.copy(), STANDING.copy()
    seen[0, :8] = False
    wrong[:8] += 500
    assert tracker.similarity(wrong[None], seen, 0.04)[0, 0] > 0.9
    assert tracker.similarity(wrong[None], ALL, 0.04)[0, 0] < 0.6
    assert tracker.similarity(STANDING[None], ~ALL, 0.04)[0, 0] == 0


def test_who_is_not_found_for_too_long_is_given_up_and_gets_a_new_number():
    tracker = Tracker(SIGMAS)
    first, again, later = follow(tracker, np.zeros((3, 2)), [0.0, FORGET_S, 2 * FORGET_S + 0.01])
    assert (first.number, again.number, later.number) == (1, 1, 2)


def test_a_pose_far_from_everybody_starts_a_track_only_if_it_may():
    tracker = Tracker(SIGMAS)
    follow(tracker, [np.zeros(2)], [0.0])
    both = np.array([STANDING, STANDING + 400])
    assert tracker.update(both, ALL.repeat(2, 0), 0.04, np.array([False, False]))[1] is None
    assert [track.number for track in tracker.update(both, ALL.repeat(2, 0), 0.08, np.array([False, True]))] == [1, 2]


def test_of_two_people_at_one_place_the_pose_is_that_of_the_one_seen_last():
    tracker = Tracker(SIGMAS)
    tracker.update(np.array([STANDING, STANDING + 8]), ALL.repeat(2, 0), 0.0)
    tracker.update((STANDING + 8)[None], ALL, 0.4)
    (track,) = tracker.update((STANDING + 4)[None], ALL, 0.44)
    assert track.number == 2


def test_frames_without_people_are_nothing_special():
    tracker = Tracker(SIGMAS)
    assert tracker.update(np.zeros((0, 16, 2)), np.zeros((0, 16), bool), 0.0) == []
    follow(tracker, [np.zeros(2)], [0.1])
    assert tracker.update(np.zeros((0, 16, 2)), np.zeros((0, 16), bool), 0.2) == []
    assert len(tracker.tracks(0.2)) == 1


def test_joints_without_a_published_sigma_are_followed_too():
    tracker = Tracker(np.full(16, np.nan))
    follow(tracker, np.zeros((2, 2)), [0.0, 0.04])
    assert tracker.similarity(STANDING[None], ALL, 0.08)[0, 0] == pytest.approx(1 / (1 + 0.04 / 0.5))
