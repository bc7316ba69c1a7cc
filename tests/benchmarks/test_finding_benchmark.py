"""The protocol of finding people: canvases match their description, and false positives are counted."""

import os
import sys
from collections import Counter
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from conftest import CODE

sys.path.append(os.path.join(os.path.dirname(CODE), 'benchmarks'))

import canvases
from canvases import BLEND, HEIGHT, SHARES, WIDTH, CanvasMaker, PastedPerson, background_patch, kinds, paste
from found_persons import Matches, lines_of, match, measure, pck
from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.prediction.pose import Pose
from hourglass_pose.skeleton import SKELETONS

SKELETON = SKELETONS['mpii']


@pytest.fixture(scope='module')
def maker(synthetic_people):
    images = os.path.join(os.path.dirname(synthetic_people), 'images')
    persons = read_annotations(synthetic_people, images, len(SKELETON)).persons
    in_image = Counter(person.image for person in persons)
    return CanvasMaker([person for person in persons if in_image[person.image] == 1], SKELETON, seed=3)


def test_a_canvas_follows_from_its_kind_number_and_seed(maker):
    again = CanvasMaker(maker.persons, SKELETON, seed=3)
    for kind in kinds():
        first, second, other = maker.canvas(kind, 1), again.canvas(kind, 1), maker.canvas(kind, 2)
        assert np.array_equal(first.image, second.image) and not np.array_equal(first.image, other.image)
        assert first.image.shape == (HEIGHT, WIDTH, 3) and first.image.dtype == np.uint8
    assert not np.array_equal(CanvasMaker(maker.persons, SKELETON, seed=4).canvas('none', 1).image, first.image)


@pytest.mark.parametrize('share', SHARES)
def test_a_single_person_has_the_share_of_the_height_and_is_whole(maker, share):
    for number in range(3):
        (person,) = maker.canvas(f'one at {share:g}', number).persons
        joints = person.joints_img[person.labelled]
        # Sides of the scaled photo are whole pixels, so the scale is off by up to half a pixel in its shorter side.
        assert (joints.max(0) - joints.min(0)).max() == pytest.approx(share * HEIGHT - 4, rel=0.02)
        assert (joints >= -0.5).all() and (joints <= [WIDTH - 0.5, HEIGHT - 0.5]).all()


def test_canvases_have_one_to_four_persons_in_turn_or_none(maker):
    assert [len(maker.canvas('one to four', number).persons) for number in range(4)] == [1, 2, 3, 4]
    assert maker.canvas('none', 0).persons == []


def test_photos_of_persons_hardly_overlap(maker):
    for number in (1, 2, 3, 7):
        boxes = [person.box_img for person in maker.canvas('one to four', number).persons]
        for index, box in enumerate(boxes):
            assert all(canvases._overlap(box, other) <= canvases._OVERLAP for other in boxes[:index])


