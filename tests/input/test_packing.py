"""Packing: a packed crop has room for every view, and training on it shows what the photo shows."""

import itertools
import os

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hourglass_pose.annotations.packs import open_pack
from hourglass_pose.errors import UserError
from hourglass_pose.geometry import invert, transform_points
from hourglass_pose.input.augmentations.base import View
from hourglass_pose.input.cropping import CropRule
from hourglass_pose.input.generator import DataGenerator
from hourglass_pose.input.packing import PackedViews, cut_crop, pack_persons
from hourglass_pose.input.pixels import ImageCache
from hourglass_pose.input.samples import SampleMaker
from packed import JOINTS, VIEWS, packed, photographed

AUGMENTATION = dict(
    flip_prob=0.5,
    rotation_deg=30.0,
    rotation_prob=1.0,
    scale_range=0.25,
    scale_prob=1.0,
    shift_range=0.05,
    shift_prob=1.0,
)


@pytest.mark.parametrize('rule', [CropRule(64), CropRule(64, train_crop='joints'), CropRule(64, box_margin=0.0)])
@pytest.mark.parametrize('ranges', [(30, 0.25, 0.05), (45, 0.5, 0.5), (170, 0.9, 0.1), (0, 0, 0), (10, 0, 0.2)])
def test_the_area_holds_every_view_and_the_largest_views_reach_its_edge(tmp_path, rule, ranges):
    person = photographed(tmp_path)[1]
    views = PackedViews(rule, *ranges)
    (x0, y0, x1, y1), _ = views.area(person)
    rotation, scale, shift = ranges
    edges = np.array([[-0.5, -0.5], [63.5, -0.5], [-0.5, 63.5], [63.5, 63.5]])
    reached = []
    angles = np.linspace(-rotation, rotation, 9)
    for angle, size, x, y in itertools.product(angles, (1 - scale, 1, 1 + scale), (-shift, 0, shift), (-shift, shift)):
        affine = rule.training_affine(person, View(float(angle), size, x, y))
        reached.append(transform_points(invert(affine), edges))
    reached.append(transform_points(invert(rule.person_affine(person)), edges))
    lower, upper = np.concatenate(reached).min(0), np.concatenate(reached).max(0)
    assert (lower >= [x0, y0]).all() and (upper <= [x1, y1]).all()
    # No more than needed: three pixels of the crop are for sampling; nine angles come within 4 % of the worst one.
    spare = (lower - [x0, y0], [x1, y1] - upper)
    assert np.min(spare) < 3.5 / 64 * (x1 - x0) + 0.04 * (x1 - x0)


def test_the_plain_crop_has_a_stored_pixel_for_each_of_its_own(tmp_path):
    person = photographed(tmp_path, size_wh=(1600, 1400))[1]
    person.box_img[:] = [100, 100, 1099, 1099]
    area, density = VIEWS.area(person)
    affine = VIEWS.rule.training_affine(person, View())
    # The crop has 64 pixels for 1000 x 1.4 ones of the photo.
    assert density == pytest.approx(affine[0, 0]) == pytest.approx(64 / 1400)
    person.box_img[:] = [100, 100, 119, 119]
    assert VIEWS.area(person)[1] == 1.0


@settings(max_examples=30, deadline=None)
@given(st.floats(-60, 200), st.floats(-60, 200), st.floats(30, 400), st.floats(0.2, 1.0))
def test_a_cut_crop_says_exactly_which_pixels_it_shows(x0, y0, side, density):
    # Levels that rise by a quarter a pixel along x and along y.
    y, x = np.mgrid[:230, :250]
    photo = np.dstack([x / 1.0, y / 1.0, np.zeros_like(x)]).astype(np.uint8)
    area = np.array([x0, y0, x0 + side, y0 + side])
    pixels, (factor_x, factor_y, offset_x, offset_y) = cut_crop(photo, area, density)
    rows, columns = pixels.shape[:2]
    x_img, y_img = factor_x * np.arange(columns) + offset_x, factor_y * np.arange(rows) + offset_y
    assert np.abs(pixels[:, :, 0] - x_img).max() <= 1 and np.abs(pixels[:, :, 1] - y_img[:, None]).max() <= 1
    # From the first pixel of the area, or of the photo, to the last one.
    assert x_img[0] - factor_x / 2 + 0.5 <= max(x0, 0) + 1e-6 or x0 >= 249
    assert x_img[-1] + factor_x / 2 + 0.5 >= min(x0 + side, 250) - 1e-6


