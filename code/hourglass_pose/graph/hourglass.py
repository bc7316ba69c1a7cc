"""Residual modules and hourglasses of Newell, Yang and Deng 2016, "Stacked Hourglass Networks"."""

from hourglass_pose.graph.layers import add_upsampled, batch_norm_relu, conv, max_pool
from hourglass_pose.tf_compat import tf


def residual(x, filters, traits, is_training, name):
    """Pre-activated bottleneck module (section 3.2): 1x1, 3x3 and 1x1 convolutions beside a skip connection.

    The skip is x itself, or a 1x1 convolution of it where the number of channels changes.
    """
    with tf.variable_scope(name):
        narrow = filters // traits.bottleneck_divisor
        y = conv(batch_norm_relu(x, is_training, 'batch_norm_1'), narrow, 1, name='conv_1')
        y = conv(batch_norm_relu(y, is_training, 'batch_norm_2'), narrow, 3, name='conv_2')
        y = conv(batch_norm_relu(y, is_training, 'batch_norm_3'), filters, 1, name='conv_3')
        skip = x if int(x.shape[-1]) == filters else conv(x, filters, 1, name='skip')
        return skip + y


def residuals(x, traits, is_training, name):
    """`num_modules` residual modules in a row, `num_features` channels."""
    for index in range(traits.num_modules):
        x = residual(x, traits.num_features, traits, is_training, '%s_%d' % (name, index))
    return x


def hourglass(x, num_poolings, traits, is_training, name='hourglass'):
    """Pool down `num_poolings` times and come up again, with a branch around each pooling (section 3.1)."""
    with tf.variable_scope(name):
        branch = residuals(x, traits, is_training, 'up')
        low = residuals(max_pool(x), traits, is_training, 'low_in')
        if num_poolings > 1:
            low = hourglass(low, num_poolings - 1, traits, is_training)
        else:
            low = residuals(low, traits, is_training, 'low_mid')
        low = residuals(low, traits, is_training, 'low_out')
        return add_upsampled(branch, low)
