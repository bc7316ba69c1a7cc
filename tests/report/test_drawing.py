"""Skeletons, heatmaps and sheets: right colours at right positions, and images of any size."""

import os

import cv2
import numpy as np
import pytest

from hourglass_pose.errors import UserError
from hourglass_pose.report.drawing import heatmap_overlay, pose_tile, render_skeleton, render_truth, write_png
from hourglass_pose.report.palette import SIDE_COLOURS
from hourglass_pose.skeleton import Skeleton

SKELETON = Skeleton()
# A person of 200 x 260 pixels who faces the camera, so that the right side is on the left of the image.
STANDING = np.array(
    [
        [80, 250],
        [82, 190],
        [88, 135],
        [112, 135],
        [118, 190],
        [120, 250],
        [100, 130],
        [100, 60],
        [100, 52],
        [100, 12],
        [50, 130],
        [58, 95],
        [72, 62],
        [128, 62],
        [142, 95],
        [150, 130],
    ],
    float,
)


def grey(height=260, width=200):
    return np.full((height, width, 3), 128, np.uint8)


def colour_mask(image, colour):
    return (image == np.array(colour)).all(axis=2)


def test_right_left_and_middle_have_their_own_colours_on_their_own_sides():
    rendered = render_skeleton(grey(), STANDING, SKELETON)
    columns = {side: np.flatnonzero(colour_mask(rendered, colour).any(axis=0)) for side, colour in SIDE_COLOURS.items()}
    assert columns['right'].max() < 106 and columns['left'].min() > 94
    assert columns['right'].min() < 55 and columns['left'].max() > 145
    assert abs(columns['middle'] - 100).max() < 10


@pytest.mark.parametrize('name', SKELETON.joints)
def test_every_joint_is_rendered_in_the_colour_of_its_side(name):
    joint = SKELETON.index(name)
    scores = np.arange(len(SKELETON)) == joint
    rendered = render_skeleton(grey(), STANDING, SKELETON, scores, min_score=0.5)
    x, y = STANDING[joint].astype(int)
    np.testing.assert_array_equal(rendered[y, x], SIDE_COLOURS[SKELETON.side(joint)])


def test_nothing_is_rendered_far_from_the_pose_and_the_input_is_kept():
    image = grey(600, 800)
    rendered = render_skeleton(image, STANDING + 200, SKELETON)
    assert (image == 128).all()
    rows, columns = np.nonzero((rendered != 128).any(axis=2))
    low, high = (STANDING + 200).min(axis=0), (STANDING + 200).max(axis=0)
    assert columns.min() > low[0] - 12 and columns.max() < high[0] + 12
    assert rows.min() > low[1] - 12 and rows.max() < high[1] + 12


def test_joints_scored_below_the_least_score_and_their_limbs_are_left_out():
    scores = np.array([SKELETON.side(joint) != 'right' for joint in range(len(SKELETON))], float)
    rendered = render_skeleton(grey(), STANDING, SKELETON, scores, min_score=0.5)
    assert not colour_mask(rendered, SIDE_COLOURS['right']).any()
    assert colour_mask(rendered, SIDE_COLOURS['left']).any()


def test_joint_that_is_not_finite_is_left_out():
    joints = STANDING.copy()
    joints[SKELETON.index('l_wrist')] = np.nan
    joints[SKELETON.index('r_wrist'), 0] = np.inf
    shown = np.isfinite(joints).all(axis=1)
    np.testing.assert_array_equal(
        render_skeleton(grey(), joints, SKELETON), render_skeleton(grey(), STANDING, SKELETON, shown, 0.5)
    )


def test_sub_pixel_positions_change_the_rendering():
    assert (
        render_skeleton(grey(), STANDING + 0.4, SKELETON, thickness=2)
        != render_skeleton(grey(), STANDING, SKELETON, thickness=2)
    ).any()