def samples_of(persons, rule=VIEWS.rule, epochs=3):
    maker = SampleMaker(ImageCache(), rule, np.array([1, 0, 2]), np.ones(3, bool), AUGMENTATION, 5)
    return [
        maker.training_sample(person, epoch, index) for epoch in range(epochs) for index, person in enumerate(persons)
    ]


def test_training_on_a_pack_shows_what_the_photos_show(tmp_path):
    persons = photographed(tmp_path)
    found = samples_of(open_pack(packed(tmp_path, persons), len(JOINTS)))
    for one, other in zip(found, samples_of(persons)):
        np.testing.assert_array_equal(one.affine_crop_from_img, other.affine_crop_from_img)
        np.testing.assert_array_equal(one.joints_crop, other.joints_crop)
        np.testing.assert_array_equal(one.joint_weights, other.joint_weights)
        # The pixels are averaged in another order and compressed twice. No edge is missing: beyond the photo both are
        # black.
        difference = np.abs(one.crop.mean(axis=-1) - other.crop.mean(axis=-1))
        assert difference.mean() < 5 and ((one.crop.sum(-1) == 0) == (other.crop.sum(-1) == 0)).mean() > 0.98


def test_evaluation_crops_come_from_the_pack(tmp_path):
    persons = photographed(tmp_path)
    table = open_pack(packed(tmp_path, persons), len(JOINTS))
    for person in persons:
        if os.path.exists(person.image_path):
            os.remove(person.image_path)
    maker = SampleMaker(ImageCache(), VIEWS.rule, np.array([1, 0, 2]), np.ones(3, bool))
    batches = list(DataGenerator(table, maker, 3, workers=2).validation_batches())
    assert [batch.mask.sum() for batch in batches] == [3, 1]
    assert all(batch.images[batch.mask > 0].std() > 5 for batch in batches)


def test_a_pack_is_cached_and_shrunk_like_photos(tmp_path):
    persons = photographed(tmp_path, size_wh=(1280, 1100))
    for person in persons:
        person.box_img[:] = [200, 200, 999, 999]
    views = PackedViews(CropRule(256), 30.0, 0.25, 0.05)
    table = open_pack(packed(tmp_path, persons, views), len(JOINTS))
    cache = ImageCache(64)
    small = CropRule(64)
    maker = SampleMaker(cache, small, np.array([1, 0, 2]), np.ones(3, bool), AUGMENTATION, 5)
    cold = maker.training_sample(table[0], 0, 0)
    assert {shrink for _, shrink in cache._images} <= {2, 4}
    np.testing.assert_array_equal(maker.training_sample(table[0], 0, 0).crop, cold.crop)


def test_unreadable_photos_are_left_out_and_nothing_is_overwritten(tmp_path):
    persons, lines = photographed(tmp_path), []
    with open(persons[0].image_path, 'wb') as stream:
        stream.write(b'no photo')
    path = str(tmp_path / 'pack')
    assert pack_persons(path, persons, JOINTS, VIEWS, lines.append) == 3
    assert len(lines) == 1 and lines[0].startswith('left out: ') and persons[0].image_path in lines[0]
    assert [person.person_id for person in open_pack(path, 3)] == [person.person_id for person in persons[1:]]
    with pytest.raises(UserError, match='exists already; name a new folder'):
        pack_persons(path, persons, JOINTS, VIEWS, lines.append)
    cv2.imwrite(persons[0].image_path, np.zeros((9, 9, 3), np.uint8))
    for person in persons:
        with open(person.image_path, 'wb') as stream:
            stream.write(b'no photo')
    with pytest.raises(UserError, match='no photo can be read'):
        pack_persons(str(tmp_path / 'other'), persons, JOINTS, VIEWS, lines.append)
    assert not [name for name in os.listdir(str(tmp_path)) if 'other' in name or 'partial' in name]
