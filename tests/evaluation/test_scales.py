"""Averaging over scales: exact on functions that linear interpolation keeps, and a mark is found where it is."""

import cv2
import numpy as np
import pytest

from hourglass_pose import geometry
from hourglass_pose.annotations.person import Person
from hourglass_pose.evaluation.evaluator import Evaluator
from hourglass_pose.evaluation.scales import average_over_scales, resampling_matrix
from hourglass_pose.input.cropping import CropRule
from hourglass_pose.input.generator import DataGenerator
from hourglass_pose.input.pixels import ImageCache
from hourglass_pose.input.samples import SampleMaker
from hourglass_pose.representations.table import make_codec
from hourglass_pose.skeleton import Skeleton

SIZE = 16


def plane(scale, slopes):
    """A map of the frame's affine function of (x, y), as a crop zoomed by `scale` about its centre shows it."""
    centre = (SIZE - 1) / 2.0
    positions = (np.arange(SIZE) - centre) / scale + centre
    return (3.0 + slopes[0] * positions[None, :] + slopes[1] * positions[:, None]).astype(np.float32)


@pytest.mark.parametrize('scales', [(1.0,), (0.8,), (0.5, 1.0, 1.7), (1.25, 2.0)])
def test_affine_maps_come_back_exactly_where_they_are_shown(scales):
    slopes = np.array([(0.5, -0.25), (-1.0, 2.0)])
    maps = [np.stack([plane(scale, slope) for slope in slopes], axis=-1)[None].repeat(2, axis=0) for scale in scales]
    average = average_over_scales(maps, scales)
    expected = np.stack([plane(1.0, slope) for slope in slopes], axis=-1)
    # The middle that the largest zoom shows whole; a zoomed cell is 1 / scale wide.
    reach = (SIZE - 1) / 2.0 / max(max(scales), 1.0)
    inside = np.abs(np.arange(SIZE) - (SIZE - 1) / 2.0) <= reach
    # Sums of a few float32 numbers of up to 50: some 1e-5.
    np.testing.assert_allclose(average[0][inside][:, inside], expected[inside][:, inside], atol=5e-5)
    assert np.array_equal(average[0], average[1])


def test_cells_have_the_mean_of_the_maps_that_show_them():
    ones = np.ones((1, SIZE, SIZE, 3), np.float32)
    average = average_over_scales([ones, 3 * ones], (0.5, 2.0))
    assert np.allclose(average[0, 0, :, 0], 1) and np.allclose(average[0, SIZE // 2, SIZE // 2], 2)
    alone = average_over_scales([ones], (2.0,))
    assert not alone[0, 0].any() and np.allclose(alone[0, SIZE // 2, SIZE // 2], 1)


def test_scale_1_changes_no_bit_and_zooms_are_symmetric():
    maps = np.random.RandomState(0).uniform(size=(2, SIZE, SIZE, 3)).astype(np.float32)
    assert np.array_equal(average_over_scales([maps], (1.0,)), maps)
    for scale in (0.8, 1.2):
        np.testing.assert_allclose(
            resampling_matrix(scale, SIZE), resampling_matrix(scale, SIZE)[::-1, ::-1], atol=1e-14
        )


def test_zoom_keeps_the_centre_and_moves_corners_by_the_scale():
    affine = geometry.zoom_affine(1.5, 9)
    np.testing.assert_allclose(geometry.transform_points(affine, [[4, 4], [0, 8]]), [[4, 4], [-2, 10]])


CROP = 128


def marked_person(folder, mark):
    """Return a person in a photo whose only bright spot is at `mark`, where all the joints are."""
    image = np.zeros((200, 240, 3), np.uint8)
    y, x = np.mgrid[:200, :240]
    distance = np.hypot(x - mark[0], y - mark[1])
    image[:] = np.clip(255 * np.exp(-0.5 * (distance / 6.0) ** 2), 0, 255).astype(np.uint8)[..., None]
    path = str(folder / 'mark.png')
    cv2.imwrite(path, image)
    joints = np.tile(np.array(mark, np.float32), (3, 1))
    return Person('mark.png', path, 'mark.pngA', np.array([20.0, 10.0, 219.0, 189.0]), joints, np.ones(3, bool))


def brightness_network(images):
    """A stand-in whose map is the brightness of the crop in each cell: it sees what is there, at any scale."""
    cells = CROP // 4
    grey = images.astype(np.float32).mean(axis=3).reshape(len(images), cells, 4, cells, 4).mean(axis=(2, 4)) / 255
    return np.repeat(grey[..., None], 3, axis=-1)


@pytest.mark.parametrize('flip_test', [False, True])
@pytest.mark.parametrize('scales', [(1.0,), (0.7,), (1.3,), (0.8, 1.0, 1.2), (0.6, 1.5)])
def test_a_mark_off_the_centre_is_found_within_half_a_cell_at_any_scales(tmp_path, scales, flip_test):
    mark = (84.0, 131.0)
    skeleton = Skeleton(('r_knee', 'l_knee', 'head'))
    rule = CropRule(CROP, 0.0)
    maker = SampleMaker(ImageCache(), rule, skeleton.flip_permutation, np.ones(3, bool), scales=scales)
    codec = make_codec(CROP // 4, loss='mse', decoding='dark')
    generator = DataGenerator([marked_person(tmp_path, mark)], maker, 2, workers=0)
    evaluation = Evaluator(generator, codec, skeleton, None, flip_test).evaluate(brightness_network)
    # A cell of the frame is 4 x 200 / 128 photo pixels wide, one of a zoomed-out map more by 1 / scale.
    half_a_cell = 0.5 * 4 * 200 / CROP / min(min(scales), 1.0)
    assert np.abs(evaluation.joints_img - np.array(mark)).max() <= half_a_cell
    # Were the zoom undone in the wrong direction, the mark would be off by its distance from the centre.
    assert np.abs(np.array(mark) - (119.5, 99.5)).min() > 4 * half_a_cell


def test_zoomed_crops_show_what_a_box_of_that_size_shows(tmp_path):
    person = marked_person(tmp_path, (84.0, 131.0))
    maker = SampleMaker(ImageCache(), CropRule(CROP, 0.0), np.arange(3), np.ones(3, bool), scales=(0.8, 1.25))
    zoomed = maker.evaluation_sample(person).zoomed
    assert zoomed.shape == (2, CROP, CROP, 3)
    for crop, side in zip(zoomed, (250.0, 160.0)):
        half = (side - 1) / 2
        box = np.array([119.5 - half, 99.5 - half, 119.5 + half, 99.5 + half])
        plain = SampleMaker(maker.cache, maker.rule, np.arange(3), np.ones(3, bool))
        same = Person(person.image, person.image_path, 'x', box, person.joints_img, person.labelled)
        assert np.array_equal(crop, plain.evaluation_sample(same).crop)
