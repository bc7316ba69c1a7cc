"""The loss on channel means: its gradient against the closed form, alone and over processes, and the trunks it sees."""

import numpy as np
import pytest

from hourglass_pose.graph.layers import TRUNKS
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.offsets import offset_loss

WEIGHT = 1e-3


def gradient(x, sum_over_processes=lambda tensor: tensor):
    """Return the gradient of offset_loss at an array (N, H, W, C)."""
    with tf.Graph().as_default(), tf.Session() as session:
        features = tf.constant(x, tf.float32)
        return session.run(tf.gradients(offset_loss([features], sum_over_processes), features)[0])


def test_the_gradient_is_that_of_the_mean_square_of_the_channel_means(rng):
    x = rng.normal(3.0, 1.0, (2, 3, 4, 5))
    # d/dx of weight * mean over c of (mean over n, h, w)^2.
    expected = np.broadcast_to(2 * WEIGHT * x.mean(axis=(0, 1, 2)) / (5 * 2 * 3 * 4), x.shape)
    np.testing.assert_allclose(gradient(x), expected, rtol=1e-5)


def test_the_mean_of_the_gradients_of_two_processes_is_that_of_the_joint_batch(rng):
    x = rng.normal(0.0, 1.0, (4, 3, 4, 5)) + np.arange(5)
    halves = x[:2], x[2:]
    total = sum(half.mean(axis=(0, 1, 2)) for half in halves)

    def summed(tensor):
        return tf.constant(np.append(total, 2), tf.float32)

    joint = gradient(x)
    for half, expected in zip(halves, (joint[:2], joint[2:])):
        # Each half has half as many positions, and the mean over the processes is taken afterwards.
        np.testing.assert_allclose(gradient(half, summed) / 2, expected, rtol=1e-5)


def test_without_trunks_there_is_no_loss():
    with tf.Graph().as_default(), tf.Session() as session:
        assert session.run(offset_loss([], lambda tensor: tensor)) == 0


@pytest.mark.parametrize('arch, stacks, expected', [('newell', 1, 3), ('newell', 2, 5), ('newell_attention', 2, 2)])
def test_the_training_build_alone_notes_its_trunks(arch, stacks, expected):
    with tf.Graph().as_default():
        model = HourglassModel(arch=arch, num_stacks=stacks, num_features=8, input_size=64)
        images = model.declare_images(1)
        model.build(images, False)
        assert not tf.get_collection(TRUNKS)
        model.build(images, True)
        assert len(tf.get_collection(TRUNKS)) == expected


def test_descent_on_the_loss_takes_an_offset_away_that_the_pose_loss_does_not_see():
    with tf.Graph().as_default(), tf.Session() as session:
        offset = tf.Variable(tf.constant([100.0, -100.0]))
        features = tf.constant(np.random.RandomState(0).normal(size=(2, 4, 4, 2)), tf.float32) + offset
        normalised = features - tf.reduce_mean(features, [0, 1, 2], keepdims=True)
        loss = tf.reduce_sum(normalised**2) + offset_loss([features], lambda tensor: tensor)
        step = tf.train.AdamOptimizer(1.0).minimize(loss)
        session.run(tf.global_variables_initializer())
        for _ in range(400):
            session.run(step)
        assert np.abs(session.run(offset)).max() < 5
