"""DataGenerator: real epochs in an order that depends on the seed alone, masks, and threads that end."""

import hashlib
import threading
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hourglass_pose.annotations.person import Person
from hourglass_pose.errors import ImageError
from hourglass_pose.input.cropping import CropRule
from hourglass_pose.input.generator import DataGenerator
from hourglass_pose.input.pixels import ImageCache
from hourglass_pose.input.samples import Sample, SampleMaker

FIELDS = ('images', 'joints_crop', 'labelled', 'joint_weights', 'mask', 'indices', 'affines_crop_from_img')


class NumberedSamples:
    """Stands in for a SampleMaker: a sample is filled with the epoch and the index it was asked for.

    bad: images that cannot be read. fail_at: index that raises KeyError. wait: longest random delay in seconds.
    """

    rule = SimpleNamespace(crop_size=4)
    kept_joints = np.ones(3, bool)
    scales = (1.0,)

    def __init__(self, bad=(), fail_at=None, wait=0.0):
        self.bad, self.fail_at, self.wait = bad, fail_at, wait
        self.asked = []

    def training_sample(self, person, epoch, index):
        self.asked.append(index)
        time.sleep(self.wait * np.random.RandomState(len(self.asked)).uniform())
        if index == self.fail_at:
            raise KeyError('a mistake in the program')
        return self._sample(person, epoch, index)

    def evaluation_sample(self, person):
        return self._sample(person, 200, int(person.person_id))

    def _sample(self, person, epoch, index):
        if person.image in self.bad:
            raise ImageError(f'{person.image_path}: damaged')
        return Sample(
            np.full((4, 4, 3), epoch, np.uint8),
            np.full((3, 2), index + 0.5),
            np.ones(3, bool),
            np.ones(3, np.float32),
            np.full((2, 3), index + 0.25),
        )


def people(count, images=None):
    """Persons '0', '1', ...; person i is on image i, or i modulo `images`."""
    names = [f'im{i % (images or count)}' for i in range(count)]
    return [
        Person(
            name, f'/photos/{name}', str(i), np.array([0.0, 0, 5, 5]), np.zeros((3, 2), np.float32), np.ones(3, bool)
        )
        for i, name in enumerate(names)
    ]


def generator_of(count, batch_size, maker=None, workers=0, **options):
    return DataGenerator(people(count), maker or NumberedSamples(), batch_size, workers=workers, **options)


def take(batches, count):
    """The first batches of an endless iterator, which is closed."""
    taken = [next(batches) for _ in range(count)]
    batches.close()
    return taken


def new_threads(before):
    return set(threading.enumerate()) - before


def assert_same_batches(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second):
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).dtype == getattr(other, name).dtype


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**31 - 1))
def test_epochs_take_every_person_once_for_any_batches_and_processes(total, batch_size, world_size, seed):
    ranks = [generator_of(total, batch_size, seed=seed, rank=rank, world_size=world_size) for rank in range(world_size)]
    steps = -(-3 * total // (batch_size * world_size))
    # The ranks' shares of a step, one after the other, are the sequence that one process would follow alone.
    size = batch_size * world_size
    sequence = [row for step in range(steps) for rank in ranks for row in rank.training_indices(step * size)]
    for epoch in range(3):
        rows = sequence[epoch * total : (epoch + 1) * total]
        assert [row[0] for row in rows] == [epoch] * total
        assert sorted(row[1] for row in rows) == list(range(total))
    alone = generator_of(total, 1, seed=seed)
    assert sequence == [row for step in range(len(sequence)) for row in alone.training_indices(step)]
    # A step can be looked up in any order.
    assert ranks[0].training_indices(0) == sequence[:batch_size]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=8), st.integers(1, 5), st.integers(1, 3))
