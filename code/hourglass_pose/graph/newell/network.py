"""The stacked hourglass as published: stem, hourglasses in a row, and what is fed back between them."""

from typing import Optional

from hourglass_pose.graph.hyperparameters import NetworkOutputs
from hourglass_pose.graph.layers import max_pool
from hourglass_pose.graph.newell.hourglass import hourglass, residual, residuals
from hourglass_pose.graph.newell.hyperparameters import NewellHyperparameters
from hourglass_pose.graph.person_head import person_logits
from hourglass_pose.graph.tower import Dropout, Tower
from hourglass_pose.tf_compat import tf


def build(
    settings: NewellHyperparameters, images: 'tf.Tensor', is_training: bool, dropout: Optional[Dropout]
) -> NetworkOutputs:
    """Return the outputs of the network for normalised images."""
    tower = Tower(is_training, dropout)
    heatmaps = []
    with tower.scope('model'):
        x = _stem(tower, images, settings)
        for index in range(settings.num_stacks):
            with tower.scope(f'stack_{index}'):
                y = hourglass(tower, x, settings, settings.depth)
                y = residuals(tower, y, settings, 'residual')
                y = tower.drop(y, settings.drop_rate)
                y = tower.conv_batch_norm_relu(y, settings.num_features, 'linear')
                is_last = index + 1 == settings.num_stacks
                features = None if is_last else tower.conv_into_trunk(y, settings.num_features, name='features_back')
                heatmaps.append(tower.conv(y, settings.num_joints, name='heatmaps'))
                if not is_last:
                    # Features and predictions go back into the features of the next stack (section 3.3).
                    x = x + features + tower.conv_into_trunk(heatmaps[-1], settings.num_features, name='heatmaps_back')
        person = person_logits(tower, y) if settings.person else None
    return NetworkOutputs(heatmaps, person)


def _stem(tower: Tower, x: 'tf.Tensor', settings: NewellHyperparameters) -> 'tf.Tensor':
    """Bring the image to a quarter of its size (section 3.2: 7x7 convolution, residual, pooling, residuals)."""
    first, second, third = settings.stem_features
    divisor = settings.bottleneck_divisor
    with tower.scope('stem'):
        x = tower.batch_norm_relu(tower.conv(x, first, 7, stride=2, name='conv_in'))
        x = max_pool(residual(tower, x, second, divisor, 'residual_0'))
        x = residual(tower, x, third, divisor, 'residual_1')
        return residual(tower, x, settings.num_features, divisor, 'residual_2')
