"""Crops from MPII's centre and scale: the published square, and the corners of two code bases, cut from real pixels."""

import cv2
import numpy as np
import pytest

from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.person_lines import write_person_lines
from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.config.config import config_from_dict
from hourglass_pose.errors import AnnotationError, ConfigError
from hourglass_pose.evaluation.evaluator import mean_training_pose
from hourglass_pose.geometry import crop_affine, invert, square_box, transform_points
from hourglass_pose.input.augmentations.base import View
from hourglass_pose.input.centre_scale import affine_of_edges, crop_edges
from hourglass_pose.input.cropping import CropRule, warp_crop

SIZE = 64
RULE = CropRule(SIZE, crop_rule='centre_scale')


def person_of(centre=(100, 60), scale=0.4, joints=((20, 30), (40, 70))):
    joints = np.array(joints, np.float32)
    return Person(
        'a.png',
        'a.png',
        'a',
        np.array([3.0, 5, 80, 90]),
        joints,
        np.ones(len(joints), bool),
        centre_img=np.array(centre, np.float64),
        scale=scale,
    )


def test_the_published_square_lies_15_scale_lower_and_is_250_scale_wide():
    # scale 0.4: 6 px lower, a side of 100 px, so the pixels' centres from 50 to 150 and from 16 to 116 are shown.
    affine = RULE.person_affine(person_of())
    np.testing.assert_allclose(transform_points(affine, [100, 66]), [(SIZE - 1) / 2.0] * 2)
    np.testing.assert_allclose(transform_points(affine, [50, 16]), [-0.5, -0.5])
    np.testing.assert_allclose(transform_points(affine, [150, 116]), [SIZE - 0.5] * 2)


def test_the_box_changes_nothing_under_centre_and_scale_nor_they_under_the_box():
    near, far = person_of(), person_of(centre=(500, 600), scale=3.0)
    by_box = CropRule(SIZE, 0.2)
    np.testing.assert_array_equal(by_box.person_affine(near), by_box.person_affine(far))
    np.testing.assert_array_equal(by_box.person_affine(near), by_box.evaluation_affine(near.box_img))
    wide = CropRule(SIZE, 2.0, crop_rule='centre_scale')
    np.testing.assert_array_equal(wide.person_affine(near), RULE.person_affine(near))
    assert np.abs(RULE.person_affine(near) - RULE.person_affine(far)).max() > 1


def test_training_and_mean_pose_use_the_square_of_evaluation():
    person = person_of()
    np.testing.assert_allclose(RULE.training_affine(person, View()), RULE.person_affine(person))
    moved = RULE.training_affine(person, View(scale=1.25, rotation_deg=30, flip=True, shift_x=0.1))
    side = 100 / 1.25
    np.testing.assert_allclose(moved, crop_affine(np.array([100 - 0.1 * side, 66]), side, SIZE, 30, True))
    others = [person, person_of(centre=(90, 50), scale=0.5)]
    expected = np.mean([transform_points(RULE.person_affine(one), one.joints_img) for one in others], axis=0)
    np.testing.assert_allclose(mean_training_pose(others, RULE), expected)


def test_a_bare_box_stands_for_the_centre_and_scale_of_its_square():
    box = np.array([10.0, 20, 49, 79])
    # 60 rows are the longer side; 1.64 times that is 250 x scale.
    scale = 1.64 * 60 / 250
    person = person_of(centre=np.array([29.5, 49.5 - 15 * scale]), scale=scale)
    np.testing.assert_allclose(RULE.evaluation_affine(box), RULE.person_affine(person))
    assert square_box(box, 0.0)[1] == 60


def sliced(photo, lower, upper):
    """Return rows and columns from lower to upper, not included, of a photo; black where there are none."""
    found = np.zeros((upper[1] - lower[1], upper[0] - lower[0], 3), np.uint8)
    for row in range(found.shape[0]):
        for column in range(found.shape[1]):
            y, x = row + lower[1], column + lower[0]
            if 0 <= y < photo.shape[0] and 0 <= x < photo.shape[1]:
                found[row, column] = photo[y, x]
    return found


