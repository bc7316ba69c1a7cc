"""The measure of the person output: accuracy and AUC as defined, and the same crops every time."""

import numpy as np
import pytest

from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.evaluation.person_output import measure_person_output, person_measure
from hourglass_pose.input.cropping import CropRule
from hourglass_pose.input.generator import DataGenerator
from hourglass_pose.input.pixels import ImageCache
from hourglass_pose.input.samples import SampleMaker
from hourglass_pose.skeleton import Skeleton

SKELETON, SIZE = Skeleton(), 64


def test_auc_is_the_share_of_pairs_in_the_right_order_and_accuracy_that_of_crops(rng):
    targets = rng.randint(2, size=60)
    # Few values, so that many are equal.
    logits = np.round(rng.normal(size=60) + targets, 1)
    pairs = [(high > low) + 0.5 * (high == low) for high in logits[targets == 1] for low in logits[targets == 0]]
    found = person_measure(logits, targets)
    assert found.auc == pytest.approx(100 * np.mean(pairs))
    assert found.accuracy == pytest.approx(100 * np.mean([(x > 0) == bool(t) for x, t in zip(logits, targets)]))
    assert (found.positives, found.negatives) == (targets.sum(), 60 - targets.sum())
    assert f'{found.auc:.1f} %' in found.line() and found.as_dict()['auc'] == found.auc


def test_one_kind_of_crops_has_no_auc():
    assert person_measure(np.array([1.0, -1.0]), np.ones(2)).auc is None
    nothing = person_measure(np.zeros(0), np.zeros(0))
    assert nothing.accuracy is None and 'not measured' in nothing.line()


@pytest.fixture(scope='module')
def generator_of(synthetic_people):
    folder = synthetic_people.replace('dataset.txt', 'images')
    persons = read_annotations([synthetic_people], [folder], len(SKELETON)).persons
    cache = ImageCache(64)

    def make(**options):
        maker = SampleMaker(cache, CropRule(SIZE), SKELETON.flip_permutation, np.ones(len(SKELETON), bool))
        return DataGenerator(persons, maker, **dict(dict(batch_size=4, workers=0), **options))

    return make


def mean_of_colours(crops):
    return crops.reshape(len(crops), -1).mean(axis=1) - 100.0


def test_crops_are_the_same_every_time_in_any_batches_and_any_number_of_processes(generator_of):
    total = len(generator_of().persons)
    alone = measure_person_output(generator_of(batch_size=total), mean_of_colours)
    assert alone.positives + alone.negatives <= total
    # Half of the crops, within four standard deviations.
    assert abs(alone.negatives - total / 2) <= 4 * np.sqrt(total) / 2 and alone.positives
    # The last batch of the second size reaches into the next epoch.
    for batch_size in (total, total // 2 + 1):
        assert measure_person_output(generator_of(batch_size=batch_size), mean_of_colours) == alone
    columns = []
    for rank in (0, 1):
        measure_person_output(
            generator_of(batch_size=total // 3, rank=rank, world_size=2),
            mean_of_colours,
            lambda found: columns.append(found) or [found],
        )
    together = {name: np.concatenate([share[name] for share in columns]) for name in ('logits', 'targets')}
    assert person_measure(together['logits'], together['targets']) == alone


def test_a_network_that_knows_the_label_has_full_marks_and_the_limit_counts_batches(generator_of):
    seen = []

    def knows(crops):
        seen.append(len(crops))
        return np.array([1.0 if labels[crop.tobytes()] else -1.0 for crop in crops])

    from hourglass_pose.evaluation.person_output import _mixed

    mixed = _mixed(generator_of())
    labels = {}
    for step in range(mixed.num_validation_batches):
        batch = mixed.training_batch(step * 4)
        labels.update((crop.tobytes(), label[0]) for crop, label in zip(batch.images, batch.person_labels))
    found = measure_person_output(generator_of(), knows)
    assert (found.accuracy, found.auc) == (100.0, 100.0)
    del seen[:]
    limited = measure_person_output(generator_of(), knows, limit=2)
    assert seen == [4, 4] and limited.positives + limited.negatives <= 8
