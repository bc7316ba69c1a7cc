"""Rewriting graphs: constants for variables, batch norms within convolutions, upsampling by its name."""

from collections import Counter

import numpy as np
import pytest
from golden.make_golden import network_session

from hourglass_pose.graph import layers, rewrites
from hourglass_pose.tf_compat import tf
from named_weights import set_weights

SHAPE = (2, 6, 6, 3)


def frozen(build, seed=0):
    """Return (nodes, input, output) of a function image -> tensor, with weights of the variables' names."""
    with tf.Graph().as_default(), network_session() as session:
        image = tf.placeholder(tf.float32, SHAPE, 'image')
        output = tf.identity(build(image), 'output')
        set_weights(session, tf.global_variables(), seed)
        values = np.random.RandomState(3).uniform(-1, 1, SHAPE).astype(np.float32)
        return rewrites.freeze(session, [output]), values, session.run(output, {image: values})


def run(nodes, values):
    with tf.Graph().as_default(), network_session() as session:
        tf.import_graph_def(rewrites.graph_def_of(nodes), name='')
        return session.run('output:0', {'image:0': values})


def kinds(nodes):
    return Counter(node.op for node in rewrites.graph_def_of(nodes).node)


def conv_then_norm(has_bias=True, stride=1, has_scale=True):
    return lambda x: layers.batch_norm(layers.conv(x, 4, 3, stride, has_bias=has_bias), False, has_scale=has_scale)


def read_twice(x):
    y = layers.conv(x, 3, 3)
    return layers.batch_norm(y, False) + y


def biases_read_twice(x):
    y = layers.conv(x, 3, 3, has_bias=False)
    biased = tf.nn.bias_add(y, layers.biases(3))
    return layers.batch_norm(biased, False) + y


def norm_first(x):
    return layers.conv(tf.nn.relu(layers.batch_norm(x, False)), 4)


def chain(x):
    for index in range(3):
        x = layers.conv(tf.nn.relu(layers.batch_norm(x, False, f'norm_{index}')), 4, 3, name=f'conv_{index}')
    return layers.batch_norm(x, False, 'last')


@pytest.mark.parametrize(
    'build, folded, left',
    [
        (conv_then_norm(), 1, 0),
        (conv_then_norm(has_bias=False), 1, 0),
        (conv_then_norm(stride=2), 1, 0),
        (conv_then_norm(has_scale=False), 1, 0),
        (read_twice, 0, 1),
        (biases_read_twice, 0, 1),
        (norm_first, 0, 1),
        (chain, 3, 1),
    ],
)
def test_batch_norms_fold_where_a_convolution_is_read_by_nothing_else(build, folded, left):
    nodes, values, expected = frozen(build)
    assert kinds(nodes)['FusedBatchNormV3'] == folded + left
    rewritten, *counts = rewrites.fold_batch_norms(nodes)
    assert counts == [folded, left]
    found = kinds(rewritten)
    assert not [kind for kind in found if 'BatchNorm' in kind] and found['Mul'] == left
    assert found['Conv2D'] == kinds(nodes)['Conv2D']
    # Rounding of a few dozen sums of float32.
    assert np.abs(run(rewritten, values) - expected).max() <= 64 * 2.0**-24 * np.abs(expected).max()


def test_a_folded_kernel_is_the_kernel_times_the_factor_of_each_channel():
    nodes, _, _ = frozen(conv_then_norm())
    value = {name: rewrites.value_of(nodes, name).astype(np.float64) for name in nodes if nodes[name].op == 'Const'}
    factor = value['batch_norm/gamma'] / np.sqrt(value['batch_norm/moving_variance'] + 1e-5)
    rewritten, _, _ = rewrites.fold_batch_norms(nodes)
    (convolution,) = [node for node in rewritten.values() if node.op == 'Conv2D']
    (biases,) = [node for node in rewritten.values() if node.op == 'BiasAdd']
    # The graph holds epsilon in float32.
    np.testing.assert_allclose(
        rewrites.value_of(rewritten, convolution.input[1]), value['conv/weights'] * factor, rtol=2.0**-22
    )
    np.testing.assert_allclose(
        rewrites.value_of(rewritten, biases.input[1]),
        value['batch_norm/beta'] + factor * (value['conv/biases'] - value['batch_norm/moving_mean']),
        rtol=1e-6,
    )


def test_freezing_leaves_no_variable_no_identity_and_nothing_idle():
    def build(x):
        layers.conv(x, 7, name='idle')
        weights = tf.concat([layers.kernel(1, 3, 1, name='a'), layers.kernel(1, 3, 2, name='b')], axis=3)
        return tf.nn.conv2d(tf.stop_gradient(x), tf.identity(weights), 1, 'SAME')

    nodes, values, expected = frozen(build)
    assert kinds(nodes) == {'Placeholder': 1, 'Const': 1, 'Conv2D': 1, 'Identity': 1}
    assert not [name for name in nodes if 'idle' in name]
    assert np.array_equal(run(nodes, values), expected)
    assert not [name for node in nodes.values() for name in node.attr if name.startswith('_')]


def test_upsampling_by_its_name_gives_the_same_bits():
    nodes, values, expected = frozen(lambda x: layers.add_upsampled(2.0 * x, layers.max_pool(x)))
    assert kinds(nodes)['Reshape'] == 3
    rewritten, count = rewrites.name_upsamplings(nodes)
    assert count == 1 and kinds(rewritten)['ResizeNearestNeighbor'] == 1 and not kinds(rewritten)['Reshape']
    assert np.array_equal(run(rewritten, values), expected)
    coarse = values.reshape((2, 3, 2, 3, 2, 3)).max(axis=(2, 4))
    assert np.array_equal(expected, 2 * values + coarse.repeat(2, axis=1).repeat(2, axis=2))


def test_a_reshape_of_another_sum_is_left_alone():
    nodes, values, expected = frozen(lambda x: tf.reshape(x + 1.0, [2, 36, 3]))
    rewritten, count = rewrites.name_upsamplings(nodes)
    assert count == 0 and list(rewritten) == list(nodes)
    assert np.array_equal(run(rewritten, values), expected)
