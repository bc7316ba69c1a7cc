"""Evaluator: joints in the photo, flip test, masks and baselines, with networks that look the answer up."""

from dataclasses import replace

import numpy as np
import pytest

from hourglass_pose.data.annotations import read_annotations
from hourglass_pose.data.augmentation import AugmentationRanges
from hourglass_pose.data.cropping import CropRule
from hourglass_pose.data.generator import DataGenerator
from hourglass_pose.data.samples import ImageCache, SampleMaker
from hourglass_pose.errors import ImageError
from hourglass_pose.evaluation.evaluator import Evaluator, mean_training_pose
from hourglass_pose.heatmap_codec import HeatmapCodec
from hourglass_pose.skeleton import Skeleton

CROP, CELLS, STRIDE, MARGIN = 128, 32, 4, 0.2
SKELETON = Skeleton()
COUNT = 13


@pytest.fixture(scope='module')
def persons(synthetic_people):
    return read_annotations(synthetic_people, synthetic_people.replace('dataset.txt', 'images'), 16).persons[:COUNT]


def maker_of(decoding='dark', kept=None):
    # Sigma 2 of 64 cells is 1 of 32: wide enough for DARK to be exact.
    codec = HeatmapCodec(CELLS, STRIDE, 2.0, 'mse', decoding)
    return SampleMaker(ImageCache(64), codec, CropRule(CROP, MARGIN), SKELETON.flip_permutation,
                       np.ones(16, bool) if kept is None else kept, AugmentationRanges(), 0)


def evaluator_of(persons, batch_size=5, decoding='dark', kept=None, flip_test=False, limit=None, max_unreadable=0.0):
    maker = maker_of(decoding, kept)
    generator = DataGenerator(persons, maker, batch_size, workers=0, max_unreadable=max_unreadable)
    return Evaluator(generator, SKELETON, mean_training_pose(persons, maker.rule), flip_test, limit)


class KnowsTheTruth:
    """A network that recognises each crop, and its mirror image, and answers with the true heatmaps."""

    def __init__(self, persons):
        maker = maker_of()
        self.answers = {}
        for person in persons:
            sample = maker.evaluation_sample(person)
            self.answers[sample.crop.tobytes()] = sample.heatmaps
            # Left and right exchange names in a mirror; the permutation is written out by name here.
            names = [{'r': 'l', 'l': 'r'}[name[0]] + name[1:] if name[1] == '_' else name for name in SKELETON.joints]
            order = [SKELETON.joints.index(name) for name in names]
            mirrored = np.array([[CROP - 1 - x, y] for x, y in sample.joints_crop])[order]
            maps, _ = maker.codec.encode(mirrored, person.labelled[order])
            self.answers[sample.crop[:, ::-1].tobytes()] = maps

    def __call__(self, images):
        empty = np.zeros((CELLS, CELLS, 16), np.float32)
        return np.stack([self.answers.get(image.tobytes(), empty) for image in images])


def looks_at_pixels(images):
    """A network whose every map is the image's brightness in another mixture of colours, shifted joint by joint."""
    maps = []
    for image in images:
        small = image.reshape(CELLS, STRIDE, CELLS, STRIDE, 3).mean(axis=(1, 3)) / 255
        mixtures = np.random.RandomState(3).uniform(-1, 1, (3, 16))
        maps.append(np.stack([np.roll(small.dot(mixture), joint, 1) for joint, mixture in enumerate(mixtures.T)], -1))
    return np.array(maps, np.float32)


def photo_pixels_per_crop_pixel(person):
    x0, y0, x1, y1 = person.box_img
    return max(x1 - x0 + 1, y1 - y0 + 1) * (1 + 2 * MARGIN) / CROP


@pytest.mark.parametrize('decoding, cells', [('argmax', 0.5), ('quarter', 0.5), ('dark', 0.1)])
def test_a_perfect_network_scores_100_and_errs_by_the_codecs_bound(persons, decoding, cells):
    evaluation = evaluator_of(persons, decoding=decoding).evaluate(KnowsTheTruth(persons))
    assert evaluation.persons == list(persons)
    assert evaluation.score == evaluation.result.metrics['pckh@0.5']['mean'] == 100
    assert evaluation.result.metrics['argmax_accuracy']['mean'] == 100
    for person, joints in zip(persons, evaluation.joints_img):
        bound = cells * STRIDE * photo_pixels_per_crop_pixel(person) + 1e-3
        assert np.abs(joints - person.joints_img)[person.labelled].max() <= bound


def test_the_flip_test_changes_nothing_for_a_network_that_mirrors_with_its_input(persons):
    network = KnowsTheTruth(persons)
    with_flip = evaluator_of(persons, flip_test=True).evaluate(network)
    without = evaluator_of(persons).evaluate(network)
    labelled = np.array([person.labelled for person in persons])
    assert np.abs(with_flip.joints_img - without.joints_img)[labelled].max() < 1e-3
    assert np.abs(with_flip.scores - without.scores)[labelled].max() < 1e-5
    assert with_flip.result.metrics == without.result.metrics


