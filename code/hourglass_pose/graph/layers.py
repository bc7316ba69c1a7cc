"""The layers of the networks, on tf.nn and tf.get_variable alone: they mean the same on every TensorFlow.

Every function takes and returns float tensors (N, H, W, C) with static shapes.
"""

from hourglass_pose.tf_compat import tf

BATCH_NORM_DECAY = 0.9
BATCH_NORM_EPSILON = 1e-5

MOVING_STATISTICS = 'moving_statistics'
"""Collection of (variable of a moving average, the batch's value of it), for training that updates them itself."""


def conv(x, filters, kernel_size=1, stride=1, name='conv', has_bias=True):
    """Convolve, zero-padded by (kernel_size - 1) // 2 on each side, so that stride 1 keeps the size for odd kernels.

    has_bias: whether learnt biases are added.
    """
    with tf.variable_scope(name):
        weights = kernel(kernel_size, int(x.shape[-1]), filters)
        if stride > 1:
            # As published, alike on both sides, where 'SAME' pads one more on the right. Either way a window of odd
            # size lies half a pixel beside the middle of the two pixels of its cell, which the kernel makes up for.
            padding = (kernel_size - 1) // 2
            x = tf.pad(x, [[0, 0], [padding, padding], [padding, padding], [0, 0]])
        y = tf.nn.conv2d(x, weights, [1, stride, stride, 1], 'SAME' if stride == 1 else 'VALID')
        return tf.nn.bias_add(y, biases(filters)) if has_bias else y


def kernel(size, in_channels, filters, name='weights', mode='fan_out'):
    """Return a new variable (size, size, in_channels, filters) in the present scope.

    It is drawn with variance 2 / (size**2 * filters), the fan-out rule of He et al. 2015, eq. 14; with mode 'fan_in'
    with 2 / (size**2 * in_channels), eq. 10, which keeps the size of few maps that are made of many.
    """
    return tf.get_variable(
        name,
        [size, size, in_channels, filters],
        tf.float32,
        tf.variance_scaling_initializer(2.0, mode=mode, distribution='untruncated_normal'),
    )


def biases(count, name='biases'):
    """Return a new variable of so many biases in the present scope."""
    return tf.get_variable(name, [count], tf.float32, tf.zeros_initializer())


def batch_norm(x, is_training, name='batch_norm', has_scale=True):
    """Normalise each channel (Ioffe and Szegedy 2015), by the batch in training and by moving averages else.

    has_scale: whether the channels are then multiplied by learnt factors; learnt offsets are always added.
    In training the updates of the moving averages are added to the collection UPDATE_OPS, and what they are made of to
    MOVING_STATISTICS.
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
        y, batch_mean, batch_variance = tf.nn.fused_batch_norm(
            x, scale, offset, epsilon=BATCH_NORM_EPSILON, is_training=True
        )
        for average, value in ((mean, batch_mean), (variance, batch_variance)):
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.assign_sub(average, moving_change(average, value)))
            tf.add_to_collection(MOVING_STATISTICS, (average, value))
        return y


def moving_change(average, value):
    """Return what a step takes off a moving average of batch statistics."""
    return (1.0 - BATCH_NORM_DECAY) * (average - value)


def max_pool(x):
    """Halve the size by the maximum of each 2x2 block."""
    return tf.nn.max_pool2d(x, 2, 2, 'VALID')


def add_upsampled(fine, coarse):
    """Return fine + the coarse map doubled in size by repeating each cell (nearest neighbour).

    fine: (N, 2H, 2W, C); coarse: (N, H, W, C).
    """
    batch, height, width, channels = [-1 if d is None else d for d in coarse.shape.as_list()]

    @tf.custom_gradient
    def add(fine, coarse):
        # Broadcasting repeats the cells: no map of the doubled size is written.
        blocks = tf.reshape(fine, [batch, height, 2, width, 2, channels])
        summed = blocks + tf.reshape(coarse, [batch, height, 1, width, 1, channels])

        def gradient(upstream):
            # The sum over each 2x2 block, by the kernel of mean pooling: several times faster than a reduction.
            return upstream, 4.0 * tf.nn.avg_pool2d(upstream, 2, 2, 'VALID')

        return tf.reshape(summed, [batch, 2 * height, 2 * width, channels]), gradient

    return add(fine, coarse)
