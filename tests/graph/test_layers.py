"""Each layer computes what its formula says, checked against NumPy."""

import numpy as np
import pytest

from hourglass_pose.graph import layers
from hourglass_pose.tf_compat import tf
from reference_network import DECAY, EPSILON, batch_statistics, conv, max_pool


def run(build, feed_array, weights=None):
    """Build a graph on one array, set variables by the end of their name, and return the value of the result."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.constant(feed_array, tf.float32)
        result = build(x)
        session.run(tf.global_variables_initializer())
        for variable in tf.global_variables():
            name = variable.op.name.split('/')[-1]
            if weights and name in weights:
                variable.load(weights[name], session)
        return session.run(result)


@pytest.mark.parametrize('size, stride', [(1, 1), (3, 1), (7, 1), (7, 2)])
def test_conv_is_the_sliding_sum_of_products_with_equal_zero_margins(rng, size, stride):
    x, kernel, bias = rng.normal(size=(2, 12, 8, 3)), rng.normal(size=(size, size, 3, 5)), rng.normal(size=5)
    y = run(lambda x: layers.conv(x, 5, size, stride), x, {'weights': kernel, 'biases': bias})
    # 147 float32 products of order one.
    np.testing.assert_allclose(y, conv(x, kernel, bias, stride), atol=1e-4)


def test_stride_two_window_of_cell_i_is_centred_on_pixel_2i():
    ramp = np.tile(np.arange(32.0)[None, None, :, None], (1, 32, 1, 1))
    mean_of_window = {'weights': np.full((7, 7, 1, 1), 1 / 49.0), 'biases': np.zeros(1)}
    for image in (ramp, ramp.transpose(0, 2, 1, 3)):
        y = run(lambda x: layers.conv(x, 1, 7, 2), image, mean_of_window)[0, :, :, 0]
        expected = np.tile(2.0 * np.arange(16), (16, 1))
        inner = slice(2, -2)
        np.testing.assert_allclose(
            y[inner, inner], (expected if image is ramp else expected.T)[inner, inner], rtol=1e-6
        )


def test_kernels_start_with_variance_two_over_fan_out_and_biases_with_zero():
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        layers.conv(tf.zeros([1, 8, 8, 64]), 32, 3)
        session.run(tf.global_variables_initializer())
        kernel, bias = session.run([tf.trainable_variables()[0], tf.trainable_variables()[1]])
    expected = 2.0 / (3 * 3 * 32)
    # The variance of n normal samples has a relative standard error of sqrt(2 / n); six of them.
    assert abs(kernel.var() / expected - 1) < 6 * np.sqrt(2.0 / kernel.size)
    assert np.abs(kernel).max() > 3 * np.sqrt(expected), 'the tails are cut off'
    assert not bias.any()


def norm_weights(rng, channels):
    return {
        'gamma': rng.normal(size=channels),
        'beta': rng.normal(size=channels),
        'moving_mean': rng.normal(size=channels),
        'moving_variance': rng.uniform(0.5, 2, size=channels),
    }


def test_batch_norm_in_evaluation_uses_the_moving_averages(rng):
    x, weights = rng.normal(size=(3, 4, 5, 6)), norm_weights(rng, 6)
    y = run(lambda x: layers.batch_norm(x, False), x, weights)
    expected = (
        weights['gamma'] * (x - weights['moving_mean']) / np.sqrt(weights['moving_variance'] + EPSILON)
        + weights['beta']
    )
    np.testing.assert_allclose(y, expected, atol=1e-5)


def test_batch_norm_in_training_uses_the_batch_and_collects_what_moves_the_averages(rng):
    x, weights = 3 + 2 * rng.normal(size=(3, 4, 5, 6)), norm_weights(rng, 6)

    def build(x):
        y = layers.batch_norm(x, True)
        statistics = tf.get_collection(layers.MOVING_STATISTICS)
        assert [average.op.name for average, _ in statistics] == [
            'batch_norm/moving_mean',
            'batch_norm/moving_variance',
        ]
        return y, [average - layers.moving_change(average, value) for average, value in statistics]

    y, (moving_mean, moving_variance) = run(build, x, weights)
    mean, variance = batch_statistics(x)
    np.testing.assert_allclose(
        y, weights['gamma'] * (x - mean) / np.sqrt(variance + EPSILON) + weights['beta'], atol=1e-4
    )
    # The fused operation estimates the variance of the population: n / (n - 1) of the batch's own.
    count = x[..., 0].size
    np.testing.assert_allclose(moving_mean, DECAY * weights['moving_mean'] + (1 - DECAY) * mean, rtol=1e-5)
    np.testing.assert_allclose(
        moving_variance, DECAY * weights['moving_variance'] + (1 - DECAY) * variance * count / (count - 1), rtol=1e-5
    )


def test_batch_norm_collects_statistics_in_training_only():
    for is_training, statistics in ((True, 2), (False, 0)):
        with tf.Graph().as_default():
            layers.batch_norm(tf.zeros([1, 2, 2, 3]), is_training)
            assert len(tf.get_collection(layers.MOVING_STATISTICS)) == statistics
            assert [variable.op.name for variable in tf.trainable_variables()] == [
                'batch_norm/gamma',
                'batch_norm/beta',
            ]


def test_max_pool_takes_the_highest_of_each_block(rng):
    x = rng.normal(size=(2, 6, 8, 3)).astype(np.float32)
    assert np.array_equal(run(layers.max_pool, x), max_pool(x))


@pytest.mark.parametrize('batch', [2, None])
def test_add_upsampled_repeats_each_cell_and_its_gradient_sums_each_block(rng, batch):
    fine, coarse, factors = [
        rng.normal(size=shape).astype(np.float32) for shape in ((2, 6, 8, 3), (2, 3, 4, 3), (2, 6, 8, 3))
    ]
    with tf.Graph().as_default(), tf.Session() as session:
        inputs = [tf.placeholder(tf.float32, (batch,) + array.shape[1:]) for array in (fine, coarse)]
        summed = layers.add_upsampled(*inputs)
        gradients = tf.gradients(tf.reduce_sum(summed * factors), inputs)
        y, (to_fine, to_coarse) = session.run([summed, gradients], dict(zip(inputs, (fine, coarse))))
    assert summed.shape.as_list() == [batch, 6, 8, 3]
    assert np.array_equal(y, fine + np.repeat(np.repeat(coarse, 2, 1), 2, 2))
    assert np.array_equal(to_fine, factors)
    np.testing.assert_allclose(to_coarse, factors.reshape(2, 3, 2, 4, 2, 3).sum(axis=(2, 4)), atol=1e-6)
