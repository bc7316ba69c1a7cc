"""The speed of a training: without the first steps and the time between steps, and None if nothing was measured."""

import json

import pytest

from hourglass_pose.training.performance import FIRST_STEPS, PERFORMANCE, Performance


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def train(performance, clock, durations, images=8, steps=1, pause=0.0):
    """Make steps of these durations in seconds, with a pause after each."""
    for number, seconds in enumerate(durations):
        performance.begin()
        clock.now += seconds
        performance.end(images, 1.0 / (number + 1), steps)
        clock.now += pause


def test_first_steps_and_pauses_are_not_counted(clock):
    performance = Performance(clock)
    # The first step compiles; a validation of 50 s follows each step.
    train(performance, clock, [300.0] + [1.0] * (FIRST_STEPS - 1) + [0.5] * 30, pause=50.0)
    found = performance.as_dict()
    assert found['images_per_second'] == pytest.approx(8 / 0.5)
    assert found['seconds_per_step'] == pytest.approx(0.5)
    assert (found['steps'], found['images'], found['steps_left_out']) == (30, 240, FIRST_STEPS)
    assert found['seconds'] == pytest.approx(15.0)
    assert found['last_loss'] == pytest.approx(1 / 40)


@pytest.mark.parametrize('made, counted', [(2, 1), (3, 2), (4, 2), (5, 3), (19, 10), (20, 10), (21, 11), (100, 90)])
def test_of_a_short_run_half_the_steps_are_left_out(clock, made, counted):
    performance = Performance(clock)
    train(performance, clock, [9.0] + [1.0] * (made - 1))
    found = performance.as_dict()
    assert (found['steps'], found['steps_left_out']) == (counted, made - counted)
    assert found['images_per_second'] == pytest.approx(8.0)


@pytest.mark.parametrize('made', [0, 1])
def test_a_single_step_gives_no_speed(clock, made):
    performance = Performance(clock)
    train(performance, clock, [1.0] * made)
    found = performance.as_dict()
    assert found['images_per_second'] is None and found['seconds_per_step'] is None
    assert (found['steps'], found['steps_left_out'], found['seconds']) == (0, made, 0.0)


def test_a_device_loop_is_counted_by_whole_loops(clock):
    performance = Performance(clock)
    # Each run makes 25 steps with 25 batches of 8; the first one compiles.
    train(performance, clock, [400.0, 5.0, 5.0, 5.0], images=25 * 8, steps=25)
    found = performance.as_dict()
    assert found['images_per_second'] == pytest.approx(200 / 5.0)
    assert (found['steps'], found['steps_left_out'], found['seconds_per_step']) == (75, 25, pytest.approx(0.2))


def test_file_is_strict_json_even_after_a_loss_that_is_not_finite(clock, tmp_path):
    performance = Performance(clock)
    performance.begin()
    performance.end(8, float('nan'))
    performance.write(str(tmp_path), finished=False)
    text = (tmp_path / PERFORMANCE).read_text()
    found = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert found['last_loss'] is None and found['finished'] is False and 'validation' in found['definition']
