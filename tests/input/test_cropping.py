"""Crops: a mark in the image is in the crop where the affine maps it, and the image is not changed."""

import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hourglass_pose.annotations.person import Person
from hourglass_pose.geometry import crop_affine, transform_points
from hourglass_pose.input.augmentations.base import View
from hourglass_pose.input.cropping import CropRule, warp_crop

SIZE = 96


def photo_with_blob(width, height, centre_img, sigma):
    """A black photo with a round white blob at a sub-pixel position."""
    y, x = np.mgrid[:height, :width]
    squared = (x - centre_img[0]) ** 2 + (y - centre_img[1]) ** 2
    grey = np.rint(250 * np.exp(-squared / (2.0 * sigma**2))).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def centroid(crop):
    """(x, y) of the light's centre of mass, pixel centres at integers."""
    light = crop.sum(axis=-1, dtype=np.float64)
    y, x = np.mgrid[: crop.shape[0], : crop.shape[1]]
    return np.array([(light * x).sum(), (light * y).sum()]) / light.sum()


def person_of(box=(10, 20, 49, 79), joints=((20, 30), (40, 70), (0, 0)), labelled=(1, 1, 0)):
    return Person(
        'p.png', 'p.png', 'p', np.array(box, np.float64), np.array(joints, np.float32), np.array(labelled, bool)
    )


@pytest.mark.parametrize('rotation_deg, flip', [(0, False), (0, True), (30, False), (-140, True)])
@pytest.mark.parametrize('factor', [0.3, 0.8, 1.0, 1.4, 1.96, 2.5, 3.0, 3.7, 7.0, 7.9])
def test_a_mark_is_where_the_affine_says(factor, rotation_deg, flip, rng):
    # A blob of 3 crop pixels is smooth on every grid that is used on the way, so its centre of mass stays exact but
    # for the rounding of levels and, in OpenCV's warp, of positions to 1/32 pixel: 0.1 pixel holds both.
    width, height = int(90 * factor) + 45, int(80 * factor) + 52
    mark = np.array([width, height]) * rng.uniform(0.4, 0.6, 2)
    photo = photo_with_blob(width, height, mark, 3.0 * factor)
    centre = mark + rng.uniform(-12, 12, 2) * factor
    affine = crop_affine(centre, SIZE * factor, SIZE, rotation_deg, flip)
    crop = warp_crop(photo, affine, SIZE)
    np.testing.assert_allclose(centroid(crop), transform_points(affine, mark), atol=0.1)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.5, 8), st.floats(-180, 180), st.booleans(), st.integers(0, 2**16))
def test_a_mark_is_at_its_position_for_any_view(factor, rotation_deg, flip, seed):
    random = np.random.RandomState(seed)
    mark = random.uniform(150, 170, 2)
    affine = crop_affine(mark + random.uniform(-8, 8, 2) * factor, 64 * factor, 64, rotation_deg, flip)
    crop = warp_crop(photo_with_blob(320, 310, mark, 3.0 * factor), affine, 64)
    np.testing.assert_allclose(centroid(crop), transform_points(affine, mark), atol=0.1)


def test_a_crop_of_its_own_size_is_the_photo_itself(rng):
    photo = rng.randint(0, 256, (SIZE + 20, SIZE + 30, 3)).astype(np.uint8)
    centre = np.array([8 + (SIZE - 1) / 2, 5 + (SIZE - 1) / 2])
    plain = photo[5 : 5 + SIZE, 8 : 8 + SIZE]
    for view, expected in (
        (dict(), plain),
        (dict(flip=True), plain[:, ::-1]),
        (dict(rotation_deg=90), np.rot90(plain)),
        (dict(rotation_deg=-90, flip=True), np.rot90(plain, -1)[:, ::-1]),
    ):
        crop = warp_crop(photo, crop_affine(centre, SIZE, SIZE, **view), SIZE)
        assert crop.dtype == np.uint8
        np.testing.assert_array_equal(crop, expected)


