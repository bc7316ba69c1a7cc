"""The layers of the networks, made only of tf.nn and tf.get_variable, which all versions of TensorFlow share.

Every function takes and returns float tensors (N, H, W, C) with static shapes.
"""

import zlib
from contextlib import contextmanager
from typing import Callable, Iterator, Tuple

from hourglass_pose.graph.joint_batch_norm import Normalisation
from hourglass_pose.tf_compat import tf

BATCH_NORM_DECAY = 0.9
BATCH_NORM_EPSILON = 1e-5

MOVING_STATISTICS = 'moving_statistics'
"""Collection of (variable of a moving average, the batch's value of it), for training that updates them itself."""

_JOINT_BATCH = 'joint_batch'


@contextmanager
def joint_batch(normalisation: Normalisation) -> Iterator[None]:
    """Let batch_norm in training normalise by statistics of several processes; see normalisation_over."""
    tf.add_to_collection(_JOINT_BATCH, normalisation)
    try:
        yield
    finally:
        tf.get_collection_ref(_JOINT_BATCH).pop()


def conv(
    x: 'tf.Tensor',
    filters: int,
    kernel_size: int = 1,
    stride: int = 1,
    name: str = 'conv',
    has_bias: bool = True,
    learns_bias: bool = True,
) -> 'tf.Tensor':
    """Convolve, zero-padded by (kernel_size - 1) // 2 on each side, so that stride 1 keeps the size for odd kernels.

    has_bias: whether biases are added. learns_bias: whether they have a gradient.
    """
    with tf.variable_scope(name):
        weights = kernel(kernel_size, int(x.shape[-1]), filters)
        if stride > 1:
            # As published, equal padding on both sides; 'SAME' would pad one more on the right. In both cases a window
            # of odd size is half a pixel off the centre of the two pixels of its cell, which the kernel can learn.
            padding = (kernel_size - 1) // 2
            x = tf.pad(x, [[0, 0], [padding, padding], [padding, padding], [0, 0]])
        y = tf.nn.conv2d(x, weights, [1, stride, stride, 1], 'SAME' if stride == 1 else 'VALID')
        if not has_bias:
            return y
        return tf.nn.bias_add(y, biases(filters) if learns_bias else tf.stop_gradient(biases(filters)))


def kernel(size: int, in_channels: int, filters: int, name: str = 'weights', mode: str = 'fan_out') -> 'tf.Variable':
    """Return a new variable (size, size, in_channels, filters) in the present scope.

    Its initial values are random of variance 2 / (size**2 * filters), the fan-out rule of He et al. 2015, eq. 14. With
    mode 'fan_in' the variance is 2 / (size**2 * in_channels), eq. 10, which suits few outputs of many inputs.
    If the graph has a seed, the values depend only on it and on the variable's name, not on the rest of the graph.
    """
    path = f'{tf.get_variable_scope().name}/{name}'
    seed = None if tf.get_default_graph().seed is None else zlib.crc32(path.encode()) & 0x7FFFFFFF
    return tf.get_variable(
        name,
        [size, size, in_channels, filters],
        tf.float32,
        tf.variance_scaling_initializer(2.0, mode=mode, distribution='untruncated_normal', seed=seed),
    )


def biases(count: int, name: str = 'biases') -> 'tf.Variable':
    """Return a new variable of `count` biases in the present scope."""
    return tf.get_variable(name, [count], tf.float32, tf.zeros_initializer())


def batch_norm(x: 'tf.Tensor', is_training: bool, name: str = 'batch_norm', has_scale: bool = True) -> 'tf.Tensor':
    """Normalise each channel (Ioffe and Szegedy 2015), in training by the batch, otherwise by moving averages.

    has_scale: whether the channels are then multiplied by learned factors; learned offsets are always added.
    Training has to update the moving averages from the collection MOVING_STATISTICS. In training, biases that were
    added to x are not: the batch's mean takes them away again, so that their gradient is zero, which costs time.
    """
    with tf.variable_scope(name):
        shape = [int(x.shape[-1])]
        scale = tf.get_variable('gamma', shape, tf.float32, tf.ones_initializer()) if has_scale else tf.ones(shape)
        offset = tf.get_variable('beta', shape, tf.float32, tf.zeros_initializer())
        mean = tf.get_variable('moving_mean', shape, tf.float32, tf.zeros_initializer(), trainable=False)
        variance = tf.get_variable('moving_variance', shape, tf.float32, tf.ones_initializer(), trainable=False)
        if not is_training:
            return tf.nn.fused_batch_norm(
                x, scale, offset, mean, variance, epsilon=BATCH_NORM_EPSILON, is_training=False
            )[0]
        bias = None
        if x.op.type == 'BiasAdd':
            x, bias = x.op.inputs
        joint = tf.get_collection(_JOINT_BATCH)
        if joint:
            shift = mean if bias is None else mean - bias
            y, batch_mean, batch_variance = joint[-1](x, scale, offset, shift, BATCH_NORM_EPSILON)
        else:
            y, batch_mean, batch_variance = tf.nn.fused_batch_norm(
                x, scale, offset, epsilon=BATCH_NORM_EPSILON, is_training=True
            )
        if bias is not None:
            batch_mean += bias
        for average, value in ((mean, batch_mean), (variance, batch_variance)):
            tf.add_to_collection(MOVING_STATISTICS, (average, value))
        return y


def moving_change(average: 'tf.Variable', value: 'tf.Tensor') -> 'tf.Tensor':
    """Return what a step subtracts from a moving average of batch statistics."""
    return (1.0 - BATCH_NORM_DECAY) * (average - value)


def max_pool(x: 'tf.Tensor') -> 'tf.Tensor':
    """Halve the size by the maximum of each 2x2 block."""
    return tf.nn.max_pool2d(x, 2, 2, 'VALID')


def add_upsampled(fine: 'tf.Tensor', coarse: 'tf.Tensor') -> 'tf.Tensor':
    """Return fine + the coarse map doubled in size by repeating each cell (nearest neighbour).

    fine: (N, 2H, 2W, C); coarse: (N, H, W, C).
    """
    batch, height, width, channels = [-1 if d is None else d for d in coarse.shape.as_list()]

    @tf.custom_gradient
    def add(fine: 'tf.Tensor', coarse: 'tf.Tensor') -> Tuple['tf.Tensor', Callable]:
        # Broadcasting repeats the cells: no map of the doubled size is written.
        blocks = tf.reshape(fine, [batch, height, 2, width, 2, channels])
        summed = blocks + tf.reshape(coarse, [batch, height, 1, width, 1, channels])

        def gradient(upstream: 'tf.Tensor') -> Tuple['tf.Tensor', 'tf.Tensor']:
            # The sum over each 2x2 block, by the kernel of mean pooling: several times faster than a reduction.
            return upstream, 4.0 * tf.nn.avg_pool2d(upstream, 2, 2, 'VALID')

        return tf.reshape(summed, [batch, 2 * height, 2 * width, channels]), gradient

    return add(fine, coarse)
