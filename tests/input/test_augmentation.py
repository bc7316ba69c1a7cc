"""Augmentation: samples follow from (seed, epoch, index), keep to their ranges, and stay in uint8."""

import math
import zlib
from dataclasses import astuple, replace

import numpy as np
import pytest

from hourglass_pose.input.augmentations import table
from hourglass_pose.input.augmentations.base import Augmentation, Change, Setting, View, sample_rng
from hourglass_pose.input.augmentations.colours import COLOURS
from hourglass_pose.input.augmentations.occluders import OCCLUDERS
from hourglass_pose.input.augmentations.table import AUGMENTATIONS, SETTINGS, sample_change
from hourglass_pose.input.augmentations.views import sample_view


def values_of(**given):
    """Values of all settings: 0 for those that are not given."""
    return dict({setting.name: 0.0 for setting in SETTINGS}, **given)


def change_colours(crop, rng, values):
    return COLOURS.sample(rng, values).pixels(crop)


def occlude(crop, rng, values):
    return OCCLUDERS.sample(rng, values).pixels(crop)


def no_joints():
    return np.zeros((0, 2))


RANGES = values_of(
    flip_prob=0.5,
    rotation_deg=30.0,
    rotation_prob=0.6,
    scale_range=0.25,
    scale_prob=0.9,
    shift_range=0.05,
    shift_prob=0.3,
    colour_range=0.2,
    colour_prob=0.8,
    occluder_size=0.5,
    occluder_prob=0.4,
)
ALWAYS = dict(
    RANGES, flip_prob=1.0, rotation_prob=1.0, scale_prob=1.0, shift_prob=1.0, colour_prob=1.0, occluder_prob=1.0
)
NEVER = values_of()
CROP = (np.arange(40 * 40 * 3) % 251).astype(np.uint8).reshape(40, 40, 3)
SAMPLES = 1500

# Made once; NumPy's policy freezes the streams of RandomState, so every machine and version has to repeat them.
GOLDEN = [
    (
        (0, 0, 0),
        (26.860612460141375, 1.01949302373525, 0.03849244616759911, -0.033629610835714085, True),
        4183800998,
        1556722256,
        0.37636411727295416,
    ),
    (
        (2147483647, 99, 1000000),
        (29.71489094698278, 0.7513305541136358, 0, 0, True),
        109256537,
        877969957,
        0.5627850524355682,
    ),
]


@pytest.fixture(scope='module')
def views():
    """Columns rotation_deg, scale, shift_x, shift_y, flip of many views."""
    return np.array([astuple(sample_view(sample_rng(5, 0, index), RANGES)) for index in range(SAMPLES)], np.float64)


def within_binomial_bounds(count, probability):
    """Five standard deviations of a binomial count: exceeded by chance once in 1.7 million."""
    return abs(count - SAMPLES * probability) <= 5 * math.sqrt(SAMPLES * probability * (1 - probability))


def bounding_rectangle(changed):
    """(x0, y0, x1, y1), ends exclusive, of the true pixels of a mask (H, W)."""
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


@pytest.mark.parametrize('key, view, colours, occluded, following', GOLDEN)
def test_samples_are_the_same_on_every_machine(key, view, colours, occluded, following):
    rng = sample_rng(*key)
    ranges = dict(RANGES, rotation_prob=1.0, scale_prob=1.0, shift_prob=0.5, colour_prob=1.0, occluder_prob=1.0)
    assert astuple(sample_view(rng, ranges)) == pytest.approx(view, rel=1e-12, abs=1e-12)
    crop = change_colours(CROP, rng, ranges)
    assert zlib.crc32(crop.tobytes()) == colours
    assert zlib.crc32(occlude(crop, rng, ranges).tobytes()) == occluded
    assert rng.uniform() == following