@pytest.mark.parametrize('shrink', [2, 3, 5])
def test_shrinking_averages_every_pixel(shrink, rng):
    photo = rng.randint(0, 256, (32 * shrink, 32 * shrink, 3)).astype(np.uint8)
    middle = (32 * shrink - 1) / 2
    crop = warp_crop(photo, crop_affine(np.array([middle, middle]), 32 * shrink, 32), 32)
    blocks = photo.reshape(32, shrink, 32, shrink, 3).mean(axis=(1, 3))
    assert np.abs(crop - blocks).max() <= 0.5 + 1e-6


@pytest.mark.parametrize('factor', [0.5, 1.0, 1.99, 3.3, 7.4, 8.0, 12.9])
def test_a_crop_within_the_photo_has_no_dark_rim(factor, rng):
    photo = np.full((1300, 1320, 3), 255, np.uint8)
    for rotation_deg in (0, 0, 0, 17, -75, 180):
        centre = np.array([655, 645]) + rng.uniform(-20, 20, 2)
        assert warp_crop(photo, crop_affine(centre, 64 * factor, 64, rotation_deg), 64).min() == 255


def test_the_last_pixels_of_a_photo_count():
    # Five white columns and rows at the end of a photo whose sides are no multiples of 6.
    photo = np.zeros((65, 71, 3), np.uint8)
    photo[:, -5:] = 255
    crop = warp_crop(photo, crop_affine(np.array([35.0, 32.0]), 16 * 6.0, 16), 16)
    # Along a row through the middle the light is that of 5 photo pixels, 5 / 6 of a crop pixel. It is sampled every 6
    # pixels from blocks of 71 / 12, which differ by 1.4 %.
    assert crop[8, :, 0].sum() == pytest.approx(255 * 5 / 6.0, rel=0.02)


def test_outside_the_photo_is_black():
    photo = np.full((40, 50, 3), 200, np.uint8)
    for centre in ((-400, 20), (900, 20), (20, -300), (20, 700), (1e7, -1e7)):
        crop = warp_crop(photo, crop_affine(np.array(centre, np.float64), 60, SIZE, 20), SIZE)
        assert crop.shape == (SIZE, SIZE, 3) and crop.dtype == np.uint8 and not crop.any()
    affine = crop_affine(np.array([0.0, 20.0]), 60, SIZE)
    crop = warp_crop(photo, affine, SIZE)
    y, x = np.mgrid[:SIZE, :SIZE]
    # The photo ends half a pixel before the centre of its first; interpolation fades over one photo pixel.
    x_img, y_img = (x - affine[0, 2]) / affine[0, 0], (y - affine[1, 2]) / affine[1, 1]
    assert not crop[(x_img < -1.05) | (y_img < -1.05) | (y_img > 40.05)].any()
    assert (crop[(x_img > 0.05) & (y_img > 0.05) & (y_img < 38.95)] == 200).all()


@pytest.mark.parametrize('width, height', [(1, 1), (1, 300), (700, 2), (3, 1)])
@pytest.mark.parametrize('crop_size', [16, 64])
def test_tiny_and_thin_photos_have_crops(width, height, crop_size):
    photo = np.full((height, width, 3), 77, np.uint8)
    affine = CropRule(crop_size).evaluation_affine((0, 0, width - 1, height - 1))
    crop = warp_crop(photo, affine, crop_size)
    assert crop.shape == (crop_size, crop_size, 3) and crop.dtype == np.uint8 and crop.max() <= 77
    if width == height:
        # The pixel's centre is half a crop pixel, a twentieth of a photo pixel or less, from the next samples.
        middle = crop_size // 2
        assert crop[middle - 1 : middle + 1, middle - 1 : middle + 1].min() >= 0.9 * 77


