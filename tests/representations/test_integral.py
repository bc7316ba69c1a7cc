"""Integral regression: a joint is the mean cell of its map, whatever the map's shape."""

import numpy as np
import pytest

from hourglass_pose.geometry import crop_from_hm
from hourglass_pose.representations.table import make_codec

SIZE, STRIDE = 16, 4


def codec_of(**options):
    return make_codec(SIZE, STRIDE, loss='integral', **options)


def logits_at(cells):
    """Logits (SIZE, SIZE, 1) whose softmax is shared evenly by some cells (x, y)."""
    logits = np.full((SIZE, SIZE, 1), -1e4)
    for x, y in cells:
        logits[y, x] = 3.0
    return logits


@pytest.mark.parametrize(
    'cells, mean', [([(3, 5)], (3, 5)), ([(2, 7), (5, 7)], (3.5, 7)), ([(0, 0), (15, 0), (0, 9), (15, 9)], (7.5, 4.5))]
)
def test_joint_is_the_mean_of_the_cells(cells, mean):
    codec = codec_of()
    joints, scores = codec.decode(codec.maps_of_logits(logits_at(cells)))
    np.testing.assert_allclose(joints[0], crop_from_hm(mean, STRIDE), atol=1e-5)
    # sigma is half a cell: the sum of its Gaussian, pi / 2, in one cell is more than the highest score.
    assert scores[0] == pytest.approx(min(1.0, np.pi / 2 / len(cells)), rel=1e-5)


def test_mean_of_averaged_maps_is_the_average_of_the_means(rng):
    codec = codec_of()
    maps = codec.maps_of_logits(rng.normal(size=(2, SIZE, SIZE, 5)))
    joints, _ = codec.decode(maps)
    np.testing.assert_allclose(codec.decode(maps.mean(axis=0))[0], joints.mean(axis=0), atol=1e-4)
    # Averages over scales do not sum to one.
    np.testing.assert_allclose(codec.decode(maps * 0.3)[0], joints, atol=1e-4)


def test_maps_that_are_empty_decode_to_finite_joints():
    joints, scores = codec_of().decode(np.zeros((SIZE, SIZE, 2)))
    assert np.isfinite(joints).all() and not scores.any()


def test_target_is_the_cell_and_no_mean_lies_beyond_the_outermost():
    joints = np.array([[9.5, 13.5], [-0.5, 63.4], [64, 3], [9.5, 13.5]])
    target = codec_of().target(joints, np.array([1, 1, 1, 0]))
    np.testing.assert_allclose(target, [[2, 3], [0, 15], [0, 0], [0, 0]])


def test_decoding_is_the_expectation_whatever_is_asked_for():
    assert codec_of(decoding='argmax').decoding == 'expectation'
