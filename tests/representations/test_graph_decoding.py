"""Decoding within the graph: what the NumPy half makes of the same logits."""

import numpy as np
import pytest
from golden.make_golden import network_session

from hourglass_pose.representations.heatmap.numpy import DECODINGS
from hourglass_pose.representations.table import graph_half, make_codec
from hourglass_pose.tf_compat import tf

SIZE, STRIDE = 24, 4
LOSSES = ('mse', 'sigmoid', 'softmax')  # those with a peak


def gaussians(rng, count, joints, sigma):
    """Return maps (count, SIZE, SIZE, joints) with ripples, peaks all over the map and its border."""
    centres = rng.uniform(-0.5, SIZE - 0.5, (count, joints, 2))
    cells = np.arange(SIZE)
    x = np.exp(-0.5 * np.square((cells[:, None] - centres[:, None, :, 0]) / sigma))
    y = np.exp(-0.5 * np.square((cells[:, None] - centres[:, None, :, 1]) / sigma))
    return (y[:, :, None] * x[:, None] + rng.uniform(0, 0.05, (count, SIZE, SIZE, joints))).astype(np.float32)


def logits_of(maps, loss):
    """Return logits that stand for maps, up to their scale."""
    if loss == 'mse':
        return maps
    shares = np.clip(maps, 1e-3, 1 - 1e-3)
    return (np.log(shares) - np.log(1 - shares) if loss == 'sigmoid' else np.log(shares)).astype(np.float32)


def decode(logits, codec):
    with tf.Graph().as_default(), network_session() as session:
        joints, scores = session.run(graph_half(codec).decode(tf.constant(logits), codec))
    assert joints.dtype == scores.dtype == np.float32
    return joints, scores


@pytest.mark.parametrize('sigma', [0.8, 2.0])
@pytest.mark.parametrize('loss', LOSSES)
@pytest.mark.parametrize('decoding', DECODINGS)
def test_joints_and_scores_are_those_of_the_codec(rng, decoding, loss, sigma):
    codec = make_codec(SIZE, STRIDE, sigma * 64 / SIZE, loss, decoding)
    logits = logits_of(gaussians(rng, 5, 8, sigma), loss)
    joints, scores = decode(logits, codec)
    expected_joints, expected_scores = codec.decode(codec.maps_of_logits(logits))
    # A logarithm of float32 is off by some 1e-7, differences of four are divided by a curvature of at least 1/8.
    assert np.abs(joints - expected_joints).max() < STRIDE * 4 * 1e-7 * 8 * 10
    assert np.abs(scores - expected_scores).max() < 1e-5


@pytest.mark.parametrize('decoding', DECODINGS)
@pytest.mark.parametrize('x, y', [(0, 0), (SIZE - 1, SIZE - 1), (0, 11), (11, 0), (SIZE - 1, 5), (1, 1), (11, 12)])
def test_a_lonely_cell_is_found_at_the_border_and_inside(decoding, x, y):
    maps = np.zeros((1, SIZE, SIZE, 1), np.float32)
    maps[0, y, x, 0] = 0.5
    codec = make_codec(SIZE, STRIDE, 2.0, 'mse', decoding)
    joints, scores = decode(maps, codec)
    assert np.abs(joints[0, 0] - codec.decode(maps)[0][0, 0]).max() < 1e-3
    assert np.abs(joints[0, 0] - [4 * x + 1.5, 4 * y + 1.5]).max() < 1e-3
    assert scores[0, 0] == 0.5


@pytest.mark.parametrize('decoding', DECODINGS)
def test_the_first_of_equal_cells_counts_and_scores_stay_within_0_and_1(decoding):
    maps = np.zeros((1, SIZE, SIZE, 3), np.float32)
    maps[..., 1] = -1.0
    maps[0, 3, 7, 2] = maps[0, 9, 2, 2] = 5.0
    codec = make_codec(SIZE, STRIDE, 2.0, 'mse', decoding)
    joints, scores = decode(maps, codec)
    assert np.abs(joints - [[[1.5, 1.5], [1.5, 1.5], [4 * 7 + 1.5, 4 * 3 + 1.5]]]).max() < 1e-3
    assert scores.tolist() == [[0.0, 0.0, 1.0]]


def test_maps_need_not_be_square():
    maps = np.zeros((2, 6, 9, 2), np.float32)
    maps[0, 5, 8, 0] = maps[0, 1, 7, 1] = maps[1, 4, 2, 0] = maps[1, 0, 3, 1] = 1.0
    joints, _ = decode(maps, make_codec(6, STRIDE, 2.0, 'mse', 'argmax'))
    assert ((joints - 1.5) / 4).tolist() == [[[8, 5], [7, 1]], [[2, 4], [3, 0]]]
