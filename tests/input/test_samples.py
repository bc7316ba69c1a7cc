"""Samples: crop and joints of a person agree with each other, and images are decoded once."""

import threading

import cv2
import numpy as np
import pytest

from hourglass_pose.annotations.person import Person
from hourglass_pose.errors import ImageError
from hourglass_pose.geometry import transform_points
from hourglass_pose.images import read_image
from hourglass_pose.input import cropping, pixels
from hourglass_pose.input.augmentations import table
from hourglass_pose.input.augmentations.base import Augmentation, Change, View, sample_rng
from hourglass_pose.input.augmentations.views import sample_view
from hourglass_pose.input.cropping import CropRule
from hourglass_pose.input.pixels import ImageCache
from hourglass_pose.input.samples import SampleMaker
from hourglass_pose.skeleton import Skeleton
from mirrored import flip_points

SKELETON = Skeleton(('r_wrist', 'l_wrist', 'neck', 'r_knee', 'l_knee'))
COLOURS = np.array([[250, 0, 0], [0, 0, 250], [0, 250, 0], [250, 250, 0], [0, 250, 250]])
JOINTS = np.array([[40, 60], [90, 50], [64, 30], [50, 100], [0, 0]], np.float32)
LABELLED = np.array([1, 1, 1, 1, 0], bool)
RULE = CropRule(96, box_margin=0.2)
VIEWS = dict(
    flip_prob=0.5,
    rotation_deg=40.0,
    rotation_prob=1.0,
    scale_range=0.2,
    scale_prob=1.0,
    shift_range=0.05,
    shift_prob=1.0,
)
WILD = dict(VIEWS, colour_range=0.2, colour_prob=1.0, occluder_size=0.3, occluder_prob=1.0)


@pytest.fixture
def person(tmp_path):
    """A person of five discs, each in the colour of its joint; the last joint is hidden."""
    photo = np.zeros((140, 130, 3), np.uint8)
    for joint in np.flatnonzero(LABELLED):
        cv2.circle(photo, tuple(int(value) for value in JOINTS[joint]), 6, COLOURS[joint].tolist(), -1)
    path = str(tmp_path / 'discs.png')
    cv2.imwrite(path, photo[:, :, ::-1])
    return Person('discs.png', path, 'discs.pngA', np.array([20.0, 15, 110, 115]), JOINTS, LABELLED)


def maker_of(ranges=None, kept=(1, 1, 1, 1, 1), seed=0, rule=RULE, **options):
    return SampleMaker(ImageCache(10), rule, SKELETON.flip_permutation, kept, ranges, seed, **options)


def colours_at(sample, joints):
    """Colours of the crop at some joints of it, (n, 3)."""
    x, y = np.rint(sample.joints_crop[joints]).astype(int).T
    return sample.crop[y, x]


def assert_equal(first, second):
    for name in ('crop', 'joints_crop', 'labelled', 'joint_weights', 'affine_crop_from_img'):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_an_evaluation_sample_shows_each_joint_where_it_says(person):
    sample = maker_of(WILD).evaluation_sample(person)
    assert sample.crop.shape == (96, 96, 3) and sample.joints_crop.shape == (5, 2)
    np.testing.assert_array_equal(sample.labelled, LABELLED)
    np.testing.assert_array_equal(sample.joint_weights, LABELLED)
    np.testing.assert_array_equal(sample.affine_crop_from_img, RULE.evaluation_affine(person.box_img))
    np.testing.assert_array_equal(sample.joints_crop, transform_points(sample.affine_crop_from_img, JOINTS))
    np.testing.assert_array_equal(colours_at(sample, LABELLED), COLOURS[LABELLED])


def test_evaluation_uses_the_box_for_any_training_crop(person):
    by_joints = maker_of(WILD, rule=CropRule(96, 0.2, 'joints'))
    assert_equal(by_joints.evaluation_sample(person), maker_of().evaluation_sample(person))
    assert not np.array_equal(
        by_joints.training_sample(person, 0, 0).affine_crop_from_img,
        maker_of(WILD).training_sample(person, 0, 0).affine_crop_from_img,
    )


def test_a_mirrored_sample_exchanges_left_and_right(person):
    plain = maker_of().training_sample(person, 0, 0)
    mirrored = maker_of(dict(flip_prob=1.0)).training_sample(person, 0, 0)
    assert_equal(plain, maker_of().evaluation_sample(person))
    np.testing.assert_array_equal(mirrored.crop, plain.crop[:, ::-1])
    np.testing.assert_allclose(mirrored.joints_crop, flip_points(plain.joints_crop, 96, SKELETON.flip_permutation))
    # The hidden left knee becomes the right one; what is seen as the right wrist was the left one.
    np.testing.assert_array_equal(mirrored.joint_weights, [1, 1, 1, 0, 1])
    np.testing.assert_array_equal(colours_at(mirrored, [0, 1, 2, 4]), COLOURS[[1, 0, 2, 3]])


