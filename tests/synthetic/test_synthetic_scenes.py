"""Rendered images: pure functions of seed and index, with labels that fit them."""

import functools

import numpy as np
import pytest

from hourglass_pose.skeleton import MPII_JOINTS
from hourglass_pose.synthetic.bodies import MAX_VARIATION, SEGMENTS
from hourglass_pose.synthetic.scenes import MAX_SIDE_PX, MIN_SIDE_PX, RENDERING_VERSION, render_image

JOINT = {name: index for index, name in enumerate(MPII_JOINTS)}


@functools.lru_cache(None)
def rendered():
    """Return 150 (image, persons). A function, because every process of pytest-xdist imports this file."""
    return [render_image(11, index) for index in range(150)]


def rendered_persons():
    return [(image, person) for image, persons in rendered() for person in persons]


def apart(person, first, last):
    return np.hypot(*(person.joints_img[JOINT[last]] - person.joints_img[JOINT[first]]))


def test_an_image_depends_on_seed_and_index_alone():
    state = np.random.get_state()[1].copy()
    image, persons = render_image(11, 7)
    assert np.array_equal(image, rendered()[7][0])
    for person, before in zip(persons, rendered()[7][1]):
        assert np.array_equal(person.joints_img, before.joints_img)
        assert np.array_equal(person.box_img, before.box_img)
    assert np.array_equal(np.random.get_state()[1], state)


def test_another_seed_or_index_gives_another_image():
    for other in (render_image(12, 7)[0], render_image(11, 8)[0], render_image(7, 11)[0]):
        assert not np.array_equal(other, rendered()[7][0])


def test_the_first_image_is_that_of_this_rendering_version():
    # When this changes on purpose, raise RENDERING_VERSION: data sets on disk are reused by that number.
    assert RENDERING_VERSION == 2
    joints = render_image(0, 0)[1][0].joints_img
    expected = {'r_ankle': (97.8637, 136.6744), 'head': (58.2721, 18.1441), 'l_wrist': (45.8583, 82.5600)}
    for name, point in expected.items():
        assert np.abs(joints[JOINT[name]] - point).max() < 0.01


def test_images_are_uint8_rgb_within_the_promised_sizes():
    for image, persons in rendered():
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        assert min(image.shape[:2]) >= MIN_SIDE_PX and max(image.shape[:2]) <= MAX_SIDE_PX
        assert 1 <= len(persons) <= 2
    assert len({image.shape for image, _ in rendered()}) > 75


def test_a_joint_is_labelled_exactly_where_it_rounds_into_the_image():
    for image, person in rendered_persons():
        height, width = image.shape[:2]
        column, row = np.rint(person.joints_img).T
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        assert np.array_equal(person.labelled, inside)
        assert person.joints_img.dtype == np.float32 and person.labelled.dtype == bool


def test_boxes_are_whole_numbers_inside_the_image_round_the_labelled_joints():
    for image, person in rendered_persons():
        x0, y0, x1, y1 = person.box_img
        assert np.array_equal(person.box_img, np.rint(person.box_img))
        assert 0 <= x0 < x1 <= image.shape[1] - 1 and 0 <= y0 < y1 <= image.shape[0] - 1
        labelled = np.rint(person.joints_img[person.labelled])
        assert (labelled >= (x0, y0)).all() and (labelled <= (x1, y1)).all()


def test_limbs_in_the_image_are_never_longer_than_in_the_body():
    for _, person in rendered_persons():
        for side in ('l_', 'r_'):
            for first, last, segment in (
                ('hip', 'knee', 'thigh'),
                ('knee', 'ankle', 'shank'),
                ('shoulder', 'elbow', 'upper_arm'),
                ('elbow', 'wrist', 'forearm'),
            ):
                longest = SEGMENTS[segment] * (1 + MAX_VARIATION) * person.stature_px
                assert apart(person, side + first, side + last) <= longest + 1e-3


def test_front_views_are_not_mirrored():
    for _, person in rendered_persons():
        right, left = person.joints_img[JOINT['r_shoulder']], person.joints_img[JOINT['l_shoulder']]
        if abs(person.yaw_deg) < 30:
            assert right[0] < left[0]
        if abs(person.yaw_deg) > 150:
            assert right[0] > left[0]


def test_people_are_large_and_mostly_whole():
    shares = [(person.box_img[3] - person.box_img[1] + 1) / image.shape[0] for image, person in rendered_persons()]
    heads = [apart(person, 'head', 'neck') for _, person in rendered_persons()]
    assert 0.6 < np.median(shares) < 0.9
    assert np.median(heads) > 15 and np.percentile(heads, 5) > 13
    assert np.mean([person.labelled.all() for _, person in rendered_persons()]) > 0.93
    assert min(person.labelled.sum() for _, person in rendered_persons()) >= 6


def test_some_images_hold_two_people():
    pairs = np.mean([len(persons) == 2 for _, persons in rendered()])
    assert 0.03 < pairs < 0.3


@pytest.mark.parametrize('seed, index', [(-1, 0), (2**32, 0), (0, -1)])
def test_numbers_out_of_range_are_refused(seed, index):
    with pytest.raises(ValueError, match='seed and index'):
        render_image(seed, index)
