"""Residual modules and hourglasses of Newell, Yang and Deng 2016, "Stacked Hourglass Networks"."""

from hourglass_pose.graph.layers import add_upsampled, max_pool
from hourglass_pose.graph.newell.hyperparameters import NewellHyperparameters
from hourglass_pose.graph.tower import Tower
from hourglass_pose.tf_compat import tf


def residual(tower: Tower, x: 'tf.Tensor', filters: int, divisor: int, name: str) -> 'tf.Tensor':
    """Return a pre-activated module's output plus a skip connection (section 3.2).

    divisor: how many times narrower its 3x3 convolution is.
    """
    with tower.scope(name):
        return bottleneck(tower, x, filters, divisor) + skip(tower, x, filters)


def bottleneck(tower: Tower, x: 'tf.Tensor', filters: int, divisor: int) -> 'tf.Tensor':
    """Return x after 1x1, 3x3 and 1x1 convolutions, each after batch norm and ReLU."""
    # The first module of a stem may have fewer channels than the divisor.
    narrow = max(1, filters // divisor)
    y = tower.conv(tower.batch_norm_relu(x, 'batch_norm_1'), narrow, 1, name='conv_1')
    y = tower.conv(tower.batch_norm_relu(y, 'batch_norm_2'), narrow, 3, name='conv_2')
    return tower.conv_into_trunk(tower.batch_norm_relu(y, 'batch_norm_3'), filters, name='conv_3')


def skip(tower: Tower, x: 'tf.Tensor', filters: int) -> 'tf.Tensor':
    """Return x itself, or a 1x1 convolution of it where the number of channels changes."""
    return x if int(x.shape[-1]) == filters else tower.conv_into_trunk(x, filters, name='skip')


def residuals(tower: Tower, x: 'tf.Tensor', settings: NewellHyperparameters, name: str) -> 'tf.Tensor':
    """Return x after `num_modules` residual modules of `num_features` channels."""
    for index in range(settings.num_modules):
        x = residual(tower, x, settings.num_features, settings.bottleneck_divisor, f'{name}_{index}')
    return x


def hourglass(
    tower: Tower, x: 'tf.Tensor', settings: NewellHyperparameters, depth: int, name: str = 'hourglass'
) -> 'tf.Tensor':
    """Pool down `depth` times and come up again, with a branch around each pooling (section 3.1)."""
    with tower.scope(name):
        branch = residuals(tower, x, settings, 'up')
        low = residuals(tower, max_pool(x), settings, 'low_in')
        if depth > 1:
            low = hourglass(tower, low, settings, depth - 1, 'low')
        else:
            low = residuals(tower, low, settings, 'low_mid')
        return add_upsampled(branch, residuals(tower, low, settings, 'low_out'))