@pytest.mark.parametrize('index', range(8))
def test_crop_and_joints_of_any_view_agree(person, index):
    sample = maker_of(VIEWS, seed=3).training_sample(person, 2, index)
    view = sample_view(sample_rng(3, 2, index), VIEWS)
    np.testing.assert_array_equal(sample.affine_crop_from_img, RULE.training_affine(person, view))
    order = SKELETON.flip_permutation if view.flip else np.arange(5)
    shown = sample.joint_weights > 0
    assert shown.sum() == 4
    np.testing.assert_array_equal(colours_at(sample, shown), COLOURS[order][shown])
    img_from_crop = np.linalg.inv(np.vstack([sample.affine_crop_from_img, [0, 0, 1]]))[:2]
    np.testing.assert_allclose(transform_points(img_from_crop, sample.joints_crop), JOINTS[order], atol=1e-9)


def test_a_sample_follows_from_seed_epoch_and_index_alone(person):
    sample = maker_of(WILD, seed=1).training_sample(person, 2, 3)
    maker = maker_of(WILD, seed=1)
    others = [maker.training_sample(person, epoch, index) for epoch, index in ((2, 4), (3, 3), (0, 0))]
    others.append(maker_of(WILD, seed=2).training_sample(person, 2, 3))
    assert_equal(maker.training_sample(person, 2, 3), sample)
    assert not any(np.array_equal(other.crop, sample.crop) for other in others)


def test_pixels_are_changed_in_the_order_of_the_table_and_in_training_only(person, monkeypatch):
    order = []

    def noting(name):
        return Augmentation((), lambda rng, values: Change(pixels=lambda crop: order.append(name) or crop))

    monkeypatch.setattr(table, 'AUGMENTATIONS', (noting('first'), noting('second')))
    maker_of(WILD).training_sample(person, 0, 0)
    maker_of(WILD).evaluation_sample(person)
    assert order == ['first', 'second']


def test_joints_that_are_not_kept_have_no_weight(person):
    for flip_prob in (0.0, 1.0):
        maker = maker_of(dict(flip_prob=flip_prob), kept=(0, 1, 0, 1, 1))
        for sample in (maker.training_sample(person, 0, 0), maker.evaluation_sample(person)):
            assert not sample.joint_weights[[0, 2]].any() and sample.joint_weights[1] == 1
            np.testing.assert_array_equal(sample.labelled, sample.joint_weights > 0)


def test_without_weighted_loss_missing_joints_have_weight_in_training_only(person):
    maker = maker_of(kept=(1, 1, 0, 1, 1), weighted_loss=False)
    sample = maker.training_sample(person, 0, 0)
    np.testing.assert_array_equal(sample.joint_weights, np.array([1, 1, 0, 1, 1], np.float32))
    np.testing.assert_array_equal(sample.labelled, [True, True, False, True, False])
    np.testing.assert_array_equal(maker.evaluation_sample(person).joint_weights, [1, 1, 0, 1, 0])


def test_a_joint_outside_the_crop_has_no_weight(person):
    shifted = maker_of(dict(shift_range=0.5, shift_prob=1.0))
    lost = 0
    for index in range(20):
        sample = shifted.training_sample(person, 0, index)
        inside = np.all((sample.joints_crop >= -0.5) & (sample.joints_crop < 95.5), axis=1)
        np.testing.assert_array_equal(sample.joint_weights > 0, inside & LABELLED)
        lost += (LABELLED & ~inside).sum()
    assert lost


