"""Bodies of rendered people: proportions, joints that bend the human way, left and right."""

import math

import numpy as np
import pytest

from hourglass_pose.skeleton import MPII_JOINTS
from hourglass_pose.synthetic.bodies import HIP_INSET, MAX_VARIATION, SEGMENTS, SHOULDER_INSET, sample_figure

FIGURES = [sample_figure(np.random.RandomState([5, index])) for index in range(150)]

LIMBS = [
    (f'{side}_{first}', f'{side}_{last}', segment)
    for side in 'lr'
    for first, last, segment in (
        ('hip', 'knee', 'thigh'),
        ('knee', 'ankle', 'shank'),
        ('shoulder', 'elbow', 'upper_arm'),
        ('elbow', 'wrist', 'forearm'),
    )
] + [('pelvis', 'thorax', 'trunk'), ('chin', 'head', 'head')]


def length(figure, first, last):
    return np.linalg.norm(figure.points[last] - figure.points[first])


@pytest.mark.parametrize('first, last, segment', LIMBS)
def test_limbs_have_the_lengths_of_the_anthropometric_table(first, last, segment):
    for figure in FIGURES:
        assert abs(length(figure, first, last) / SEGMENTS[segment] - 1) <= MAX_VARIATION + 1e-9


def test_hips_and_shoulders_are_as_far_apart_as_the_table_says():
    # A raised arm draws its shoulder in by up to 0.014 and up by 0.035.
    for figure in FIGURES:
        hips = length(figure, 'l_hip', 'r_hip')
        shoulders = length(figure, 'l_shoulder', 'r_shoulder')
        assert abs((hips + 2 * HIP_INSET) / SEGMENTS['hip_breadth'] - 1) <= MAX_VARIATION + 1e-9
        widest = SEGMENTS['shoulder_breadth'] * (1 + MAX_VARIATION) - 2 * SHOULDER_INSET
        assert widest * 0.75 < shoulders < math.hypot(widest, 0.035)


def test_both_sides_of_a_body_are_equally_long():
    for figure in FIGURES:
        for first, last, _ in LIMBS[:4]:
            other = length(figure, f'r{first[1:]}', f'r{last[1:]}')
            assert length(figure, first, last) == pytest.approx(other, abs=1e-12)


def test_knees_bend_backwards_and_elbows_forwards_only():
    # Image axes are left-handed (y is down), so the cross product has the opposite sign of the body's own.
    for figure in FIGURES:
        points, left = figure.points, figure.frames['pelvis'][:, 0]
        for side in 'lr':
            thigh = points[f'{side}_knee'] - points[f'{side}_hip']
            shank = points[f'{side}_ankle'] - points[f'{side}_knee']
            assert -np.cross(thigh, shank).dot(left) >= -1e-9
            upper = points[f'{side}_elbow'] - points[f'{side}_shoulder']
            lower = points[f'{side}_wrist'] - points[f'{side}_elbow']
            bend = math.degrees(math.acos(upper.dot(lower) / np.linalg.norm(upper) / np.linalg.norm(lower)))
            assert bend <= 126


def test_toes_point_where_the_body_faces():
    for figure in FIGURES:
        if figure.stance in ('standing', 'sitting'):
            forward = figure.frames['pelvis'][:, 2]
            for side in 'lr':
                assert (figure.points[f'{side}_toe'] - figure.points[f'{side}_heel']).dot(forward) > 0


def test_right_hip_is_on_the_left_of_the_image_in_front_views_and_on_the_right_in_back_views():
    for figure in FIGURES:
        apart = figure.points['l_hip'][0] - figure.points['r_hip'][0]
        if abs(figure.yaw_deg) < 70:
            assert apart > 0
        if abs(figure.yaw_deg) > 110:
            assert apart < 0


def test_in_a_side_view_the_near_hip_follows_from_the_facing_direction():
    for figure in FIGURES:
        if 60 < abs(figure.yaw_deg) < 120:
            near = 'r' if figure.yaw_deg > 0 else 'l'
            far = 'l' if near == 'r' else 'r'
            assert figure.points[f'{near}_hip'][2] > figure.points[f'{far}_hip'][2]
            assert math.copysign(1, figure.frames['pelvis'][0, 2]) == math.copysign(1, figure.yaw_deg)


def test_most_people_show_their_front():
    front = np.mean([abs(figure.yaw_deg) < 95 for figure in FIGURES])
    # 0.76 expected; 4 standard deviations of 150 draws are 0.14.
    assert 0.62 < front < 0.9


def test_pelvis_is_the_origin_midway_between_the_hips():
    for figure in FIGURES:
        assert np.abs(figure.points['l_hip'] + figure.points['r_hip']).max() < 1e-12
        assert figure.joints().shape == (16, 3)
        assert np.all(figure.joints()[MPII_JOINTS.index('pelvis')] == 0)