@pytest.mark.parametrize('size', [(1, 1), (1, 300), (300, 1), (3000, 2000)])
def test_images_of_any_size_are_accepted(size):
    image = grey(*size)
    scale = np.array([size[1] / 200, size[0] / 260])
    for rendered in (
        render_skeleton(image, STANDING * scale, SKELETON),
        render_skeleton(image, STANDING * 1e9, SKELETON),
        render_truth(image, -STANDING * 1e9, np.ones(16, bool), SKELETON),
    ):
        assert rendered.shape == image.shape and rendered.dtype == np.uint8
    assert pose_tile(image, SKELETON, (64, 48), STANDING * scale).shape == (48, 64, 3)


def test_truth_is_white_thin_and_holds_labelled_joints_only():
    labelled = np.array([SKELETON.side(joint) == 'left' for joint in range(len(SKELETON))])
    rendered = render_truth(grey(), STANDING, labelled, SKELETON)
    prediction = render_skeleton(grey(), STANDING, SKELETON, labelled, 0.5)
    white = colour_mask(rendered, (255, 255, 255))
    assert 0 < white.sum() < colour_mask(prediction, SIDE_COLOURS['left']).sum()
    assert (rendered[:, :105] == 128).all()


def test_tile_shows_the_joint_where_the_enlarged_image_has_it():
    image = np.zeros((40, 60, 3), np.uint8)
    joints = np.full((len(SKELETON), 2), np.nan)
    joints[SKELETON.index('head')] = (30, 10)
    tile = pose_tile(image, SKELETON, (600, 440), joints)
    rows, columns = np.nonzero(colour_mask(tile, SIDE_COLOURS['middle']))
    # Enlarged tenfold, the centre of pixel (30, 10) is at 10 x (30.5, 10.5) - 0.5, and the tile adds 20 rows.
    assert abs(columns.mean() - 304.5) < 0.5 and abs(rows.mean() - 124.5) < 0.5


def test_tile_of_a_box_shows_that_part_alone():
    image = np.zeros((400, 400, 3), np.uint8)
    image[:200, :200] = (10, 200, 10)
    tile = pose_tile(image, SKELETON, (100, 100), box_img=(50, 50, 130, 130))
    assert colour_mask(tile, (10, 200, 10)).all()
    assert pose_tile(image, SKELETON, (100, 100), box_img=(900, 900, 990, 990)).shape == (100, 100, 3)


def test_heatmap_glows_at_its_peak_in_the_colour_of_its_side():
    maps = np.zeros((16, 16, len(SKELETON)), np.float32)
    maps[3, 5, SKELETON.index('r_knee')] = 1e-3
    maps[12, 10, SKELETON.index('l_knee')] = 7.0
    crop = np.full((64, 64, 3), 100, np.uint8)
    rendered = heatmap_overlay(crop, maps, SKELETON)
    assert rendered.shape == crop.shape and (crop == 100).all()
    # Cell c of a map four times smaller covers pixels 4 c to 4 c + 3.
    right, left = rendered[12:16, 20:24].mean(axis=(0, 1)), rendered[48:52, 40:44].mean(axis=(0, 1))
    assert right[0] > right[2] + 40 and left[2] > left[0] + 40
    assert (rendered[:, :8] == 50).all()
    assert (heatmap_overlay(crop, maps * 0) == 50).all()


def test_png_reads_back_equal_and_an_unwritable_one_is_a_user_error(tmp_path):
    rendered = np.random.RandomState(0).randint(0, 256, (7, 5, 3)).astype(np.uint8)
    write_png(tmp_path / 'x.png', rendered)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'x.png'))[:, :, ::-1], rendered)
    assert os.listdir(str(tmp_path)) == ['x.png']
    with pytest.raises(UserError, match='cannot be written'):
        write_png(tmp_path / 'absent' / 'x.png', rendered)


def test_images_that_are_not_rgb_bytes_are_refused():
    for wrong in (np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3), np.float32), np.zeros((0, 5, 3), np.uint8)):
        with pytest.raises(ValueError, match='uint8 RGB'):
            render_skeleton(wrong, STANDING, SKELETON)