@pytest.fixture
def reads(monkeypatch):
    """Paths that were decoded; images are 1 MB each, and one named `bad` cannot be read."""
    paths = []

    def read_shrunk_image(path, most):
        paths.append(path)
        if 'bad' in path:
            raise ImageError(f'{path}: damaged')
        return np.full((2**20 // 12, 4, 3), len(path), np.uint8), 1

    monkeypatch.setattr(pixels, 'read_shrunk_image', read_shrunk_image)
    return paths


def test_the_cache_keeps_what_fits_and_evicts_nothing(reads):
    cache = ImageCache(capacity_mb=2)
    first = cache.read('a')
    for path in ('bb', 'ccc', 'ccc', 'a', 'bb', 'dddd', 'a'):
        assert (cache.read(path) == len(path)).all()
    assert cache.read('a') is first
    assert reads == ['a', 'bb', 'ccc', 'ccc', 'dddd']
    assert ImageCache().read('a') is not ImageCache().read('a')


def test_an_unreadable_image_is_opened_once_and_named_each_time(reads):
    cache = ImageCache()
    for _ in range(3):
        with pytest.raises(ImageError, match='bad1: damaged'):
            cache.read('bad1')
    assert reads == ['bad1'] and cache.unreadable == {'bad1': 'bad1: damaged'}
    with pytest.raises(ImageError):
        cache.read('bad2')
    assert sorted(cache.unreadable) == ['bad1', 'bad2']


def test_an_image_that_several_threads_decode_at_once_is_cached_once(reads, monkeypatch):
    cache = ImageCache(capacity_mb=3)
    decode, together = pixels.read_shrunk_image, threading.Barrier(6)

    def read_shrunk_image(path, most):
        if path == 'a':
            together.wait(10)
        return decode(path, most)

    monkeypatch.setattr(pixels, 'read_shrunk_image', read_shrunk_image)
    threads = [threading.Thread(target=cache.read, args=('a',)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reads == ['a'] * 6
    for _ in range(2):
        for path in ('a', 'bb', 'ccc'):
            cache.read(path)
    assert reads == ['a'] * 6 + ['bb', 'ccc']


def test_a_plain_view_is_the_default(person):
    np.testing.assert_array_equal(
        maker_of().training_sample(person, 5, 6).affine_crop_from_img, RULE.training_affine(person, View())
    )


def test_an_image_that_cannot_be_shrunk_is_cached_once(reads):
    cache = ImageCache(capacity_mb=2)
    for most in (4, 1, 2, 8):
        image, shrink = cache.read_shrunk('a', most)
        assert shrink == 1 and image is cache.read('a')
    assert reads == ['a']


@pytest.fixture
def large_person(tmp_path, rng):
    """A person whose crop of 96 pixels has 5.2 photo pixels a crop pixel, in a JPEG with structure of all sizes."""
    photo = sum(
        cv2.resize(rng.uniform(0, 60, (int(600 / size), int(700 / size), 3)), (700, 600), interpolation=cv2.INTER_CUBIC)
        for size in (3, 9, 27, 81)
    )
    path = str(tmp_path / 'large.jpg')
    cv2.imwrite(path, np.clip(photo, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 92])
    return Person('large.jpg', path, 'large.jpgA', np.array([160.0, 120, 516, 476]), 4 * JOINTS + 60, LABELLED)


def test_training_decodes_no_more_than_the_crop_needs_and_shows_the_same(large_person, monkeypatch):
    maker = maker_of(dict(VIEWS, rotation_deg=180.0, scale_range=0.5))
    decoded = []

    def read_shrunk(path, most, packed=None):
        decoded.append(ImageCache.read_shrunk(maker.cache, path, most, packed))
        return decoded[-1]

    monkeypatch.setattr(maker.cache, 'read_shrunk', read_shrunk)
    enlarged = set()
    for index in range(24):
        sample = maker.training_sample(large_person, 0, index)
        affine = sample.affine_crop_from_img
        photo_pixels = np.sqrt(1 / abs(np.linalg.det(affine[:, :2])))
        shrink = decoded[-1][1]
        # What is decoded is enlarged by an eighth at most.
        assert shrink <= photo_pixels * 9 / 8 < 2 * shrink or shrink == 8
        enlarged.add((shrink, bool(photo_pixels < shrink)))
        full = cropping.warp_crop(read_image(large_person.image_path), affine, 96).astype(int)
        # The decoder's low-pass differs from the mean of blocks by a few levels, and moves nothing: without the half
        # pixels the crops would be apart by 0.3 pixels and more, and their shift is found to about 0.05.
        assert np.abs(sample.crop - full).mean() < 6
        window = cv2.createHanningWindow((96, 96), cv2.CV_64F)
        shift, _ = cv2.phaseCorrelate(full.mean(axis=-1), sample.crop.mean(axis=-1), window)
        assert np.abs(shift).max() < 0.2
    assert len({shrink for shrink, _ in enlarged}) > 1 and True in {is_enlarged for _, is_enlarged in enlarged}


def test_the_cache_does_not_change_samples(large_person):
    cold = [maker_of(WILD).training_sample(large_person, 0, index) for index in range(6)]
    maker = maker_of(WILD)
    maker.cache.read(large_person.image_path)
    for index in (5, 0, 3, 1, 4, 2):
        assert_equal(maker.training_sample(large_person, 0, index), cold[index])


def test_evaluation_decodes_in_full(large_person):
    sample = maker_of().evaluation_sample(large_person)
    photo = cv2.imread(large_person.image_path)[:, :, ::-1]
    np.testing.assert_array_equal(sample.crop, cropping.warp_crop(photo, sample.affine_crop_from_img, 96))