def test_the_flip_test_averages_maps_joint_by_joint(persons):
    asked = []

    def network(images):
        asked.append(images)
        maps = np.zeros((len(images), CELLS, CELLS, 16), np.float32)
        # The crop puts every joint at column 4; its mirror image only the left wrist, which is its right one.
        if len(asked) % 2:
            maps[:, 7, 4] = 0.5
        else:
            maps[:, 7, CELLS - 1 - 4, SKELETON.index('l_wrist')] = 1.0
        return maps

    evaluation = evaluator_of(persons[:2], 2, decoding='argmax', flip_test=True).evaluate(network)
    assert np.array_equal(asked[1], asked[0][:, :, ::-1])
    expected = np.full(16, 0.25, np.float32)
    expected[SKELETON.index('r_wrist')] = 0.75
    assert np.array_equal(evaluation.scores, [expected, expected])


@pytest.mark.parametrize('flip_test', [False, True])
def test_the_batch_size_changes_not_a_bit(persons, flip_test):
    first, second, third = [evaluator_of(persons, size, flip_test=flip_test).evaluate(looks_at_pixels)
                            for size in (1, 3, 16)]
    for other in (second, third):
        assert np.array_equal(other.joints_img, first.joints_img) and np.array_equal(other.scores, first.scores)
        assert other.result.metrics == first.result.metrics
        assert [each.metrics for each in other.baselines.values()] == [
            each.metrics for each in first.baselines.values()]


def test_persons_without_a_readable_picture_are_left_out(persons):
    broken = [replace(person, image_path='/nowhere/%d.jpg' % index) if index in (0, 6) else person
              for index, person in enumerate(persons)]
    evaluator = evaluator_of(broken, 4, max_unreadable=0.5)
    evaluation = evaluator.evaluate(looks_at_pixels)
    readable = [person for index, person in enumerate(persons) if index not in (0, 6)]
    expected = evaluator_of(readable, 4).evaluate(looks_at_pixels)
    assert [person.person_id for person in evaluation.persons] == [person.person_id for person in readable]
    assert np.array_equal(evaluation.joints_img, expected.joints_img)
    assert evaluation.result.metrics == expected.result.metrics
    assert evaluation.result.num_persons == COUNT - 2
    assert evaluator.generator.unreadable == {'/nowhere/0.jpg', '/nowhere/6.jpg'}


@pytest.mark.parametrize('max_unreadable', [0.0, 1.0])
def test_no_readable_picture_at_all_is_an_error_of_one_line(persons, max_unreadable):
    broken = [replace(person, image_path='/nowhere/%s.jpg' % person.person_id) for person in persons]
    with pytest.raises(ImageError, match='read') as caught:
        evaluator_of(broken, max_unreadable=max_unreadable).evaluate(looks_at_pixels)
    assert '\n' not in str(caught.value)


def test_a_limit_measures_the_first_batches(persons):
    evaluator = evaluator_of(persons, 5, limit=2)
    assert evaluator.num_batches == 2
    assert evaluator.evaluate(looks_at_pixels).persons == list(persons[:10])


def test_joints_not_kept_and_not_labelled_are_not_scored(persons):
    kept = np.ones(16, bool)
    kept[[SKELETON.index('r_knee'), SKELETON.index('head')]] = False
    evaluation = evaluator_of(persons, kept=kept).evaluate(KnowsTheTruth(persons))
    joints = evaluation.result.metrics['pck@0.2']['joints']
    assert [name for name, value in joints.items() if value is None] == ['r_knee', 'head']
    # The head is what PCKh measures by, so without it checkpoints are compared by the torso.
    assert evaluation.result.metrics['pckh@0.5']['mean'] is None
    assert evaluation.score == evaluation.result.metrics['pck@0.2']['mean'] == 100


def test_baselines_score_what_a_slow_computation_gives(persons):
    def slow_crop_from_img(person, point):
        x0, y0, x1, y1 = person.box_img
        scale = photo_pixels_per_crop_pixel(person)
        return [(point[0] - (x0 + x1) / 2) / scale + (CROP - 1) / 2.0,
                (point[1] - (y0 + y1) / 2) / scale + (CROP - 1) / 2.0]

    def slow_pckh(pose_crop):
        shares = []
        for joint in range(16):
            hits = []
            for person in persons:
                if person.labelled[joint] and joint not in (6, 7):
                    neck, head = [slow_crop_from_img(person, person.joints_img[index]) for index in (8, 9)]
                    truth = slow_crop_from_img(person, person.joints_img[joint])
                    length = 0.75 * np.hypot(head[0] - neck[0], head[1] - neck[1])
                    distance = np.hypot(pose_crop[joint][0] - truth[0], pose_crop[joint][1] - truth[1])
                    if person.labelled[8] and person.labelled[9]:
                        hits.append(distance <= 0.5 * length)
            if hits:
                shares.append(100.0 * sum(hits) / len(hits))
        return sum(shares) / len(shares)

    mean_pose = [np.mean([slow_crop_from_img(person, person.joints_img[joint]) for person in persons
                          if person.labelled[joint]], axis=0) for joint in range(16)]
    baselines = evaluator_of(persons).evaluate(looks_at_pixels).baselines
    assert list(baselines) == ['mean_pose', 'centre']
    assert np.isclose(baselines['mean_pose'].metrics['pckh@0.5']['mean'], slow_pckh(mean_pose), atol=1e-9)
    assert np.isclose(baselines['centre'].metrics['pckh@0.5']['mean'], slow_pckh([[63.5, 63.5]] * 16), atol=1e-9)
