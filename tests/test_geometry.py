"""Affines between photo, crop and heatmap: inverses, what stays in place, and what commutes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hourglass_pose.geometry import (
    compose,
    crop_affine,
    crop_from_hm,
    hm_from_crop,
    inside_crop,
    invert,
    square_box,
    square_of_affine,
    transform_points,
)

CROP, STRIDE = 128, 4
COORDINATES = st.floats(-500, 500)
POINTS = st.lists(st.tuples(COORDINATES, COORDINATES), min_size=1, max_size=5).map(np.array)
FEW = settings(max_examples=30, deadline=None)
AFFINES = st.builds(
    crop_affine,
    st.tuples(COORDINATES, COORDINATES).map(np.array),
    st.floats(1, 5000),
    st.just(CROP),
    st.floats(-180, 180),
    st.booleans(),
)


@FEW
@given(AFFINES, POINTS)
def test_inverse_leads_back(affine, points):
    back = transform_points(invert(affine), transform_points(affine, points))
    # Coordinates in the crop stay below 2^18, whose last bit is 2^-35 = 3e-11; few such roundings happen.
    np.testing.assert_allclose(back, points, atol=1e-8)


@FEW
@given(AFFINES, AFFINES, POINTS)
def test_compose_applies_the_right_one_first(second, first, points):
    np.testing.assert_allclose(
        transform_points(compose(second, first), points),
        transform_points(second, transform_points(first, points)),
        rtol=1e-9,
        atol=1e-6,
    )


@FEW
@given(st.floats(-180, 180), st.floats(1, 2000), st.booleans(), COORDINATES, COORDINATES)
def test_the_centre_comes_to_the_middle_of_the_crop_whatever_the_view(rotation, side, flip, x, y):
    affine = crop_affine(np.array([x, y]), side, CROP, rotation, flip)
    np.testing.assert_allclose(transform_points(affine, [x, y]), [(CROP - 1) / 2] * 2, atol=1e-8)
    # A similarity: every length is multiplied by CROP / side, a mirror image has a negative determinant.
    np.testing.assert_allclose(np.linalg.det(affine[:, :2]), (-1 if flip else 1) * (CROP / side) ** 2, rtol=1e-9)
    np.testing.assert_allclose(affine[:, :2].dot(affine[:, :2].T), np.eye(2) * (CROP / side) ** 2, atol=1e-9)


@FEW
@given(st.floats(-180, 180), st.floats(1, 2000), st.booleans(), COORDINATES, COORDINATES)
def test_the_square_of_an_affine_is_the_one_it_was_made_from(rotation, side, flip, x, y):
    centre, found = square_of_affine(crop_affine(np.array([x, y]), side, CROP, rotation, flip), CROP)
    np.testing.assert_allclose(centre, [x, y], atol=1e-8)
    np.testing.assert_allclose(found, side, rtol=1e-9)


def test_outer_edges_of_the_square_come_to_the_outer_edges_of_the_crop():
    centre, side = square_box((10, 20, 109, 79), margin=0.25)
    np.testing.assert_allclose(centre, [59.5, 49.5])
    assert side == 150  # the longer side, 100 pixels from 10 to 109, and a quarter of it on each side
    affine = crop_affine(centre, side, CROP)
    # The square reaches from the left edge of its first pixel, half a pixel before the centre of that.
    first_edge, last_edge = centre - side / 2, centre + side / 2
    np.testing.assert_allclose(first_edge, [-15.5, -25.5])
    np.testing.assert_allclose(transform_points(affine, [first_edge, last_edge]), [[-0.5] * 2, [CROP - 0.5] * 2])


@pytest.mark.parametrize('box, side', [((5, 5, 5, 5), 1), ((5, 7, 4, 3), 1), ((0, 0, 0, 9), 10)])
def test_square_of_a_flat_or_reversed_box_has_at_least_one_pixel(box, side):
    assert square_box(box, 0.0)[1] == side


def test_positive_rotation_is_anti_clockwise_on_the_screen():
    affine = crop_affine(np.array([50.0, 50.0]), CROP, CROP, rotation_deg=90)
    middle = (CROP - 1) / 2
    # What was right of the centre comes above it, and y points down; what was above comes to the left.
    np.testing.assert_allclose(
        transform_points(affine, [[60, 50], [50, 40]]), [[middle, middle - 10], [middle - 10, middle]], atol=1e-12
    )


def test_flip_mirrors_the_finished_crop():
    points = np.random.RandomState(0).uniform(0, 100, (9, 2))
    plain, flipped = [crop_affine(np.array([31.0, 47.0]), 77, CROP, 25, flip) for flip in (False, True)]
    expected = transform_points(plain, points)
    expected[:, 0] = CROP - 1 - expected[:, 0]
    np.testing.assert_allclose(transform_points(flipped, points), expected, atol=1e-10)


def test_a_cell_lies_in_the_middle_of_its_pixels():
    pixels = np.arange(CROP, dtype=np.float64)
    centres = pixels.reshape(-1, STRIDE).mean(axis=1)
    np.testing.assert_array_equal(hm_from_crop(centres, STRIDE), np.arange(CROP // STRIDE))
    np.testing.assert_array_equal(crop_from_hm(np.arange(CROP // STRIDE), STRIDE), centres)


@FEW
@given(POINTS, st.sampled_from([1, 2, 4, 8]))
def test_crop_and_heatmap_frames_are_inverse(points, stride):
    np.testing.assert_allclose(crop_from_hm(hm_from_crop(points, stride), stride), points, atol=1e-10)


@FEW
@given(POINTS, st.floats(-180, 180), st.floats(0.25, 4), st.booleans())
def test_flip_rotation_and_scale_commute_with_the_step_to_the_heatmap(points, rotation, scale, flip):
    def about_the_middle(size):
        return crop_affine(np.array([(size - 1) / 2] * 2), size / scale, size, rotation, flip)

    in_crop_first = hm_from_crop(transform_points(about_the_middle(CROP), points), STRIDE)
    in_map_first = transform_points(about_the_middle(CROP // STRIDE), hm_from_crop(points, STRIDE))
    np.testing.assert_allclose(in_crop_first, in_map_first, atol=1e-9)


def test_a_map_that_flattens_the_plane_has_no_inverse():
    with pytest.raises(np.linalg.LinAlgError):
        invert(np.array([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0]]))


def test_a_crop_reaches_to_the_edges_of_its_pixels():
    points = [[-0.5, 3], [-0.51, 3], [3, CROP - 0.51], [3, CROP - 0.5], [np.nan, 3], [3, 3]]
    assert inside_crop(np.array(points), CROP).tolist() == [True, False, True, False, False, True]
