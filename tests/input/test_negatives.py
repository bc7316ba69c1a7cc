"""Negative views show no whole person in the middle, labels follow from geometry, and the rest stays as it was."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from hourglass_pose.annotations.person import Person
from hourglass_pose.geometry import invert, transform_points
from hourglass_pose.input.augmentations.base import View
from hourglass_pose.input.cropping import CropRule, warp_crop
from hourglass_pose.input.generator import DataGenerator
from hourglass_pose.input.negatives import NegativeViews, PersonLabel, label_of
from hourglass_pose.input.pixels import ImageCache
from hourglass_pose.input.samples import SampleMaker
from hourglass_pose.training.pipeline import training_arrays

SIZE, WIDTH, HEIGHT = 64, 640, 480
RULE = CropRule(SIZE, box_margin=0.2)
AUGMENTATION = dict(
    flip_prob=0.5,
    rotation_deg=30.0,
    rotation_prob=0.6,
    scale_range=0.25,
    scale_prob=1.0,
    shift_range=0.05,
    shift_prob=0.5,
    colour_range=0.2,
    colour_prob=0.5,
)


def person_at(x, y, side, path='photo'):
    """A person whose box is `side` px wide and high around (x, y); its joints are the corners and the middle."""
    half = (side - 1) / 2
    joints = np.array([[x - half, y - half], [x + half, y - half], [x - half, y + half], [x + half, y + half], [x, y]])
    box = np.array([x - half, y - half, x + half, y + half])
    return Person('photo', path, f'{x}_{y}', box, joints.astype(np.float32), np.array([1, 1, 1, 1, 1], bool))


PERSONS = [person_at(200, 220, 100), person_at(380, 240, 150), person_at(560, 120, 60)]


def square_by_hand(affine):
    """(centre, side) of a crop in the photo, from the outer corners of its pixels."""
    corners = np.array([[-0.5, -0.5], [SIZE - 0.5, -0.5], [SIZE - 0.5, SIZE - 0.5]])
    corners_img = transform_points(invert(affine), corners)
    return corners_img[[0, 2]].mean(axis=0), np.linalg.norm(corners_img[1] - corners_img[0])


def is_whole_or_unsure(person, centre, side):
    """Whether a person is less than 0.35 sides from the middle and less than twice too large or too small."""
    box = person.box_img
    plain = (box[2] - box[0] + 1) * 1.4
    offset = np.hypot(*((box[:2] + box[2:]) / 2 - centre)) / side
    return offset < 0.35 - 1e-9 and max(plain / side, side / plain) < 2 - 1e-9


@pytest.mark.parametrize(
    'offsets, sizes, expected',
    [
        ([0.0], [1.0], (1, 1)),
        ([0.2], [1.5], (1, 1)),
        ([0.2], [1 / 1.5], (1, 1)),
        ([0.21], [1.0], (0, 0)),
        ([0.0], [1.6], (0, 0)),
        ([0.34], [1.9], (0, 0)),
        ([0.35], [1.0], (0, 1)),
        ([0.0], [2.0], (0, 1)),
        ([0.0], [0.5], (0, 1)),
        ([0.35, 0.9], [1.0, 1.0], (0, 1)),
        ([0.35, 0.3], [1.0, 1.0], (0, 0)),
        ([0.5, 0.1], [1.0, 1.2], (1, 1)),
    ],
)
def test_a_label_follows_from_offset_and_size(offsets, sizes, expected):
    assert label_of(np.array(offsets), np.array(sizes)) == expected


@pytest.mark.parametrize(
    'view, expected',
    [
        (View(), (1, 1)),
        (View(rotation_deg=170, flip=True, scale=1.4, shift_x=0.12, shift_y=-0.15), (1, 1)),
        (View(shift_x=0.2, shift_y=0.2), (0, 0)),
        (View(shift_y=-0.36), (0, 1)),
        (View(rotation_deg=45, scale=2.1), (0, 1)),
        (View(scale=0.6), (0, 0)),
    ],
)
def test_a_view_is_labelled_by_what_it_shows_of_the_person(view, expected):
    views = NegativeViews(PERSONS[2:], RULE, 0.5)
    assert views.label(PERSONS[2], RULE.training_affine(PERSONS[2], view)) == expected


def test_a_view_that_moves_to_a_neighbour_shows_a_whole_person():
    first, second = person_at(100, 100, 100), person_at(240, 100, 100)
    # 140 px are one side of the plain crop.
    affine = RULE.training_affine(first, View(shift_x=-1.0))
    assert NegativeViews([first, second], RULE, 0.5).label(first, affine) == (1, 1)
    assert NegativeViews([first], RULE, 0.5).label(first, affine) == (0, 1)


@pytest.fixture(scope='module')
def sampled():
    """[(person, negative View, its centre, its side)] of many samples of a photo with three persons."""
    views, found = NegativeViews(PERSONS, RULE, 1.0), []
    for index in range(300):
        person = PERSONS[index % 3]
        view = View(rotation_deg=7.0 * index, flip=bool(index % 2), scale=1.1, shift_x=0.01)
        negative = views.sample(3, 2, index, person, view, (WIDTH, HEIGHT))
        if negative:
            assert (negative.rotation_deg, negative.flip) == (view.rotation_deg, view.flip)
            found.append((person, negative, *square_by_hand(RULE.training_affine(person, negative))))
    return found


def test_no_negative_view_shows_a_whole_person_in_its_middle(sampled):
    assert len(sampled) >= 295
    views = NegativeViews(PERSONS, RULE, 1.0)
    for person, view, centre, side in sampled:
        assert not any(is_whole_or_unsure(one, centre, side) for one in PERSONS)
        assert views.label(person, RULE.training_affine(person, view)) == PersonLabel(0.0, 1.0)


def test_at_least_six_tenths_of_a_negative_view_lie_in_the_photo(sampled):
    photo = np.ones((HEIGHT, WIDTH), np.uint8)
    for _, _, centre, side in sampled:
        low, high = np.rint(centre - side / 2 + 0.5).astype(int), np.rint(centre + side / 2 + 0.5).astype(int)
        inside = photo[max(low[1], 0) : max(high[1], 0), max(low[0], 0) : max(high[0], 0)].sum()
        # Each edge is rounded by at most half a pixel.
        assert inside / side**2 >= 0.6 - 2 / side - 1 / side**2


def test_every_kind_of_negative_view_is_among_them(sampled):
    joints = np.concatenate([person.joints_img for person in PERSONS])
    nobody = half = other_size = gap = 0
    for person, view, centre, side in sampled:
        shows = (np.abs(joints - centre).max(axis=1) < side / 2).any()
        offset = np.hypot(view.shift_x, view.shift_y)
        nobody += not shows
        half += shows and 0.35 <= offset <= 0.8 and 0.6 <= 1 / view.scale <= 1.4
        other_size += max(view.scale, 1 / view.scale) >= 2 and shows
        middle = person.joints_img[4]
        lines = [one.joints_img[4] - middle for one in PERSONS if one is not person]
        # On the line to another person: the cross product is zero.
        gap += any(abs(x * (centre - middle)[1] - y * (centre - middle)[0]) < 1e-3 * side**2 for x, y in lines)
    assert min(nobody, half, other_size, gap) >= 0.1 * len(sampled)


def test_a_view_is_a_function_of_seed_epoch_and_index_and_the_share_is_the_probability():
    views = NegativeViews(PERSONS, RULE, 0.3)

    def sample(seed, epoch, index):
        return views.sample(seed, epoch, index, PERSONS[0], View(), (WIDTH, HEIGHT))

    found = [sample(1, 4, index) for index in range(600)]
    assert found == [sample(1, 4, index) for index in range(600)]
    assert found != [sample(1, 5, index) for index in range(600)] != [sample(2, 4, index) for index in range(600)]
    # Four standard deviations of a binomial count.
    assert abs(sum(view is not None for view in found) - 180) <= 4 * np.sqrt(600 * 0.3 * 0.7)
    never = NegativeViews(PERSONS, RULE, 0.0)
    assert not any(never.sample(1, 4, index, PERSONS[0], View(), (WIDTH, HEIGHT)) for index in range(50))


@pytest.fixture
def photo(tmp_path, rng):
    path = str(tmp_path / 'photo.png')
    cv2.imwrite(path, rng.randint(1, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8))
    return [replace(person, image_path=path) for person in PERSONS]


def maker_of(persons, probability=None, weighted_loss=True):
    negatives = None if probability is None else NegativeViews(persons, RULE, probability)
    permutation, kept = np.array([1, 0, 3, 2, 4]), np.array([1, 1, 1, 1, 0], bool)
    return SampleMaker(
        ImageCache(8), RULE, permutation, kept, AUGMENTATION, 9, weighted_loss=weighted_loss, negatives=negatives
    )


@pytest.mark.parametrize('weighted_loss', [True, False])
def test_negative_samples_teach_no_joint_and_all_others_are_as_without_them(photo, weighted_loss):
    plain, mixed = maker_of(photo, None, weighted_loss), maker_of(photo, 0.5, weighted_loss)
    replaced = 0
    for index in range(40):
        before, after = [maker.training_sample(photo[0], 1, index) for maker in (plain, mixed)]
        if np.array_equal(before.affine_crop_from_img, after.affine_crop_from_img):
            for name in ('crop', 'joints_crop', 'labelled', 'joint_weights'):
                np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
            assert after.person_label == (1, 1)
        else:
            replaced += 1
            assert not after.labelled.any() and not after.joint_weights.any() and after.person_label == (0, 1)
        assert before.person_label.weight == 0
    assert 8 <= replaced <= 32


def test_a_negative_crop_shows_the_part_of_the_photo_that_its_affine_says(photo):
    maker = maker_of(photo, 1.0)
    maker.augmentation = dict(AUGMENTATION, colour_prob=0.0)
    sample = maker.training_sample(photo[1], 0, 7)
    expected = warp_crop(maker.cache.read(photo[1].image_path), sample.affine_crop_from_img, SIZE, blue_first=True)
    np.testing.assert_array_equal(sample.crop, expected)


def test_batches_carry_the_labels_and_masked_rows_have_no_weight(photo, tmp_path):
    missing = person_at(100, 100, 50, str(tmp_path / 'missing.png'))
    persons = photo + [missing]
    generator = DataGenerator(persons, maker_of(persons, 0.5), 4, workers=0, max_unreadable=1.0)
    batch = next(generator.training_batches())
    assert sorted(batch.indices.tolist()) == [0, 1, 2, 3]
    for row, index in enumerate(batch.indices):
        if index == 3:
            assert not batch.person_labels[row].any()
        else:
            sample = generator.sample_maker.training_sample(persons[index], 0, index)
            assert tuple(batch.person_labels[row]) == sample.person_label
    labels = training_arrays(replace(batch, person_labels=np.ones((4, 2), np.float32)))[3]
    assert labels.dtype == np.float32 and labels[:, 1].tolist() == batch.mask.tolist()


def test_joints_decide_the_size_where_training_crops_follow_them():
    rule = CropRule(SIZE, box_margin=0.0, train_crop='joints', joints_margin=0.2)
    whole_photo = replace(PERSONS[0], box_img=np.array([0.0, 0, WIDTH - 1, HEIGHT - 1]))
    views = NegativeViews([whole_photo], rule, 0.5)
    assert views.label(whole_photo, rule.training_affine(whole_photo, View())) == (1, 1)
    assert views.label(whole_photo, rule.evaluation_affine(whole_photo.box_img)) == (0, 1)