@pytest.mark.parametrize('index', range(10))
def test_a_view_is_bit_for_bit_that_of_uniform_numbers_in_turn(index):
    rng = sample_rng(3, 1, index)
    happens, changes = rng.uniform(size=4), rng.uniform(-1, 1, size=4)
    flip, rotates, scales, shifts = happens < [
        RANGES[f'{name}_prob'] for name in ('flip', 'rotation', 'scale', 'shift')
    ]
    rotation, scale, shift_x, shift_y = changes * [
        RANGES[name] for name in ('rotation_deg', 'scale_range', 'shift_range', 'shift_range')
    ]
    expected = View(rotates * rotation, 1.0 + scales * scale, shifts * shift_x, shifts * shift_y, flip)
    assert sample_view(sample_rng(3, 1, index), RANGES) == expected


def test_seed_epoch_and_index_each_change_the_samples():
    keys = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (2, 0, 0), (0, 2, 0), (0, 0, 2)]
    sampled = {astuple(sample_view(sample_rng(*key), ALWAYS)) for key in keys}
    assert len(sampled) == len(keys)


def test_each_sample_takes_the_same_numbers_from_the_generator():
    following = []
    for ranges in (NEVER, RANGES, ALWAYS):
        rng = sample_rng(1, 2, 3)
        steps = []
        for step in (
            lambda: sample_view(rng, ranges),
            lambda: change_colours(CROP, rng, ranges),
            lambda: occlude(CROP, rng, ranges),
        ):
            step()
            steps.append(rng.get_state()[1:3])
        following.append([(keys.tolist(), place) for keys, place in steps])
    assert following[0] == following[1] == following[2]


def test_defaults_change_nothing(rng):
    assert sample_view(rng, NEVER) == View()
    np.testing.assert_array_equal(occlude(change_colours(CROP, rng, NEVER), rng, NEVER), CROP)


def test_each_augmentation_has_its_probability(views):
    rotation, scale, shift_x, shift_y, flip = views.T
    assert within_binomial_bounds(flip.sum(), 0.5)
    assert within_binomial_bounds((rotation != 0).sum(), 0.6)
    assert within_binomial_bounds((scale != 1).sum(), 0.9)
    assert within_binomial_bounds((shift_x != 0).sum(), 0.3)
    np.testing.assert_array_equal(shift_x != 0, shift_y != 0)
    # Independent of each other: the product of the probabilities.
    assert within_binomial_bounds(((rotation != 0) & (flip > 0)).sum(), 0.3)


@pytest.mark.parametrize(
    'column, middle, reach, probability', [(0, 0, 30, 0.6), (1, 1, 0.25, 0.9), (2, 0, 0.05, 0.3), (3, 0, 0.05, 0.3)]
)
def test_values_are_uniform_over_the_whole_range(views, column, middle, reach, probability):
    shares = (views[:, column] - middle) / reach
    sampled = np.sort(shares[np.abs(shares) > 1e-12])
    assert sampled[0] >= -1 and sampled[-1] <= 1
    # Kolmogorov and Smirnov: the largest distance of the two distribution functions exceeds 2.7 / sqrt(n) by chance
    # with probability 2 exp(-2 * 2.7^2) = 1e-6.
    uniform = (sampled + 1) / 2
    assert np.abs(uniform - np.arange(len(sampled)) / len(sampled)).max() < 2.7 / math.sqrt(len(sampled))


def test_shifts_in_x_and_in_y_are_independent(views):
    sampled = views[views[:, 2] != 0]
    assert abs(np.corrcoef(sampled[:, 2], sampled[:, 3])[0, 1]) < 5 / math.sqrt(len(sampled))


@pytest.mark.parametrize('index', range(6))
@pytest.mark.parametrize('reach', [0.0, 0.2, 1.0])
def test_colours_are_gain_then_contrast_about_grey_then_brightness(index, reach):
    ramp = np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (2, 1, 3))
    before = ramp.copy()
    changed = change_colours(ramp, sample_rng(0, 0, index), values_of(colour_range=reach, colour_prob=1.0))
    stream = sample_rng(0, 0, index)
    stream.uniform()
    gains, contrast, brightness = np.split(stream.uniform(-1, 1, 5) * reach, [3, 4])
    expected = (ramp * (1 + gains) - 127.5) * (1 + contrast) + 127.5 + brightness * 255 / 2
    assert changed.dtype == np.uint8 and changed.shape == ramp.shape
    assert np.abs(changed - np.clip(expected, 0, 255)).max() <= 0.5 + 1e-9
    np.testing.assert_array_equal(ramp, before)