def test_an_epoch_shows_every_person_as_often_as_it_is_asked_to(repeats, batch_size, world_size):
    total, size = sum(repeats), batch_size * world_size
    ranks = [
        generator_of(len(repeats), batch_size, rank=rank, world_size=world_size, repeats=repeats)
        for rank in range(world_size)
    ]
    assert ranks[0].steps_per_epoch == max(1, round(total / size))
    steps = -(-2 * total // size)
    rows = [row for step in range(steps) for rank in ranks for row in rank.training_indices(step * size)]
    for epoch in range(2):
        samples = [index for number, index in rows[: 2 * total] if number == epoch]
        # Every sample is another one for augmentation.
        assert sorted(samples) == list(range(total))
        persons = [ranks[0].person_index(index) for index in samples]
        assert [persons.count(person) for person in range(len(repeats))] == repeats


def test_a_repeated_person_is_changed_at_random_each_time_and_validated_once():
    data = generator_of(2, 4, repeats=[3, 1])
    batch = next(data.training_batches())
    assert sorted(batch.indices.tolist()) == [0, 0, 0, 1]
    assert sorted(data.sample_maker.asked[:4]) == [0, 1, 2, 3]
    assert [batch.indices[batch.mask > 0].tolist() for batch in data.validation_batches()] == [[0, 1]]


def test_the_order_is_the_same_on_every_machine_and_new_in_each_epoch():
    def order(seed, epoch):
        return [index for _, index in generator_of(10, 10, seed=seed).training_indices(10 * epoch)]

    # Made once; NumPy's policy freezes the streams of RandomState.
    assert order(0, 0) == [3, 7, 6, 4, 1, 0, 2, 8, 5, 9]
    assert order(0, 1) == [9, 4, 0, 8, 1, 5, 3, 2, 6, 7]
    assert order(7, 1000) == [6, 4, 1, 5, 7, 0, 9, 2, 8, 3]
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


@pytest.mark.parametrize('workers, prefetch', [(1, 1), (1, 4), (3, 2), (3, 8)])
def test_workers_change_nothing(workers, prefetch):
    # Random delays let the workers finish in any order.
    slow = generator_of(7, 3, NumberedSamples(wait=0.004), workers=workers, prefetch=prefetch)
    assert_same_batches(take(slow.training_batches(), 9), take(generator_of(7, 3).training_batches(), 9))


def test_changing_batches_and_processes_take_every_person_once_an_epoch():
    rows, position = [], 0
    for batch_size, world_size, steps in ((4, 1, 2), (2, 1, 3), (1, 3, 3), (4, 2, 3), (5, 1, 2)):
        ranks = [generator_of(11, batch_size, rank=rank, world_size=world_size) for rank in range(world_size)]
        for _ in range(steps):
            rows += [row for rank in ranks for row in rank.training_indices(position)]
            position += batch_size * world_size
    assert len(rows) == position == 57
    for epoch in range(5):
        assert sorted(rows[11 * epoch : 11 * (epoch + 1)]) == [(epoch, index) for index in range(11)]


def test_a_restart_at_any_step_continues_unchanged():
    whole = take(generator_of(7, 3).training_batches(), 9)
    generator = generator_of(7, 3, workers=2)
    for first in (8, 0, 3, 5):
        assert_same_batches(take(generator.training_batches(3 * first), 9 - first), whole[first:])


def test_batches_of_photos_are_bitwise_equal_with_any_workers(tmp_path, rng):
    persons = []
    for i in range(5):
        path = str(tmp_path / (f'{i}.jpg'))
        cv2.imwrite(path, cv2.GaussianBlur(rng.randint(0, 256, (90, 80, 3)).astype(np.uint8), (0, 0), 2))
        persons.append(
            Person(
                f'{i}.jpg',
                path,
                str(i),
                np.array([10.0, 5, 70, 80]),
                rng.uniform(10, 70, (3, 2)).astype(np.float32),
                np.array([1, 1, i % 2], bool),
            )
        )
    augmentation = dict(
        flip_prob=0.5,
        rotation_deg=30.0,
        rotation_prob=1.0,
        scale_range=0.2,
        scale_prob=1.0,
        shift_range=0.1,
        shift_prob=1.0,
        colour_range=0.2,
        colour_prob=1.0,
        occluder_size=0.4,
        occluder_prob=1.0,
    )

    def batches(workers, first, count):
        maker = SampleMaker(ImageCache(1), CropRule(64), np.array([1, 0, 2]), np.ones(3), augmentation, 4)
        return take(DataGenerator(persons, maker, 2, seed=4, workers=workers).training_batches(2 * first), count)

    expected = batches(0, 0, 6)
    digests = {hashlib.md5(batch.images.tobytes()).hexdigest() for batch in expected}
    assert len(digests) == 6 and all(batch.mask.all() for batch in expected)
    for workers in (1, 3):
        assert_same_batches(batches(workers, 0, 6), expected)
        assert_same_batches(batches(workers, 4, 2), expected[4:])


def test_rows_hold_the_samples_of_their_persons():
    generator = generator_of(5, 4, workers=2, rank=1, world_size=2)
    for step, batch in enumerate(take(generator.training_batches(), 4)):
        epochs, indices = np.array(generator.training_indices(8 * step)).T
        np.testing.assert_array_equal(batch.indices, indices)
        np.testing.assert_array_equal(batch.images, np.tile(epochs[:, None, None, None], (1, 4, 4, 3)))
        np.testing.assert_array_equal(batch.joints_crop[:, 0, 0], indices + 0.5)
        np.testing.assert_array_equal(batch.affines_crop_from_img[:, 0, 0], indices + 0.25)
        assert batch.images.dtype == np.uint8 and batch.joint_weights.dtype == batch.mask.dtype == np.float32
        assert batch.mask.all() and batch.joint_weights.all() and batch.labelled.all()


@pytest.mark.parametrize('count, batch_size, world_size', [(7, 3, 1), (7, 2, 2), (1, 4, 3), (8, 4, 2), (9, 4, 2)])
@pytest.mark.parametrize('workers', [0, 2])
def test_validation_takes_every_person_once_over_the_ranks_in_full_batches(count, batch_size, world_size, workers):
    seen = []
    for rank in range(world_size):
        generator = generator_of(count, batch_size, workers=workers, rank=rank, world_size=world_size)
        batches = list(generator.validation_batches())
        # Every rank takes part in every step, so that none waits for another at the end.
        assert len(batches) == generator.num_validation_batches == -(-count // (batch_size * world_size))
        for batch in batches:
            assert batch.images.shape == (batch_size, 4, 4, 3) and batch.joints_crop.shape == (batch_size, 3, 2)
            padding = batch.mask == 0
            assert not (
                batch.images[padding].any() or batch.labelled[padding].any() or batch.joint_weights[padding].any()
            )
            assert np.isfinite(np.linalg.inv(batch.affines_crop_from_img[:, :, :2][padding])).all()
            np.testing.assert_array_equal(batch.joints_crop[~padding][:, 0, 0], batch.indices[~padding] + 0.5)
            seen.extend(batch.indices[~padding])
        assert_same_batches(list(generator.validation_batches()), batches)
    assert sorted(seen) == list(range(count))


def test_validation_may_be_cut_short():
    generator = generator_of(9, 2)
    assert_same_batches(list(generator.validation_batches(3)), list(generator.validation_batches())[:3])


def test_a_data_set_smaller_than_a_batch_is_repeated_in_real_epochs():
    (batch,) = take(generator_of(3, 8).training_batches(), 1)
    assert np.bincount(batch.indices[:6]).tolist() == [2, 2, 2]
    assert batch.images[:, 0, 0, 0].tolist() == [0, 0, 0, 1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    'count, batch_size, world_size, steps',
    [(100, 10, 1, 10), (104, 10, 1, 10), (106, 10, 1, 11), (100, 10, 4, 2), (3, 10, 1, 1)],
)
def test_steps_of_an_epoch_come_nearest_to_once_through(count, batch_size, world_size, steps):
    assert generator_of(count, batch_size, world_size=world_size).steps_per_epoch == steps


@pytest.mark.parametrize('workers', [0, 2])
def test_an_unreadable_image_is_named_once_counted_and_masked(workers):
    messages = []
    # Persons 1 and 5 are both on image 1 of 4.
    generator = DataGenerator(
        people(8, images=4),
        NumberedSamples(bad=('im1',)),
        3,
        workers=workers,
        max_unreadable=0.25,
        on_unreadable=messages.append,
    )
    for batches in (take(generator.training_batches(), 16), list(generator.validation_batches())):
        for batch in batches:
            lost = np.isin(batch.indices, [1, 5])
            assert not (
                batch.mask[lost].any()
                or batch.images[lost].any()
                or batch.joint_weights[lost].any()
                or batch.labelled[lost].any()
            )
        rows = np.concatenate([batch.mask for batch in batches])
        # 16 batches of training are 6 epochs, the pass of validation is one, padded by a row.
        assert rows.sum() == {48: 36, 9: 6}[len(rows)]
    assert messages == ['/photos/im1: damaged'] and len(generator.unreadable) == 1


@pytest.mark.parametrize('workers', [0, 2])
def test_more_unreadable_images_than_allowed_stop_the_run(workers):
    messages = []
    generator = generator_of(
        10, 5, NumberedSamples(bad=('im2', 'im4', 'im7')), workers, max_unreadable=0.25, on_unreadable=messages.append
    )
    before = set(threading.enumerate())
    batches = generator.training_batches()
    with pytest.raises(ImageError, match=r'^3 of 10 images .*/photos/im[247]: damaged.*max_unreadable \(now 0\.25\)'):
        for _ in range(2):
            next(batches)
    assert len(messages) == len(set(messages)) == 3 and not new_threads(before)
    # It is no better a second time.
    with pytest.raises(ImageError, match='3 of 10'):
        list(generator.validation_batches())
    assert len(messages) == 3


def test_the_limit_counts_images_not_persons():
    # One image of 4 is a quarter, however many of the 8 persons are on it.
    generator = DataGenerator(people(8, images=4), NumberedSamples(bad=('im1',)), 8, workers=0, max_unreadable=0.2)
    with pytest.raises(ImageError, match='^1 of 4 images'):
        next(generator.training_batches())


def pass_of_ranks(bad, world_size, max_unreadable, count=400):
    """Let each rank validate its share of persons, some on unreadable images; return how many were stopped."""
    stopped = 0
    for rank in range(world_size):
        generator = generator_of(
            count,
            5,
            NumberedSamples(bad=[f'im{index}' for index in bad]),
            max_unreadable=max_unreadable,
            rank=rank,
            world_size=world_size,
        )
        try:
            list(generator.validation_batches())
        except ImageError:
            stopped += 1
    return stopped


def test_unreadable_images_are_a_share_of_those_of_the_whole_job(rng):
    # Each of 8 ranks opens 50 of the 400 images. Counted alone, a rank would let 8 times the share pass.
    order = rng.permutation(400)
    assert pass_of_ranks(order[:60], 8, 0.05)  # three times as many as allowed
    assert pass_of_ranks(order[:15], 8, 0.05) == 0
    # One bad image that falls to one rank is no reason to stop.
    assert pass_of_ranks([7], 8, 0.01) == 0
    # A process alone counts exactly.
    assert pass_of_ranks(range(20), 1, 0.05) == 0 and pass_of_ranks(range(21), 1, 0.05) == 1


@pytest.mark.parametrize('batch_size, prefetch, workers', [(16, 1, 12), (2, 4, 8), (1, 1, 6)])
def test_as_many_samples_are_in_the_making_as_there_are_threads(batch_size, prefetch, workers):
    maker, together = NumberedSamples(), threading.Barrier(workers)

    def wait_for_all(person, epoch, index):
        if len(maker.asked) < workers:
            maker.asked.append(index)
            together.wait(20)
        return maker._sample(person, epoch, index)

    maker.training_sample = wait_for_all
    # A barrier that is broken by its timeout raises in the worker, and so here.
    batches = take(generator_of(50, batch_size, maker, workers=workers, prefetch=prefetch).training_batches(), 2)
    assert len(maker.asked) >= workers and batches[0].mask.all()


def test_opencvs_threads_are_off_only_while_batches_are_made():
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(3)
        generator = generator_of(8, 2, workers=2)
        assert cv2.getNumThreads() == 3
        batches = generator.training_batches()
        next(batches)
        assert cv2.getNumThreads() == 1
        list(generator.validation_batches())
        assert cv2.getNumThreads() == 1
        batches.close()
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)


def test_a_data_set_of_unreadable_images_does_not_loop():
    with pytest.raises(ImageError, match='1 of 2'):
        next(generator_of(2, 1, NumberedSamples(bad=('im0', 'im1'))).training_batches())
    all_allowed = generator_of(2, 4, NumberedSamples(bad=('im0', 'im1')), max_unreadable=1.0)
    assert not next(all_allowed.training_batches()).mask.any()


@pytest.mark.parametrize('workers', [0, 1, 3])
def test_a_mistake_in_a_worker_reaches_the_caller(workers):
    before = set(threading.enumerate())
    batches = generator_of(6, 2, NumberedSamples(fail_at=4), workers).training_batches()
    with pytest.raises(KeyError, match='a mistake in the program'):
        for _ in range(3):
            next(batches)
    assert not new_threads(before)


def test_threads_end_with_the_iterator():
    before = set(threading.enumerate())
    generator = generator_of(20, 2, NumberedSamples(wait=0.002), workers=3)
    batches = generator.training_batches()
    next(batches)
    assert 1 <= len(new_threads(before)) <= 3
    batches.close()
    assert not new_threads(before)
    list(generator.validation_batches())
    assert not new_threads(before)


@pytest.mark.parametrize('prefetch', [1, 3])
def test_no_more_than_prefetch_batches_are_prepared_ahead(prefetch):
    maker = NumberedSamples()
    batches = generator_of(50, 2, maker, workers=2, prefetch=prefetch).training_batches()
    for taken in range(1, 4):
        next(batches)
        deadline = time.time() + 5
        while len(maker.asked) < 2 * (taken + prefetch) and time.time() < deadline:
            time.sleep(0.001)
        assert len(maker.asked) == 2 * (taken + prefetch)
    batches.close()


def test_two_iterators_of_one_generator_do_not_disturb_each_other():
    generator = generator_of(5, 2, workers=1)
    near, far = generator.training_batches(), generator.training_batches(80)
    mixed = [(next(near), next(far)) for _ in range(6)]
    near.close()
    far.close()
    for start, batches in zip((0, 80), zip(*mixed)):
        assert_same_batches(list(batches), take(generator_of(5, 2).training_batches(start), 6))


@pytest.mark.parametrize('options', [{'rank': 2, 'world_size': 2}, {'rank': -1}, {'batch_size': 0}, {'persons': []}])
def test_impossible_settings_are_named(options):
    name = next(iter(options))
    with pytest.raises(ValueError, match=name):
        DataGenerator(**dict({'persons': people(3), 'sample_maker': NumberedSamples(), 'batch_size': 2}, **options))
