"""Predictor.find: people of coloured spots are found at their positions, once each, and nothing else."""

import cv2
import numpy as np
import pytest

from hourglass_pose.errors import ImageError
from hourglass_pose.input.cropping import CropRule
from hourglass_pose.prediction.finding import FindingNetwork, Look, box_around, crop_padding, find_persons
from hourglass_pose.prediction.windows import cut_windows
from hourglass_pose.skeleton import Skeleton
from spotted_people import BODY, JOINTS, SpotEngine, joints_of, photo, spot_predictor

PEOPLE = [(110, 130, 140), (300, 200, 220), (520, 250, 300)]


@pytest.fixture
def predictor(monkeypatch):
    return spot_predictor(monkeypatch)


def matched(poses, people):
    """Return the number of people; each must have one pose with every joint within a tenth of the person's height."""
    left = list(poses)
    for x, y, height in people:
        expected = joints_of(x, y, height)
        near = [p for p in left if np.linalg.norm(p.joints_img - expected, axis=1).max() <= 0.1 * height]
        assert len(near) == 1, (x, y, height, [p.joints_img.round() for p in left])
        left.remove(near[0])
    return len(people)


@pytest.mark.parametrize('count', [1, 2, 3])
def test_every_person_is_found_once_and_nothing_else(predictor, count):
    poses = predictor.find(photo(PEOPLE[:count]))
    assert len(poses) == matched(poses, PEOPLE[:count]) == count
    scores = [pose.score for pose in poses]
    assert scores == sorted(scores, reverse=True) and all(predictor.default_person_score <= s <= 1 for s in scores)
    assert all(type(pose.score) is float and pose.as_dict()['score'] == pose.score for pose in poses)


@pytest.mark.parametrize('share', [0.25, 0.35, 0.5, 0.7, 0.95])
@pytest.mark.parametrize('x', [0.3, 0.5, 0.72])
def test_a_person_of_any_size_is_found(predictor, share, x):
    person = (x * 640, 240, share * 480)
    assert matched(predictor.find(photo([person])), [person])


@pytest.mark.parametrize('share', [0.25, 0.5, 0.9])
def test_a_narrow_person_is_found_at_any_border(predictor, share):
    height = share * 480
    for x in (0.17 * height, 639 - 0.17 * height):
        person = (x, 0.6 * height, height)
        assert matched(predictor.find(photo([person])), [person])


def test_windows_between_are_looked_at_beside_a_hint_of_a_person_only():
    windows = cut_windows(photo([]), 64, 1.32)
    least = 0.2 * 0.5  # of a window that may show a person
    for hinting in (None, 0, 40, int(np.flatnonzero(windows.white)[-1])):
        for hint in (0.29 * least, 0.31 * least):
            seen = []

            def look(crops, flip_test):
                seen.append(len(crops))
                scores = np.full(len(crops), 0.01 * least)
                if len(seen) == 1 and hinting is not None:
                    assert windows.white[hinting]
                    scores[windows.white[:hinting].sum()] = hint
                return Look(np.tile(BODY, (len(crops), 1, 1)), np.full((len(crops), 3), 0.9, np.float32), scores)

            network = FindingNetwork(look, Skeleton(JOINTS), CropRule(64, box_margin=0.0), np.ones(3, bool), False, 0.5)
            assert find_persons(photo([]), network, 0.5) == []
            between = len(windows.beside([hinting])) if hinting is not None and hint > 0.3 * least else 0
            assert seen == [windows.white.sum()] + ([between] if between else [])


def test_nothing_is_found_in_an_empty_photo(predictor, monkeypatch):
    assert predictor.find(photo([])) == []
    # By the maps alone it is the same.
    assert spot_predictor(monkeypatch, SpotEngine(gives_person=False)).find(photo([])) == []


def test_the_number_of_persons_can_be_limited_to_the_most_certain(predictor):
    image = photo(PEOPLE)
    everybody = predictor.find(image)
    for count in (1, 2):
        few = predictor.find(image, max_persons=count)
        assert [pose.score for pose in few] == [pose.score for pose in everybody[:count]]


def test_the_least_score_can_be_chosen(predictor):
    image = photo(PEOPLE)
    scores = [pose.score for pose in predictor.find(image)]
    for least in (scores[-1], np.nextafter(scores[-1], 1), np.nextafter(scores[0], 1)):
        found = [pose.score for pose in predictor.find(image, min_person_score=least)]
        assert found == [score for score in scores if score >= least]
    assert predictor.find(image, min_person_score=1.1) == []


def test_the_box_of_a_found_person_gives_almost_the_same_pose(predictor):
    image = photo(PEOPLE)
    for pose in predictor.find(image):
        x0, y0, x1, y1 = pose.box_img
        again = predictor.predict(image, (x0, y0, x1 - x0 + 1, y1 - y0 + 1))
        # In each crop a joint is exact to a cell of the map; the largest final crop is 1.15 times as large.
        cell = (x1 - x0 + 1) / 16
        np.testing.assert_allclose(again.joints_img, pose.joints_img, atol=(1 + 1.15) * cell)
        assert 0.85 * again.score < pose.score <= again.score + 0.05


def test_without_a_person_output_the_score_is_the_mean_of_the_joints(monkeypatch):
    predictor = spot_predictor(monkeypatch, SpotEngine(gives_person=False))
    pose = predictor.predict(photo(PEOPLE[1:2]), (190, 90, 220, 220))
    assert matched([pose], PEOPLE[1:2]) and pose.score == pytest.approx(pose.scores.mean())


