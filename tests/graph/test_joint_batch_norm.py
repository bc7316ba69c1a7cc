"""Batch norm over several processes: values, statistics and gradients are those of tf.nn.fused_batch_norm."""

import numpy as np
import pytest

from hourglass_pose.graph.joint_batch_norm import normalisation_over
from hourglass_pose.graph.layers import MOVING_STATISTICS, batch_norm, joint_batch
from hourglass_pose.tf_compat import tf

SHAPE = (2, 3, 4, 5)


def built(x, scale, offset, upstream, normalise):
    """Return (y, mean, variance, gradients of x, scale and offset) of a normalisation."""
    with tf.Graph().as_default(), tf.Session() as session:
        tensors = [tf.constant(value) for value in (x, scale, offset)]
        y, mean, variance = normalise(*tensors)
        return session.run([y, mean, variance] + tf.gradients(y, tensors, tf.constant(upstream)))


@pytest.mark.parametrize('processes', [1, 2, 3])
@pytest.mark.parametrize('shift', [0.0, 3.0])
def test_equal_shares_give_what_the_joint_batch_gives(rng, processes, shift):
    """Processes with the same batch have sums that are multiples of one's."""
    x = rng.normal(3.0, 0.5, SHAPE).astype(np.float32)
    scale, offset = rng.uniform(0.5, 1.5, (2, SHAPE[-1])).astype(np.float32)
    upstream = rng.normal(size=SHAPE).astype(np.float32)
    joint = normalisation_over(lambda tensor: processes * tensor, processes)
    shifts = np.full(SHAPE[-1], shift, np.float32)
    found = built(x, scale, offset, upstream, lambda *tensors: joint(*tensors, tf.constant(shifts), 1e-5))
    expected = built(
        *[np.concatenate([x] * processes), scale, offset, np.concatenate([upstream] * processes)],
        lambda *tensors: tf.nn.fused_batch_norm(*tensors, epsilon=1e-5, is_training=True)[:3],
    )
    for number, (ours, theirs) in enumerate(zip(found, expected)):
        if number in (0, 3):
            theirs = theirs[: SHAPE[0]]
        if number > 3:
            # The optimizer averages the gradients of scale and offset, of which each process has its share.
            theirs = theirs / processes
        # About zero, a variance of 1/4 below a square of 9 loses a factor of 40 of float32's precision.
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-4 if shift == 0 else 2e-5)


def test_layer_normalises_jointly_within_the_context_alone_and_counts_the_bias_in(rng):
    x = rng.normal(size=SHAPE).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        biased = tf.nn.bias_add(tf.constant(x), tf.constant(np.arange(5, dtype=np.float32)))
        calls = []
        with joint_batch(normalisation_over(lambda tensor: calls.append(1) or tensor, 1)):
            joint = batch_norm(biased, True, 'joint')
        alone = batch_norm(biased, True, 'alone')
        assert len(calls) == 1
        statistics = dict((average.op.name, value) for average, value in tf.get_collection(MOVING_STATISTICS))
        session.run(tf.global_variables_initializer())
        ours, theirs, values = session.run([joint, alone, statistics])
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    for name in ('moving_mean', 'moving_variance'):
        np.testing.assert_allclose(values[f'joint/{name}'], values[f'alone/{name}'], rtol=1e-5, atol=1e-6)