@pytest.mark.parametrize('factor', [0.5, 3.0])
def test_only_the_visible_part_of_a_huge_photo_is_processed(factor):
    # All 600 MB are one pixel in memory: reading them would show as a copy.
    photo = np.broadcast_to(np.array([9, 99, 199], np.uint8), (10000, 20000, 3))
    affine = crop_affine(np.array([15000.0, 7000.0]), SIZE * factor, SIZE, 45)
    tracemalloc.start()
    try:
        crop = warp_crop(photo, affine, SIZE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(crop, np.broadcast_to(photo[0, 0], crop.shape))
    shown = 2 * (SIZE * factor + 20) ** 2 * 3  # a square turned by 45 degrees fills half of the box around it
    assert peak < 2 * shown + SIZE**2 * 3 + 1e5


def test_the_photo_is_not_changed_and_may_be_shared(rng):
    photo = rng.randint(0, 256, (90, 80, 3)).astype(np.uint8)
    before = photo.copy()
    photo.flags.writeable = False
    for factor in (0.5, 1.0, 3.0):
        warp_crop(photo, crop_affine(np.array([40.0, 40.0]), 32 * factor, 32, 10), 32)
    np.testing.assert_array_equal(photo, before)


def test_evaluation_crops_are_square_around_the_box_with_its_margin():
    affine = CropRule(SIZE, box_margin=0.25).evaluation_affine((10, 20, 49, 79))
    # 60 rows, a quarter of that above: the box's upper edge comes to 15 of 90 photo pixels, a sixth of the crop.
    np.testing.assert_allclose(transform_points(affine, [29.5, 49.5]), [(SIZE - 1) / 2] * 2)
    np.testing.assert_allclose(transform_points(affine, [29.5, 19.5])[1], SIZE / 6 - 0.5)


def test_training_crops_follow_the_box_or_the_labelled_joints():
    person = person_of()
    by_box = CropRule(SIZE, 0.2).training_affine(person, View())
    np.testing.assert_array_equal(by_box, CropRule(SIZE, 0.2).evaluation_affine(person.box_img))
    by_joints = CropRule(SIZE, 0.2, 'joints', joints_margin=0.1).training_affine(person, View())
    # Joints from (20, 30) to (40, 70), the third is unlabelled: 41 rows and a tenth on each side.
    np.testing.assert_allclose(by_joints, crop_affine(np.array([30.0, 50.0]), 41 * 1.2, SIZE), atol=1e-5)


def test_a_view_scales_shifts_turns_and_mirrors_the_person():
    rule, person = CropRule(SIZE, 0.0), person_of()
    centre = np.array([29.5, 49.5])
    affine = rule.training_affine(person, View(scale=1.25, shift_x=0.1, shift_y=-0.05))
    plain = rule.training_affine(person, View())
    # Magnified 1.25 times, then moved to the right by a tenth of the crop and up by a twentieth.
    middle = (SIZE - 1) / 2
    expected = (transform_points(plain, centre + [5, 6]) - middle) * 1.25 + middle + SIZE * np.array([0.1, -0.05])
    np.testing.assert_allclose(transform_points(affine, centre + [5, 6]), expected)
    turned = rule.training_affine(person, View(rotation_deg=90, flip=True))
    # Right of the centre comes above it; the mirror image leaves it there.
    np.testing.assert_allclose(transform_points(turned, centre + [10, 0]), [middle, middle - 10 * SIZE / 60.0])
    np.testing.assert_allclose(transform_points(turned, centre + [0, 10])[0], middle - 10 * SIZE / 60.0)


def test_a_reference_crop_of_another_implementation_is_close(rng):
    # Smooth noise, cut by Lanczos interpolation with the plain affine: no averaging, no cut-out part.
    photo = cv2.GaussianBlur(rng.randint(0, 256, (200, 240, 3)).astype(np.uint8), (0, 0), 3)
    affine = crop_affine(np.array([110.3, 97.8]), 120, SIZE, 33, True)
    reference = cv2.warpAffine(photo, affine, (SIZE, SIZE), flags=cv2.INTER_LANCZOS4)
    assert np.abs(warp_crop(photo, affine, SIZE)[4:-4, 4:-4].astype(int) - reference[4:-4, 4:-4]).max() <= 4
