"""Painted people: shapes at sub-pixel places, labels on the bodies, faces and backs."""

import dataclasses
import math

import cv2
import numpy as np
import pytest

from hourglass_pose.synthetic.bodies import sample_figure
from hourglass_pose.synthetic.figures import FigurePainter
from hourglass_pose.synthetic.outfits import sample_outfit
from hourglass_pose.synthetic.shapes import CIRCLE, Ellipsoid, Sketch, Trunk, fill, tube_outlines

LIGHT = (-0.6, -0.8)
BACKDROP = (1, 254, 1)


def tube(start, end, start_radius, end_radius):
    ends = (np.array([point], float) for point in (start, end))
    return tube_outlines(*ends, np.array([start_radius], float), np.array([end_radius], float))[0]


def painted(figure, outfit, stature=160.0):
    image = np.full((400, 400, 3), BACKDROP, np.uint8)
    FigurePainter(figure, outfit, (200.0, 200.0), stature, LIGHT).paint(image)
    return image


@pytest.mark.parametrize('centre', [(30.0, 30.0), (30.5, 29.75), (31.31, 28.9)])
def test_a_filled_disc_is_centred_to_a_twentieth_of_a_pixel(centre):
    image = np.zeros((60, 60, 3), np.uint8)
    fill(image, np.array(centre) + 12 * CIRCLE, (255, 255, 255), True)
    rows, columns = np.mgrid[:60, :60]
    weight = image[..., 0] / image[..., 0].astype(float).sum()
    assert abs((columns * weight).sum() - centre[0]) < 0.05
    assert abs((rows * weight).sum() - centre[1]) < 0.05


@pytest.mark.parametrize('end_radius', [4.0, 9.0, 14.0])
def test_tube_outline_has_the_area_of_two_discs_and_their_common_tangents(end_radius):
    big, small, apart = max(9.0, end_radius), min(9.0, end_radius), 40.0
    angle = math.acos((big - small) / apart)
    # Two sectors and two right trapezoids between the radii and a tangent.
    tangent = math.sqrt(apart**2 - (big - small) ** 2)
    exact = (math.pi - angle) * big**2 + angle * small**2 + (big + small) * tangent
    outline = tube((10, 5), (34, 37), 9, end_radius)
    area = cv2.contourArea(outline.astype(np.float32))
    assert 0.94 * exact < area <= exact + 1e-3


def test_a_tube_inside_its_larger_end_is_a_disc():
    outline = tube((0, 0), (1, 0), 9, 3)
    assert np.hypot(outline[:, 0], outline[:, 1]).max() <= 9.0 + 1e-9
    # Seven points on the far half circle leave out a little of the disc.
    assert cv2.contourArea(outline.astype(np.float32)) > 0.8 * math.pi * 81


def test_nearer_shapes_are_painted_over_farther_ones_whatever_the_order():
    square = np.array([(5.0, 5.0), (25.0, 5.0), (25.0, 25.0), (5.0, 25.0)])
    for order in ((0, 1), (1, 0)):
        image = np.zeros((32, 32, 3), np.uint8)
        sketch = Sketch(LIGHT)
        for place in order:
            sketch.patch(place, square, (250 * place, 0, 100))
        sketch.paint(image)
        assert tuple(image[15, 15]) == (250, 0, 100)


def test_a_cap_that_faces_the_viewer_is_a_disc_and_one_that_faces_away_is_hidden():
    ball = Ellipsoid((50, 50), np.eye(3), np.full(3, 20.0))
    area = cv2.contourArea(ball.cap((0.0, 0.0, 1.0), 40).astype(np.float32))
    # A 20-gon has sin(18 deg) / 18 deg of its circle's area.
    exact = math.pi * (20 * math.sin(math.radians(40))) ** 2 * math.sin(math.pi / 10) / (math.pi / 10)
    assert area == pytest.approx(exact, rel=1e-3)
    assert ball.cap((0.0, 0.0, -1.0), 80) is None