def test_occluder_is_a_noisy_rectangle_within_its_size():
    height, width, share = 60, 120, 0.5
    crop = np.zeros((height, width, 3), np.uint8)
    ranges = values_of(occluder_size=share, occluder_prob=1.0)
    rectangles = []
    for index in range(200):
        occluded = occlude(crop, sample_rng(3, 0, index), ranges)
        assert occluded.dtype == np.uint8 and occluded.shape == crop.shape and not crop.any()
        changed = occluded.any(axis=-1)
        x0, y0, x1, y1 = bounding_rectangle(changed)
        # Where it is rendered it is dense: only noise that clips to black in all three channels leaves a hole.
        assert changed[y0:y1, x0:x1].mean() > 0.5
        rectangles.append((x0, y0, x1, y1))
    x0, y0, x1, y1 = np.array(rectangles).T
    # Both ends are rounded, each by half a pixel at most.
    assert (x1 - x0).max() <= share * width + 1 and (y1 - y0).max() <= share * height + 1
    inner = (x0 > 0) & (y0 > 0) & (x1 < width) & (y1 < height)
    assert (x1 - x0)[inner].min() >= 0.3 * share * width - 1 and (y1 - y0)[inner].min() >= 0.3 * share * height - 1
    # Every position is hit: the centres are uniform over the crop.
    assert x0.min() == y0.min() == 0 and x1.max() == width and y1.max() == height


def test_occluder_of_size_zero_hides_nothing():
    for index in range(20):
        occluded = occlude(CROP, sample_rng(0, 0, index), values_of(occluder_prob=1.0))
        np.testing.assert_array_equal(occluded, CROP)


def test_colours_and_occluders_have_their_probabilities():
    small = np.full((8, 8, 3), 90, np.uint8)
    coloured = occluded = 0
    for index in range(SAMPLES):
        rng = sample_rng(8, 0, index)
        sample_view(rng, RANGES)
        coloured += change_colours(small, rng, RANGES) is not small
        occluded += occlude(small, rng, RANGES) is not small
    assert within_binomial_bounds(coloured, RANGES['colour_prob'])
    assert within_binomial_bounds(occluded, RANGES['occluder_prob'])


def test_all_of_the_table_are_sampled_from_one_stream_in_its_order():
    change = sample_change(5, 1, 7, ALWAYS)
    rng = sample_rng(5, 1, 7)
    assert change.view(View(), no_joints) == sample_view(rng, ALWAYS)
    expected = change_colours(CROP, rng, ALWAYS)
    np.testing.assert_array_equal(change.pixels(CROP), occlude(expected, rng, ALWAYS))


def test_settings_that_are_not_given_change_nothing():
    for values in (None, {}, {'flip_prob': 0.0}):
        change = sample_change(0, 0, 0, values)
        assert change.view(View(), no_joints) == View()
        np.testing.assert_array_equal(change.pixels(CROP), CROP)
    assert sample_change(0, 0, 0, {'flip_prob': 1.0}).view(View(), no_joints) == View(flip=True)


def test_a_new_augmentation_at_the_end_does_not_change_the_others(monkeypatch):
    def sample(rng, values):
        shift = values['grey_shift'] * rng.uniform()
        return Change(lambda view, joints: replace(view, scale=2 * view.scale), lambda crop: crop + np.uint8(shift))

    grey = Augmentation((Setting('grey_shift', 3.0, 9, 'an example'),), sample)
    before = sample_change(1, 2, 3, ALWAYS)
    monkeypatch.setattr(table, 'AUGMENTATIONS', AUGMENTATIONS + (grey,))
    after = sample_change(1, 2, 3, dict(ALWAYS, grey_shift=3.0))
    view = before.view(View(), no_joints)
    assert after.view(View(), no_joints) == replace(view, scale=2 * view.scale)
    difference = after.pixels(CROP) - before.pixels(CROP)
    assert len(np.unique(difference)) == 1


def test_defaults_are_within_what_is_allowed_and_no_name_is_used_twice():
    assert all(0 <= setting.default <= setting.highest and setting.effect for setting in SETTINGS)
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)
