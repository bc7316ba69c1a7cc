"""The stacked hourglass of the original code, in its standard, tiny and `modif` variants."""

from typing import Optional

from hourglass_pose.graph.hyperparameters import NetworkOutputs
from hourglass_pose.graph.layers import add_upsampled, max_pool
from hourglass_pose.graph.modelzoo.attention_network import attention_network
from hourglass_pose.graph.modelzoo.hyperparameters import ModelzooHyperparameters
from hourglass_pose.graph.modelzoo.layers import ModelzooTower
from hourglass_pose.graph.tower import Dropout
from hourglass_pose.tf_compat import tf


def build(
    settings: ModelzooHyperparameters, images: 'tf.Tensor', is_training: bool, dropout: Optional[Dropout]
) -> NetworkOutputs:
    """Return the outputs of the network for images in [0, 1]."""
    tower = ModelzooTower(settings, is_training, dropout)
    if settings.attention:
        return NetworkOutputs(attention_network(tower, images))
    heatmaps = []
    features_of_first = None
    with tower.scope('model'):
        x = _stem(tower, images)
        for index in range(settings.num_stacks):
            is_last = index + 1 == settings.num_stacks
            with tower.scope(f'stacks/stage_{index}'):
                y = tower.drop(hourglass(tower, x, settings.depth), settings.drop_rate)
                # The tiny network feeds this layer back, the standard one another layer of the same name.
                is_fed_back = settings.tiny and not is_last
                y = tower.conv_batch_norm_relu(y, settings.num_features, 'll' if is_fed_back else 'conv')
                features = y if is_fed_back or is_last else tower.conv(y, settings.num_features, name='ll')
                logits = tower.conv(y, settings.num_joints, name='out')
                heatmaps.append(tower.batch_norm_relu(logits) if settings.modif else logits)
                if not is_last:
                    if not settings.tiny:
                        # The features of the first stack are fed back to every one; the others are idle.
                        features = features_of_first = features if index == 0 else features_of_first
                    x = x + features + tower.conv(heatmaps[-1], settings.num_features, name='out_')
    return NetworkOutputs(heatmaps)


def _stem(tower: ModelzooTower, x: 'tf.Tensor') -> 'tf.Tensor':
    """Bring the image to a quarter of its size."""
    first, second, third = tower.settings.stem_features
    with tower.scope('preprocessing'):
        x = tower.batch_norm_relu(tower.conv(x, first, 6, stride=2, name='conv_256_to_128'))
        x = max_pool(tower.residual(x, second, 'r1'))
        if not tower.settings.tiny:
            x = tower.residual(x, third, 'r2')
        return tower.residual(x, tower.settings.num_features, 'r3')


def hourglass(tower: ModelzooTower, x: 'tf.Tensor', depth: int, name: str = 'hourglass') -> 'tf.Tensor':
    """Pool down `depth` times and come up again, with a branch around each pooling."""
    filters = tower.settings.num_features
    with tower.scope(name):
        up = tower.residual(x, filters, 'up_1')
        low = tower.residual(max_pool(x), filters, 'low_1')
        low = hourglass(tower, low, depth - 1, 'low_2') if depth > 1 else tower.residual(low, filters, 'low_2')
        return tower.rectified(add_upsampled(up, tower.residual(low, filters, 'low_3')))
