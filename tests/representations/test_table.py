"""Every representation of the table: its two halves agree, and its NumPy half needs no TensorFlow."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import CODE
from golden.make_golden import network_session

from hourglass_pose.representations.table import REPRESENTATIONS, graph_half, make_codec
from hourglass_pose.tf_compat import tf

SIZE, STRIDE = 24, 4
CROP = SIZE * STRIDE
JOINTS = 40


def joints_of(rng):
    """Joints (5, JOINTS, 2) inside the crop, beside it, far away, and exactly on its edges."""
    joints = rng.uniform(-10, CROP + 10, (5, JOINTS, 2))
    joints[0, :4] = [[-0.5, 9], [9, CROP - 0.5], [-1000, 9], [CROP - 1, -0.5]]
    return joints.astype(np.float32)


@pytest.mark.parametrize('sigma', [0.75, 2.0])
@pytest.mark.parametrize('name', REPRESENTATIONS)
def test_targets_of_numpy_and_graph_agree_to_the_rounding_of_float32(rng, name, sigma):
    codec = make_codec(SIZE, STRIDE, sigma * 64 / SIZE, name)
    joints = joints_of(rng)
    with tf.Graph().as_default(), network_session() as session:
        target = graph_half(codec).target(tf.constant(joints), codec)
        assert target.shape.is_fully_defined()
        found = session.run(target)
    expected = codec.target(joints, np.ones(joints.shape[:-1]))
    assert found.dtype == expected.dtype == np.float32 and found.shape == expected.shape
    # The graph's cells are off by three roundings of numbers below CROP / STRIDE: delta = 3 * 2^-24 * SIZE. A Gaussian
    # changes by at most delta * exp(-1/2) / sigma in each of x and y; exp, its square root of an argument that counts,
    # and the product add some 2^-22.
    delta = 3 * 2.0**-24 * SIZE
    bound = delta if name == 'integral' else 2 * delta * np.exp(-0.5) / sigma + 2.0**-22
    np.testing.assert_allclose(found, expected, atol=bound, rtol=0)


@pytest.mark.parametrize('name', REPRESENTATIONS)
def test_joints_decoded_in_numpy_and_graph_agree(rng, name):
    codec = make_codec(SIZE, STRIDE, 2.0 * 64 / SIZE, name)
    logits = rng.normal(size=(3, SIZE, SIZE, 5)).astype(np.float32)
    logits[..., 1] *= 100
    with tf.Graph().as_default(), network_session() as session:
        joints, scores = session.run(graph_half(codec).decode(tf.constant(logits), codec))
    expected_joints, expected_scores = codec.decode(codec.maps_of_logits(logits))
    # Smoothed noise is flat, so that rounding moves a peak more than in a predicted map.
    np.testing.assert_allclose(joints, expected_joints, atol=1e-2)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-5)


@pytest.mark.parametrize('name', REPRESENTATIONS)
def test_checkpoints_and_exports_name_the_representation(name):
    codec = make_codec(SIZE, loss=name)
    assert codec.loss == name and codec.output_meaning and REPRESENTATIONS[name]


def test_unknown_representation_is_named():
    with pytest.raises(ValueError, match='loss: expected one of .*softmax.*, found .l1.'):
        make_codec(SIZE, loss='l1')


def test_codecs_load_no_tensorflow():
    program = (
        'import sys\n'
        'from hourglass_pose.representations.table import REPRESENTATIONS, make_codec\n'
        'for name in REPRESENTATIONS: make_codec(16, loss=name)\n'
        'assert "tensorflow" not in sys.modules'
    )
    subprocess.run([sys.executable, '-c', program], check=True, env=dict(os.environ, PYTHONPATH=CODE))