# centre, counted from 1, and scale; then the corners that truncation to whole pixels gives at a crop of 64 px.
# princeton: 100 -+ 0.41 * 125 = 48.75, 151.25; 60 + 6.15 -+ 51.25 = 14.9, 117.4.
# bearpaw: one crop pixel, 102.5 / 64 = 1.6015625 px, less, truncated, plus 1: 47.148, 149.648; 13.298, 115.798.
@pytest.mark.parametrize(
    'corners, centre, scale, lower, upper',
    [
        ('princeton', (100, 60), 0.41, (48, 14), (151, 117)),
        ('bearpaw', (100, 60), 0.41, (48, 14), (150, 116)),
        # At the border truncation goes towards zero: 20 - 51.25 is -31.25, -31; less 1.6015625 it is -32.85, -32 + 1.
        ('princeton', (20, 20), 0.41, (-31, -25), (71, 77)),
        ('bearpaw', (20, 20), 0.41, (-31, -25), (70, 76)),
    ],
)
def test_corners_of_other_code_bases_cut_the_pixels_that_they_cut(corners, centre, scale, lower, upper, rng):
    photo = cv2.GaussianBlur(rng.randint(0, 256, (160, 200, 3)).astype(np.uint8), (0, 0), 2)
    expected = cv2.resize(sliced(photo, lower, upper), (SIZE, SIZE))
    rule = CropRule(SIZE, crop_rule='centre_scale', corners=corners)
    person = person_of(centre=np.array(centre) - 1, scale=scale)
    found = warp_crop(photo, rule.person_affine(person), SIZE)
    # The same bilinear samples, in 8-bit arithmetic of another order; at the border ours fade over a pixel.
    x, y = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    inside = transform_points(invert(rule.person_affine(person)), np.stack([x, y], -1))
    inside = (inside >= 1).all(-1) & (inside <= [198, 158]).all(-1)
    assert inside.mean() > 0.4
    assert np.abs(found.astype(int) - expected)[inside].max() <= 3
    # A pixel to the side is far off, so the bound tells corners apart.
    beside = cv2.resize(sliced(photo, np.array(lower) + 1, np.array(upper) + 1), (SIZE, SIZE))
    assert np.abs(beside.astype(int) - expected)[inside].max() > 8


def test_bearpaws_corners_of_large_persons_are_whole_pixels_of_the_shrunk_image():
    # 250 px x 2.0 / 64 = 7.8125 px a crop pixel; in shrunk pixels the centre (401, 331) is 51.328, 42.368; less 1,
    # -+ 32 and truncated, plus 1: 19, 83 and 10, 74.
    lower, upper = crop_edges(np.array([400.0, 300.0]), 2.0, SIZE, 'bearpaw')
    np.testing.assert_allclose(lower, np.array([19, 10]) * 7.8125)
    np.testing.assert_allclose(upper, np.array([83, 74]) * 7.8125)


@pytest.mark.parametrize('corners', ['princeton', 'bearpaw'])
def test_rounded_corners_stay_near_the_published_ones(corners, rng):
    for _ in range(200):
        centre, scale = rng.uniform(1, 900, 2), rng.uniform(0.2, 6)
        exact = np.array(crop_edges(centre, scale, 256))
        found = np.array(crop_edges(centre, scale, 256, corners))
        unit = max(1.0, 250 * scale / 256) if corners == 'bearpaw' else 1.0
        # Truncation moves by less than a unit, counting from 1 by a pixel and a half and a crop pixel by a unit.
        assert np.abs(found - exact).max() < 2 * unit + 1.5


def test_an_area_of_a_fraction_of_a_pixel_still_has_a_crop():
    for corners in ('exact', 'princeton', 'bearpaw'):
        affine = affine_of_edges(*crop_edges(np.array([5.0, 5.0]), 0.001, SIZE, corners), crop_size=SIZE)
        assert np.isfinite(affine).all() and affine[0, 0] > 0 and affine[1, 1] > 0


def test_a_person_without_centre_or_scale_is_a_problem_under_that_rule_alone(tmp_path):
    path = str(tmp_path / 'people.jsonl')
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((9, 9, 3), np.uint8))
    person = person_of()
    for name, changes in (('scale', {'scale': None}), ('centre', {'centre_img': None})):
        write_person_lines(path, [Person(**dict(vars(person), **changes))], ('head', 'neck'))
        assert not read_annotations(path, str(tmp_path), 2).problems
        with pytest.raises(AnnotationError, match=f"people.jsonl:2: no {name}, which .* 'centre_scale'"):
            read_annotations(path, str(tmp_path), 2, needs_centre=True)


def test_crops_around_joints_contradict_centre_and_scale():
    data = {'crop_rule': 'centre_scale', 'train_crop': 'joints'}
    with pytest.raises(ConfigError, match='train_crop'):
        config_from_dict({'DataSetHG': data})
    assert config_from_dict({'DataSetHG': {'crop_rule': 'centre_scale'}}).DataSetHG.crop_corners == 'exact'
