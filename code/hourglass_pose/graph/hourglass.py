"""Residual modules and hourglasses of Newell, Yang and Deng 2016, "Stacked Hourglass Networks"."""

from hourglass_pose.graph.layers import add_upsampled, max_pool
from hourglass_pose.tf_compat import tf


def residual(tower, x, filters, name):
    """Pre-activated module beside a skip connection (section 3.2).

    The skip is x itself, or a 1x1 convolution of it where the number of channels changes.
    """
    with tower.scope(name):
        return tower.sum(conv_block(tower, x, filters), skip(tower, x, filters))


def conv_block(tower, x, filters):
    """Bottleneck of 1x1, 3x3 and 1x1 convolutions, each after batch norm and ReLU; or a single 3x3."""
    divisor = tower.traits.bottleneck_divisor
    if divisor == 1:
        return tower.conv(tower.batch_norm_relu(x), filters, 3, name='conv_block/conv')
    narrow = max(1, filters // divisor)
    y = tower.conv(tower.batch_norm_relu(x, 'batch_norm_1'), narrow, 1, name='conv_1')
    y = tower.conv(tower.batch_norm_relu(y, 'batch_norm_2'), narrow, 3, name='conv_2')
    return tower.conv(tower.batch_norm_relu(y, 'batch_norm_3'), filters, 1, name='conv_3')


def skip(tower, x, filters):
    return x if int(x.shape[-1]) == filters else tower.conv(x, filters, name='skip')


def residuals(tower, x, name):
    """`num_modules` residual modules in a row, `num_features` channels."""
    for index in range(tower.traits.num_modules):
        x = residual(tower, x, tower.traits.num_features, '%s_%d' % (name, index))
    return x


def hourglass(tower, x, depth, name='hourglass'):
    """Pool down `depth` times and come up again, with a branch around each pooling (section 3.1)."""
    with tower.scope(name):
        branch = residuals(tower, x, 'up')
        low = residuals(tower, max_pool(x), 'low_in')
        low = hourglass(tower, low, depth - 1, 'low') if depth > 1 else residuals(tower, low, 'low_mid')
        low = residuals(tower, low, 'low_out')
        y = add_upsampled(branch, low)
        return tf.nn.relu(y) if tower.traits.modif else y