def test_a_joint_that_was_not_trained_does_not_count_in_the_score(monkeypatch):
    predictor = spot_predictor(monkeypatch, SpotEngine(gives_person=False), kept_joints=(True, False, True))
    pose = predictor.predict(photo(PEOPLE[1:2]), (190, 90, 220, 220))
    assert pose.score == pytest.approx(pose.scores[[0, 2]].mean())


@pytest.mark.parametrize('wander, least, most', [(0.0, 0.899, 0.901), (0.2, 0.0, 0.5)])
def test_the_score_is_lower_where_the_joints_move_with_the_crop(rng, wander, least, most):
    def look(crops, flip_test):
        # The same pose, as large as in training, in the middle of any crop, each joint moved by itself.
        joints = 31.5 + 64 / 1.32 * (BODY + wander * rng.standard_normal((len(crops), 3, 2)))
        return Look(joints, np.full((len(crops), 3), 0.9, np.float32), np.full(len(crops), 0.9))

    rule = CropRule(64, box_margin=0.0)
    network = FindingNetwork(look, Skeleton(JOINTS), rule, np.ones(3, bool), False, 0.5)
    scores = [pose.score for pose in find_persons(photo([]), network, 0.0)]
    assert scores and all(least <= score <= 0.901 for score in scores) and np.median(scores) <= most


def test_the_pose_is_the_median_of_crops_of_three_sizes_and_its_score_is_from_them_and_the_crop_before():
    def look(crops, flip_test):
        # In the middle of any crop, as large as the person is in training, in the final crops by their sizes.
        count, body = len(crops), 64 / 1.32 * BODY
        joints = np.tile(31.5 + body, (count, 1, 1))
        scores = np.full((count, 3), 0.9, np.float32)
        persons = np.full(count, 0.9)
        if flip_test:
            third = count // 3
            # The joints stay where they are in the photo, but for one crop, in which they are somewhere else.
            for part, size in enumerate((0.87, 1.0, 1.15)):
                joints[part * third : (part + 1) * third] = 31.5 + body / size if part else 2.0
            persons[:third] = 0.3
        return Look(joints, scores, persons)

    network = FindingNetwork(look, Skeleton(JOINTS), CropRule(64, box_margin=0.0), np.ones(3, bool), True, 0.5)
    poses = find_persons(photo([]), network, 0.0)
    # 0.7 is the mean of the three.
    assert poses and all(pose.score == pytest.approx(np.sqrt(0.9 * 0.7), abs=0.02) for pose in poses)
    for pose in poses:
        x0, y0, x1, y1 = pose.box_img
        middle, side = np.array([x0 + x1, y0 + y1]) / 2, max(x1 - x0, y1 - y0) + 1
        np.testing.assert_allclose(pose.joints_img, middle + side / 1.32 * BODY, atol=0.02 * side)


def test_the_score_joins_the_persons_and_the_joints_of_crop_and_mirror_image(predictor, monkeypatch):
    image = photo(PEOPLE[1:2])[:, 190:410][:, :, ::-1].copy()
    crop, _, _ = predictor.cut(image)
    logits = [predictor.engine.run(one[None])[-1][0] for one in (crop, crop[:, ::-1])]
    for used, opened in ((logits, predictor), (logits[:1], spot_predictor(monkeypatch, flip_test=False))):
        pose = opened.predict(image)
        probability = 1 / (1 + np.exp(-np.mean(used)))
        assert pose.score == pytest.approx(np.sqrt(probability * pose.scores.mean()), abs=1e-6)


def test_a_search_takes_a_bounded_number_of_crops(predictor, rng):
    predictor.find(rng.randint(0, 256, (480, 640, 3)).astype(np.uint8), min_person_score=0.0)
    # Windows; of at most 24 candidates two crops, then three crops and their mirror images; passes may be padded.
    assert predictor.engine.runs <= 187 + 24 * 2 + 24 * 6 + 4 * 8


def test_large_small_and_narrow_photos_are_searched(predictor):
    for width, height, person in ((3000, 2200, (1500, 1100, 1200)), (60, 48, (30, 24, 36)), (300, 90, (150, 45, 60))):
        assert matched(predictor.find(photo([person], width, height)), [person])
    assert predictor.find(np.zeros((1, 1, 3), np.uint8)) == []


def test_a_file_is_read_and_a_wrong_array_refused(predictor, tmp_path):
    path = tmp_path / 'photo.png'
    cv2.imwrite(str(path), photo(PEOPLE[:1])[:, :, ::-1])
    assert matched(predictor.find(path), PEOPLE[:1])
    with pytest.raises(ImageError):
        predictor.find(tmp_path / 'none.png')
    with pytest.raises(ValueError, match='uint8 RGB'):
        predictor.find(np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize(
    'rule, padding',
    [
        (CropRule(64, box_margin=0.0), 1.32),
        (CropRule(64, box_margin=0.2), 1.54),
        (CropRule(64, box_margin=0.2, train_crop='joints', joints_margin=0.3), 1.6),
        (CropRule(64, crop_rule='centre_scale', train_crop='joints'), 1.64),
    ],
)
def test_a_crop_around_joints_is_larger_than_they_are_by_what_the_rule_has_in_training(rule, padding):
    joints = np.array([[10.0, 20.0], [30.0, 119.0], [12.0, 60.0]])
    assert crop_padding(rule) == pytest.approx(padding)
    affine = rule.evaluation_affine(box_around(joints, rule))
    assert rule.crop_size / affine[0, 0] == pytest.approx(99.0 * padding)
    middle = affine[:, :2].dot([20.0, 69.5]) + affine[:, 2]
    np.testing.assert_allclose(middle, (rule.crop_size - 1) / 2, atol=1e-9)
