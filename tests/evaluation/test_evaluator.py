"""Evaluator: the truth scores everything, batches and flips change nothing, baselines are what they are called."""

from dataclasses import replace

import numpy as np
import pytest

from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.errors import ImageError
from hourglass_pose.evaluation.evaluator import Evaluator, mean_training_pose
from hourglass_pose.evaluation.headline import headline_metric
from hourglass_pose.input.cropping import CropRule
from hourglass_pose.input.generator import DataGenerator
from hourglass_pose.input.pixels import ImageCache
from hourglass_pose.input.samples import SampleMaker
from hourglass_pose.representations.table import make_codec
from hourglass_pose.skeleton import Skeleton

SKELETON = Skeleton()
SIZE, MARGIN = 128, 0.2


@pytest.fixture(scope='module')
def persons(synthetic_people):
    folder = synthetic_people.replace('dataset.txt', 'images')
    everyone = read_annotations([synthetic_people], [folder], len(SKELETON)).persons
    codec = make_codec(SIZE // 4)
    inside = []
    for person in everyone:
        joints = by_hand_crop_from_img(person.box_img, person.joints_img)
        if codec.target_maps(joints, person.labelled).any(axis=(0, 1)).sum() == person.labelled.sum():
            inside.append(person)
    assert len(inside) >= 11
    return inside[:11]


def by_hand_crop_from_img(box_img, points):
    """Crop pixels of photo pixels: the square of the widened box becomes SIZE pixels wide, pixel centres at .5."""
    x0, y0, x1, y1 = box_img
    side = max(x1 - x0 + 1, y1 - y0 + 1) * (1 + 2 * MARGIN)
    corner = np.array([(x0 + x1 + 1) / 2, (y0 + y1 + 1) / 2]) - side / 2
    return (np.asarray(points, np.float64) + 0.5 - corner) * SIZE / side - 0.5


def evaluator_of(
    persons, batch_size=4, flip_test=False, decoding='argmax', loss='mse', limit=None, cache=None, **generator_options
):
    codec = make_codec(SIZE // 4, loss=loss, decoding=decoding)
    maker = SampleMaker(
        cache or ImageCache(64), CropRule(SIZE, MARGIN), SKELETON.flip_permutation, np.ones(len(SKELETON), bool)
    )
    generator = DataGenerator(persons, maker, batch_size, workers=0, **generator_options)
    pose = mean_training_pose(persons[:6], maker.rule)
    return Evaluator(generator, codec, SKELETON, pose, flip_test, limit)


def truth_of(evaluator):
    """Return a stand-in for a network that knows the labels of the batches to come."""
    batches = evaluator.generator.validation_batches(evaluator.limit)

    def predict(images):
        batch = next(batches)
        maps = evaluator.codec.target_maps(batch.joints_crop, batch.labelled)
        if evaluator.flip_test:
            # Each crop is followed by its mirror image.
            mirrored = maps[:, :, ::-1][..., SKELETON.flip_permutation]
            maps = np.stack([maps, mirrored], axis=1).reshape((-1,) + maps.shape[1:])
        return np.log(np.maximum(maps, 1e-30)) if evaluator.codec.loss == 'softmax' else maps

    return predict


def picture_network(images):
    """A stand-in that depends on each image alone: smooth maps, different for every joint."""
    grey = images.astype(np.float64).sum(axis=3).reshape(len(images), SIZE // 4, 4, SIZE // 4, 4).mean(axis=(2, 4))
    y, x = np.mgrid[: SIZE // 4, : SIZE // 4]
    waves = np.stack([np.sin(x * (1 + j) / 7.0) * np.cos(y * (2 + j) / 9.0) for j in range(len(SKELETON))], axis=-1)
    return ((grey[..., None] / 765.0) * waves).astype(np.float32)


def equivariant_network(images):
    mirrored = picture_network(images[:, :, ::-1])
    return picture_network(images) + mirrored[:, :, ::-1][..., SKELETON.flip_permutation]


@pytest.mark.parametrize('flip_test', [False, True])
def test_network_that_knows_the_truth_has_every_joint_within_half_a_cell(persons, flip_test):
    evaluator = evaluator_of(persons, flip_test=flip_test)
    evaluation = evaluator.evaluate(truth_of(evaluator))
    assert [person.person_id for person in evaluation.persons] == [person.person_id for person in persons]
    for person, joints_img, scores in zip(persons, evaluation.joints_img, evaluation.scores):
        side = (person.box_img[2:] - person.box_img[:2] + 1).max() * (1 + 2 * MARGIN)
        half_a_cell = 2 * side / SIZE
        assert np.abs(joints_img - person.joints_img)[person.labelled].max() <= half_a_cell * (1 + 1e-6)
        # The map of a joint at most half a cell away in x and y from its highest cell, sigma being one cell.
        assert scores[person.labelled].min() >= np.exp(-0.25) - 1e-6
    means = {name: values['mean'] for name, values in evaluation.result.metrics.items()}
    assert means['pckh@0.5'] == means['pck@0.2'] == 100
    assert means['argmax_accuracy'] == pytest.approx(100)
    assert means['oks'] > 80 and means['box_pck_auc'] > 95
    assert evaluation.result.metrics['oks']['mean'] > evaluation.baselines['mean_pose'].metrics['oks']['mean']


def test_truth_by_softmax_and_dark_is_a_hundredfold_finer(persons):
    evaluator = evaluator_of(persons, decoding='dark', loss='softmax')
    evaluation = evaluator.evaluate(truth_of(evaluator))
    errors = [
        np.abs(joints - person.joints_img)[person.labelled]
        * SIZE
        / ((person.box_img[2:] - person.box_img[:2] + 1).max() * (1 + 2 * MARGIN))
        for person, joints in zip(persons, evaluation.joints_img)
    ]
    # Crop pixels; half a cell is 2.
    assert np.median(np.concatenate(errors)) < 0.02
    assert evaluation.result.metrics['pckh@0.1']['mean'] > 95


@pytest.mark.parametrize('flip_test', [False, True])
def test_size_of_the_batches_changes_no_bit(persons, flip_test):
    results = [
        evaluator_of(persons, batch_size, flip_test, 'dark').evaluate(picture_network) for batch_size in (1, 4, 11, 16)
    ]
    for result in results[1:]:
        assert np.array_equal(result.joints_img, results[0].joints_img)
        assert np.array_equal(result.scores, results[0].scores)
        assert result.result.metrics == results[0].result.metrics
        assert result.baselines['mean_pose'].metrics == results[0].baselines['mean_pose'].metrics


def test_flip_test_changes_nothing_for_a_mirror_equivariant_network_and_else_does(persons):
    plain, flipped = [
        evaluator_of(persons, flip_test=flip_test, decoding='dark').evaluate(equivariant_network)
        for flip_test in (False, True)
    ]
    assert np.array_equal(plain.joints_img, flipped.joints_img) and np.array_equal(plain.scores, flipped.scores)
    plain, flipped = [
        evaluator_of(persons, flip_test=flip_test, decoding='dark').evaluate(picture_network)
        for flip_test in (False, True)
    ]
    assert not np.array_equal(plain.joints_img, flipped.joints_img)


def pck_by_hand(persons, joints_img):
    """Mean over joints (pelvis and thorax left out) of the share within 0.2 torsos, in percent."""
    shares = []
    for joint, name in enumerate(SKELETON.joints):
        if name in ('pelvis', 'thorax'):
            continue
        hits = []
        for person, pose in zip(persons, joints_img):
            for one, other in (('l_shoulder', 'r_hip'), ('r_shoulder', 'l_hip')):
                ends = [SKELETON.index(one), SKELETON.index(other)]
                if person.labelled[ends].all():
                    torso = np.linalg.norm(person.joints_img[ends[0]] - person.joints_img[ends[1]])
                    if person.labelled[joint]:
                        hits.append(np.linalg.norm(pose[joint] - person.joints_img[joint]) <= 0.2 * torso)
                    break
        if hits:
            shares.append(100 * np.mean(hits))
    return np.mean(shares)


def test_baselines_are_the_mean_training_pose_and_the_centre_in_every_crop(persons):
    evaluation = evaluator_of(persons).evaluate(picture_network)
    training = persons[:6]
    poses = np.array([by_hand_crop_from_img(person.box_img, person.joints_img) for person in training])
    labelled = np.array([person.labelled for person in training])
    mean_pose = np.array([poses[labelled[:, joint], joint].mean(axis=0) for joint in range(len(SKELETON))])
    np.testing.assert_allclose(mean_training_pose(training, CropRule(SIZE, MARGIN)), mean_pose, atol=1e-9)
    for name, pose_crop in (('mean_pose', mean_pose), ('centre', np.full((len(SKELETON), 2), (SIZE - 1) / 2.0))):
        joints_img = []
        for person in persons:
            corners = by_hand_crop_from_img(person.box_img, [[0, 0], [1, 1]])
            joints_img.append((pose_crop - corners[0]) / (corners[1] - corners[0]))
        expected = pck_by_hand(persons, joints_img)
        assert evaluation.baselines[name].metrics['pck@0.2']['mean'] == pytest.approx(expected)
    assert evaluation.baselines['mean_pose'].metrics['pck@0.2']['mean'] > 0


def test_limit_measures_the_first_batches_only(persons):
    evaluation = evaluator_of(persons, batch_size=4, limit=2).evaluate(picture_network)
    assert [person.person_id for person in evaluation.persons] == [person.person_id for person in persons[:8]]
    assert evaluator_of(persons, batch_size=4, limit=2).num_batches == 2
    assert evaluator_of(persons, batch_size=4, limit=9).num_batches == 3


class Unreadable:
    """Fails to read the images of the given persons, and reads the others."""

    def __init__(self, persons):
        self.paths = {person.image_path for person in persons}
        self.cache = ImageCache(64)

    def read_shrunk(self, path, most, packed=None):
        if path in self.paths:
            raise ImageError(f'{path}: damaged')
        return self.cache.read_shrunk(path, most)


def test_persons_without_a_readable_picture_are_left_out_of_everything(persons):
    bad = [persons[1], persons[6]]
    bad_paths = {person.image_path for person in bad}
    good = [person for person in persons if person.image_path not in bad_paths]
    evaluation = evaluator_of(persons, cache=Unreadable(bad), max_unreadable=0.5).evaluate(picture_network)
    expected = evaluator_of(good).evaluate(picture_network)
    assert [person.person_id for person in evaluation.persons] == [person.person_id for person in good]
    assert np.array_equal(evaluation.joints_img, expected.joints_img)
    assert evaluation.result.metrics == expected.result.metrics


def test_no_readable_picture_at_all_is_one_line(persons):
    evaluator = evaluator_of(persons, cache=Unreadable(persons), max_unreadable=1.0)
    with pytest.raises(ImageError, match='none of the 11 persons to evaluate has a readable image'):
        evaluator.evaluate(picture_network)


def test_headline_of_data_without_heads_is_by_torso(persons):
    without_head = np.array([name != 'head' for name in SKELETON.joints])
    evaluator = evaluator_of([replace(person, labelled=person.labelled & without_head) for person in persons])
    evaluation = evaluator.evaluate(truth_of(evaluator))
    assert evaluation.result.metrics['pckh@0.5']['mean'] is None
    assert headline_metric(evaluation.result.metrics) == 'pck@0.2'
    assert evaluation.result.metrics['pck@0.2']['mean'] == 100


def test_removed_joints_are_not_scored_but_still_measure_head_and_torso(persons):
    ends = [SKELETON.index(name) for name in ('neck', 'head', 'l_shoulder', 'r_shoulder', 'l_hip', 'r_hip')]
    whole = evaluator_of(persons).evaluate(picture_network).result
    evaluator = evaluator_of(persons)
    evaluator.generator.sample_maker.kept_joints[ends] = False
    kept = evaluator.evaluate(picture_network).result
    assert kept.head_sources == whole.head_sources and kept.torso_sources == whole.torso_sources
    assert kept.head_sources['none'] < len(persons)
    for metric in ('pckh@0.5', 'pck@0.2'):
        for joint, name in enumerate(SKELETON.joints):
            expected = None if joint in ends else whole.metrics[metric]['joints'][name]
            assert kept.metrics[metric]['joints'][name] == expected
        assert kept.metrics[metric]['mean'] is not None


@pytest.mark.parametrize('count, world_size', [(11, 2), (11, 3), (3, 3), (2, 3)])
def test_processes_that_share_the_persons_measure_what_one_process_does_bit_for_bit(persons, count, world_size):
    alone = evaluator_of(persons, 2, True, 'dark')
    alone.generator.persons = persons[:count]
    alone = alone.evaluate(picture_network)
    shares = []
    for rank in range(world_size):
        evaluator = evaluator_of(persons, 2, True, 'dark', rank=rank, world_size=world_size)
        evaluator.generator.persons = persons[:count]

        def keep_and_give_up(columns):
            shares.append(columns)
            raise KeyboardInterrupt()

        with pytest.raises(KeyboardInterrupt):
            evaluator.evaluate(picture_network, gather=keep_and_give_up)
    assert sum(len(share['indices']) for share in shares) == count
    together = evaluator.evaluate(picture_network, gather=lambda columns: shares)
    assert together.result.metrics == alone.result.metrics
    assert {name: result.metrics for name, result in together.baselines.items()} == {
        name: result.metrics for name, result in alone.baselines.items()
    }
    assert together.joints_img.tobytes() == alone.joints_img.tobytes()
    assert together.scores.tobytes() == alone.scores.tobytes() and together.scores.dtype == alone.scores.dtype
    assert [person.person_id for person in together.persons] == [person.person_id for person in persons[:count]]
