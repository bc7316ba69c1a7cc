"""Views of half a body: a crop around a joint and those near it, in which the other changes of the view stay."""

import math

import numpy as np
import pytest

from hourglass_pose.annotations.person import Person
from hourglass_pose.geometry import transform_points
from hourglass_pose.input.augmentations.base import View, sample_rng
from hourglass_pose.input.augmentations.half_bodies import HALF_BODIES
from hourglass_pose.input.augmentations.table import sample_change
from hourglass_pose.input.cropping import CropRule

SIZE = 64
UPPER = np.array([[-20, -50], [20, -50], [-20, -30], [20, -30]], np.float32)
LOWER = UPPER * [1, -1] + np.array([5, 0], np.float32)


def person_of(*halves, middle=(300, 200)):
    joints = np.concatenate(halves).astype(np.float32) + np.array(middle, np.float32)
    box = np.array([middle[0] - 40, middle[1] - 60, middle[0] + 39, middle[1] + 59], np.float64)
    return Person('photo', 'photo', 'photo', box, joints, np.ones(len(joints), bool))


def view_of(person, index, rule, view=None, probability=1.0):
    """Return the view of a person that the augmentation samples alone, on top of a view."""
    change = HALF_BODIES.sample(sample_rng(0, 0, index), {'half_body_prob': probability})
    return change.view(view or View(), lambda: rule.plain_joints(person))


@pytest.mark.parametrize('rule', [CropRule(SIZE, box_margin=0.1), CropRule(SIZE, train_crop='joints')])
def test_the_crop_is_the_widened_box_of_the_half_around_the_sampled_joint(rule):
    person = person_of(UPPER, LOWER)
    seen = set()
    for index in range(20):
        affine = rule.training_affine(person, view_of(person, index, rule))
        joints = transform_points(affine, person.joints_img)
        inside = np.all(np.abs(joints - (SIZE - 1) / 2) < SIZE / 2, axis=1)
        half = tuple(inside.nonzero()[0])
        assert half in ((0, 1, 2, 3), (4, 5, 6, 7))
        seen.add(half)
        shown = joints[inside]
        np.testing.assert_allclose((shown.min(0) + shown.max(0)) / 2, (SIZE - 1) / 2, atol=1e-4)
        # 40 pixels wide: 1.5 times that is 60, more than 0.4 of the plain crop's side in both rules.
        assert np.ptp(shown[:, 0]) / SIZE == pytest.approx(1 / 1.5, rel=1e-5)
    assert len(seen) == 2


def test_the_crop_is_neither_tiny_nor_larger_than_the_plain_one():
    # Of six joints three are shown: around one of the four that lie together a point, around another all of the width.
    person = person_of(np.array([[-58, 0], [58, 0], [58, 0]] * 2))
    scales = [view_of(person, index, CropRule(SIZE, box_margin=0.0)).scale for index in range(20)]
    np.testing.assert_allclose(sorted(set(scales)), [1, 1 / 0.4])


def test_persons_with_few_labelled_joints_stay_whole():
    rule, person = CropRule(SIZE), person_of(UPPER, LOWER)
    person.labelled[3:6] = False
    assert view_of(person, 0, rule) == View()
    person.labelled[3] = True
    assert view_of(person, 0, rule) != View()


def test_rotation_flip_scale_and_shift_stay_and_refer_to_the_smaller_crop():
    rule, person = CropRule(SIZE), person_of(UPPER, LOWER)
    other = View(rotation_deg=20.0, scale=1.2, shift_x=0.1, shift_y=-0.05, flip=True)
    plain, changed = view_of(person, 3, rule), view_of(person, 3, rule, other)
    assert (changed.rotation_deg, changed.flip) == (20.0, True)
    assert changed.scale == pytest.approx(1.2 * plain.scale)
    # The middle of the half is where a shift alone moves the middle of a crop.
    affine = rule.training_affine(person, changed)
    half = UPPER if plain.shift_y > 0 else LOWER
    middle = transform_points(affine, [(half.min(0) + half.max(0)) / 2 + np.array([300, 200])])[0]
    whole = person_of(UPPER, LOWER, middle=(0, 0))
    centre, _ = rule.training_square(whole)
    expected = transform_points(rule.training_affine(whole, other), [centre])[0]
    np.testing.assert_allclose(middle, expected, atol=1e-4)


def test_they_have_their_probability_and_take_the_same_numbers_in_any_case():
    rule, person, samples = CropRule(SIZE), person_of(UPPER, LOWER), 1500
    count = sum(view_of(person, index, rule, probability=0.3) != View() for index in range(samples))
    # Five standard deviations: exceeded by chance once in 1.7 million.
    assert abs(count - 0.3 * samples) <= 5 * math.sqrt(0.21 * samples)
    following = []
    for probability in (0.0, 1.0):
        rng = sample_rng(1, 2, 3)
        HALF_BODIES.sample(rng, {'half_body_prob': probability})
        following.append(rng.uniform())
    assert following[0] == following[1]


def test_the_table_applies_them_after_the_other_views():
    person, rule = person_of(UPPER, LOWER), CropRule(SIZE)
    values = dict(rotation_deg=30.0, rotation_prob=1.0, scale_range=0.2, scale_prob=1.0, half_body_prob=1.0)
    plain = sample_change(0, 0, 5, dict(values, half_body_prob=0.0)).view(View(), lambda: rule.plain_joints(person))
    half = sample_change(0, 0, 5, values).view(View(), lambda: rule.plain_joints(person))
    assert half.rotation_deg == plain.rotation_deg and half.scale > plain.scale