def test_half_of_a_cap_at_the_edge_of_a_ball_is_seen():
    ball = Ellipsoid((50, 50), np.eye(3), np.full(3, 20.0))
    cap = ball.cap((1.0, 0.0, 0.0), 60)
    assert cap[:, 0].min() >= 50 + 20 * math.cos(math.radians(60)) - 1e-4
    # Between the chord at half the radius and the rim: a segment of 120 degrees.
    exact = 200 * (math.radians(120) - math.sin(math.radians(120)))
    assert 0.85 * exact < cv2.contourArea(cap.astype(np.float32)) <= exact


@pytest.mark.parametrize('yaw, seen', [(0, True), (180, False)])
def test_the_front_of_a_trunk_is_seen_from_the_front_only(yaw, seen):
    cosine = math.cos(math.radians(yaw))
    frame = np.diag([cosine, -1.0, cosine])
    trunk = Trunk((50, 80, 0), (50, 40, 0), frame, frame, (1, 1), 150)
    assert (trunk.strip(0.3, 0.6, -30, 30) is not None) == seen
    assert (trunk.strip(0.3, 0.6, 150, 210) is not None) != seen
    assert trunk.band(0.3, 0.6) is not None


def test_every_joint_lies_on_the_painted_person():
    for index in range(60):
        rng = np.random.RandomState([8, index])
        figure = sample_figure(rng)
        image = painted(figure, sample_outfit(rng))
        # The head top is on the outline itself: look a little below it.
        points = dict(figure.points, head=0.9 * figure.points['head'] + 0.1 * figure.points['neck'])
        for name, point in points.items():
            column, row = np.rint(200 + 160 * point[:2]).astype(int)
            assert tuple(image[row, column]) != BACKDROP, (index, name)


def test_nothing_is_painted_far_from_the_joints():
    for index in range(20):
        rng = np.random.RandomState([9, index])
        figure = sample_figure(rng)
        image = painted(figure, sample_outfit(rng))
        rows, columns = np.nonzero((image != BACKDROP).any(axis=2))
        points = np.array(list(figure.points.values()))[:, :2] * 160 + 200
        # Backpacks and long hair reach farthest beyond the joints.
        assert columns.min() > points[:, 0].min() - 0.16 * 160
        assert columns.max() < points[:, 0].max() + 0.16 * 160
        assert rows.min() > points[:, 1].min() - 0.08 * 160
        assert rows.max() < points[:, 1].max() + 0.08 * 160


def skin_share_of_the_head(figure, rng):
    outfit = dataclasses.replace(
        sample_outfit(rng), skin=(250.0, 0.0, 0.0), hair=(0.0, 0.0, 90.0), hair_cut='long', beard=False, glasses=False
    )
    image = painted(figure, outfit)
    middle = (0.4 * figure.points['chin'] + 0.6 * figure.points['head'])[:2] * 160 + 200
    column, row = np.rint(middle).astype(int)
    patch = image[row - 5 : row + 6, column - 5 : column + 6].astype(int)
    return np.mean((patch[..., 0] > 150) & (patch[..., 2] < 60))


def test_heads_show_a_face_from_the_front_and_hair_from_the_back():
    front, back = [], []
    for index in range(200):
        rng = np.random.RandomState([10, index])
        figure = sample_figure(rng)
        arms_up = min(figure.points[name][1] for name in ('l_hand', 'r_hand')) < figure.points['thorax'][1]
        if arms_up or figure.stance in ('bent', 'squatting'):
            continue
        if abs(figure.yaw_deg) < 25:
            front.append(skin_share_of_the_head(figure, rng))
        elif abs(figure.yaw_deg) > 155:
            back.append(skin_share_of_the_head(figure, rng))
    assert len(front) > 15 and len(back) > 5
    assert min(front) > 0.4
    assert max(back) < 0.05
