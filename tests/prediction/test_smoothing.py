"""OneEuroFilter: the published algorithm, on a person's joints."""

import math

import numpy as np
import pytest

from hourglass_pose.prediction.video.smoothing import OneEuroFilter

SEEN = np.ones(1, bool)


def published(values, times, min_cutoff, beta, speed_cutoff):
    """Return one coordinate, smoothed by algorithm 1 of the paper as it is printed: a loop over scalars."""

    def alpha(cutoff, period):
        tau = 1.0 / (2 * math.pi * cutoff)
        return 1.0 / (1.0 + tau / period)

    smoothed, derivative = [values[0]], 0.0
    for index in range(1, len(values)):
        period = times[index] - times[index - 1]
        change = (values[index] - smoothed[-1]) / period
        derivative += alpha(speed_cutoff, period) * (change - derivative)
        weight = alpha(min_cutoff + beta * abs(derivative), period)
        smoothed.append(weight * values[index] + (1 - weight) * smoothed[-1])
    return np.array(smoothed)


@pytest.mark.parametrize('size_px', [1.0, 240.0])
def test_one_coordinate_is_smoothed_as_the_paper_says(rng, size_px):
    times = np.cumsum(rng.uniform(0.02, 0.06, 60))
    values = np.cumsum(rng.normal(0, 0.02, 60)) + rng.normal(0, 0.01, 60)
    one_euro = OneEuroFilter(1, 0.7, 3.0, 1.5)
    found = [
        one_euro.smoothed(np.array([[value * size_px, 7.0]]), SEEN, size_px, time_s)[0]
        for value, time_s in zip(values, times)
    ]
    assert np.allclose(np.array(found)[:, 0] / size_px, published(values, times, 0.7, 3.0, 1.5), atol=1e-12)
    assert np.allclose(np.array(found)[:, 1], 7.0)


def run(values, seen=None, fps=25.0, size_px=200.0, **settings):
    one_euro = OneEuroFilter(1, **settings)
    seen = np.ones(len(values), bool) if seen is None else seen
    return np.array(
        [
            one_euro.smoothed(np.asarray(value, float)[None], seen[index : index + 1], size_px, index / fps)[0]
            for index, value in enumerate(values)
        ]
    )


def test_a_turned_camera_gives_the_turned_result(rng):
    path = np.cumsum(rng.normal(0, 5, (40, 2)), axis=0)
    turn = np.array([[math.cos(0.7), -math.sin(0.7)], [math.sin(0.7), math.cos(0.7)]])
    assert np.allclose(run(path.dot(turn.T)), run(path).dot(turn.T))


def test_smoothing_does_not_depend_on_the_size_of_the_person(rng):
    path = np.cumsum(rng.normal(0, 5, (40, 2)), axis=0)
    assert np.allclose(run(2 * path, size_px=400.0), 2 * run(path))


def test_the_first_position_is_taken_as_it_is():
    assert np.array_equal(run([(31.0, 7.0)])[0], (31.0, 7.0))


def test_noise_at_rest_is_reduced_and_steady_motion_is_followed(rng):
    noise = rng.normal(0, 2, (200, 2))
    steps = np.diff(run(noise)[25:], axis=0), np.diff(noise[25:], axis=0)
    assert np.std(steps[0]) < np.std(steps[1]) / 3
    straight = np.outer(np.arange(60), [16.0, 0.0])
    # At two sizes per second the cutoff is above 40 Hz: less than a tenth of the step of a frame is left behind.
    assert np.abs(run(straight) - straight)[-1, 0] < 1.6 + 1e-9


def test_joints_that_are_not_seen_are_neither_fed_nor_given(rng):
    path = rng.normal(100, 3, (20, 2))
    seen = np.ones(20, bool)
    seen[8:12] = False
    wild = path.copy()
    wild[8:12] = 1e6
    smoothed = run(wild, seen)
    assert np.isnan(smoothed[8:12]).all() and np.isfinite(smoothed[12:]).all()
    wild[8:12] = np.nan
    np.testing.assert_array_equal(run(wild, seen), smoothed)


def test_after_a_long_absence_a_joint_is_where_it_is_seen():
    one_euro = OneEuroFilter(1)
    one_euro.smoothed(np.array([[10.0, 10.0]]), SEEN, 200.0, 0.0)
    back = one_euro.smoothed(np.array([[150.0, 10.0]]), SEEN, 200.0, 1e4)
    assert np.allclose(back, [[150.0, 10.0]], atol=0.01)
