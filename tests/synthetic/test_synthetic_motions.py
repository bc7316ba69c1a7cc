"""Motions: cycles that close, limbs of constant length, knees that bend the human way."""

import math

import numpy as np
import pytest

from hourglass_pose.synthetic.bodies import SEGMENTS
from hourglass_pose.synthetic.motions import _HIP_WALKING, MOTIONS, _periodic, figure_in_motion

PHASES = np.linspace(0, 1, 40, endpoint=False)


def figures(name, yaw=70.0):
    return [figure_in_motion(SEGMENTS, MOTIONS[name].posture(phase), yaw, 6.0) for phase in PHASES]


def test_a_periodic_function_goes_through_its_values():
    at = _periodic(_HIP_WALKING)
    assert np.allclose([at(index / 10) for index in range(-10, 20)], 3 * list(_HIP_WALKING))


@pytest.mark.parametrize('name', MOTIONS)
def test_a_motion_repeats_without_a_jump(name):
    points = np.array([figure.joints() for figure in figures(name)])
    # The largest step between neighbours, the last and the first among them, is not far above the usual large one.
    steps = np.linalg.norm(points - np.roll(points, 1, axis=0), axis=2).max(axis=1)
    assert steps[0] <= 1.5 * np.percentile(steps, 90) + 1e-9


@pytest.mark.parametrize('name', MOTIONS)
def test_limbs_keep_their_lengths(name):
    for figure in figures(name):
        for side in 'lr':
            for first, last, segment in (('hip', 'knee', 'thigh'), ('elbow', 'wrist', 'forearm')):
                limb = figure.points[f'{side}_{last}'] - figure.points[f'{side}_{first}']
                assert np.linalg.norm(limb) == pytest.approx(SEGMENTS[segment])


@pytest.mark.parametrize('name', MOTIONS)
def test_knees_do_not_bend_forwards(name):
    assert all(posture.legs[side][2] >= 0 for posture in map(MOTIONS[name].posture, PHASES) for side in 'lr')


@pytest.mark.parametrize('name', ['walk', 'run'])
def test_left_and_right_take_turns(name):
    now, later = MOTIONS[name].posture(0.2), MOTIONS[name].posture(0.7)
    assert np.allclose(now.legs['l'], later.legs['r']) and np.allclose(now.arms['r'], later.arms['l'])


def test_a_walker_advances_about_as_far_as_the_feet_reach():
    """A foot on the ground moves back under the body as fast as the body moves on, up to a third."""
    walk = MOTIONS['walk']
    figure = [figure_in_motion(SEGMENTS, walk.posture(phase), 90.0, 0.0) for phase in (0.05, 0.35)]
    back = figure[0].points['l_ankle'][0] - figure[1].points['l_ankle'][0]
    assert back == pytest.approx(0.3 / walk.cycles_per_s * walk.speed, rel=1 / 3)


def test_squats_lower_the_hips_below_the_knees_and_raised_arms_are_above_the_head():
    deep = figure_in_motion(SEGMENTS, MOTIONS['squat'].posture(0.5), 30.0, 0.0)
    straight = figure_in_motion(SEGMENTS, MOTIONS['squat'].posture(0.0), 30.0, 0.0)
    thigh = deep.points['l_hip'][1] - deep.points['l_knee'][1]
    assert abs(thigh) < 0.3 * SEGMENTS['thigh']
    assert straight.points['l_knee'][1] - straight.points['l_hip'][1] > 0.95 * SEGMENTS['thigh']
    raised = figure_in_motion(SEGMENTS, MOTIONS['raise'].posture(0.5), 0.0, 0.0)
    assert raised.points['l_wrist'][1] < raised.points['head'][1]
    assert math.isclose(np.linalg.det(raised.frames['head']), -1)