def test_the_background_is_never_of_one_colour(maker):
    image = maker.canvas('none', 5).image.astype(float)
    blocks = image.reshape(4, HEIGHT // 4, 4, WIDTH // 4, 3).std(axis=(1, 3)).mean(-1)
    assert blocks.min() > 2


def test_a_pasted_part_fades_in_over_its_border():
    image = np.zeros((60, 80, 3), np.uint8)
    paste(image, np.full((40, 30, 3), 200, np.uint8), 5, 10)
    middle = image[30, 5:35, 0].astype(int)
    assert middle[:BLEND].tolist() == [round(200 * step / BLEND) for step in range(1, BLEND + 1)]
    assert (middle == middle[::-1]).all() and (middle[BLEND:-BLEND] == 200).all()
    assert not image[:10].any() and not image[50:].any()
    # A part beyond the border is cut, one outside does nothing.
    paste(image, np.full((40, 30, 3), 200, np.uint8), -15, -20)
    before = image.copy()
    paste(image, np.full((40, 30, 3), 200, np.uint8), 90, 10)
    assert np.array_equal(image, before) and image[0, 0, 0] == 200


def test_background_is_away_from_the_person(rng):
    image = rng.randint(0, 256, (200, 200, 3)).astype(np.uint8)
    joints = np.array([[60.0 + 5 * index, 20.0 + 10 * index] for index in range(16)], np.float32)
    person = Person('', '', '', np.array([0, 0, 199, 199.0]), joints, np.ones(16, bool))
    marked = image.copy()
    for first, second in SKELETON.limbs:
        ends = [tuple(int(value) for value in joints[index]) for index in (first, second)]
        # A tenth of 150 pixels from the limb.
        cv2.line(marked, ends[0], ends[1], (1, 2, 3), 2 * 12)
    patch = background_patch(marked, person, SKELETON)
    assert patch is not None and len(patch) >= 24 and patch.shape[0] == patch.shape[1]
    assert not (patch == [1, 2, 3]).all(axis=-1).any()
    assert background_patch(np.full_like(image, 90), person, SKELETON) is None


def standing(x, y, height):
    """Return joints (16, 2) of a person from (x, y) on."""
    rng = np.random.RandomState(0)
    joints = rng.uniform(0, 1, (16, 2)) * [0.4 * height, height]
    return joints + [x, y]


def pose(joints, score):
    return Pose(SKELETON.joints, joints, np.ones(16), np.zeros(4), score)


def pasted(joints, labelled=None):
    return PastedPerson(joints, np.ones(16, bool) if labelled is None else labelled, np.array([0, 0, 99, 99.0]))


def test_each_person_and_each_pose_is_matched_once():
    left, right = standing(50, 50, 200), standing(400, 100, 200)
    persons = [pasted(left), pasted(right)]
    poses = [pose(left, 0.9), pose(left + 2, 0.8), pose(right + 300, 0.7), pose(right, 0.6)]
    assert match(poses, persons, SKELETON).tolist() == [True, False, False, True]
    assert match(poses, [], SKELETON).tolist() == [False] * 4 and match([], persons, SKELETON).tolist() == []


def test_unlabelled_joints_do_not_count_in_a_match():
    joints = standing(50, 50, 200)
    labelled = np.arange(16) < 10
    wrong = np.where(labelled[:, None], joints, joints + 500)
    assert match([pose(wrong, 0.9)], [pasted(joints, labelled)], SKELETON).tolist() == [True]


def test_shares_and_false_persons_follow_from_the_threshold():
    matches = Matches(np.array([0.9, 0.8, 0.3, 0.2]), np.array([True, False, True, False]), persons=4, canvases=2)
    assert matches.at(0.0) == (0.5, 1.0) and matches.at(0.3) == (0.5, 0.5)
    assert matches.at(0.85) == (0.25, 0.0) and matches.at(0.95) == (0.0, 0.0)


class Oracle:
    """A Predictor that knows the persons of canvases; `misses`: whether it finds nobody."""

    skeleton, kept_joints, default_person_score = SKELETON, np.ones(16, bool), 0.5

    def __init__(self, maker, count, misses=False):
        self.misses = misses
        self.persons = {}
        for kind in kinds():
            for canvas in (maker.canvas(kind, number) for number in range(count)):
                self.persons[canvas.image.tobytes()] = canvas.persons

    def find(self, image, max_persons=None, min_person_score=None):
        persons = [] if self.misses else self.persons[image.tobytes()]
        return [pose(person.joints_img, 0.7) for person in persons][:max_persons]

    def predict(self, image, box):
        (joints,) = [p.joints_img for p in self.persons[image.tobytes()] if p.box_img[0] == box[0]]
        return pose(joints, 0.7)


@pytest.mark.parametrize('misses', [False, True])
def test_a_perfect_search_has_full_marks_and_an_empty_one_none(maker, misses):
    results = measure(Oracle(maker, 2, misses), maker, 2, list(kinds()))
    for row in results['one'].values():
        assert row['boxed'] == 100 and row['found'] == (0 if misses else 100)
    for threshold, share, false_ones, of_nobody in results['any']:
        assert share == (0 if misses or threshold > 0.7 else 1) and false_ones == of_nobody == 0
    text = '\n'.join(lines_of(results))
    assert '0.5 (default)' in text and text.count('(default)') == 1


def test_a_person_who_is_not_found_has_no_right_joint(maker):
    person = maker.canvas('one at 0.5', 0).persons[0]
    oracle = SimpleNamespace(skeleton=SKELETON, kept_joints=np.ones(16, bool))
    nobody = np.full((16, 2), np.nan)
    assert pck([person.joints_img], [person], oracle) == 100
    assert pck([nobody], [person], oracle) == 0 and pck([person.joints_img, nobody], [person] * 2, oracle) == 50
