"""The person output of a network: one logit a crop, above 0 where it shows one whole person in its middle."""

from hourglass_pose.graph.layers import biases, kernel
from hourglass_pose.graph.tower import Tower
from hourglass_pose.tf_compat import tf

_MOST_CELLS = 7
_HIDDEN_FEATURES = 32


def person_logits(tower: Tower, features: 'tf.Tensor') -> 'tf.Tensor':
    """Return logits (N,) of the features (N, H, W, C) that the last heatmaps are made from.

    The features are averaged over a grid of at most 7 x 7 cells, 4 x 4 for sides that are powers of two. A mean over
    the whole map could not tell a person in the middle from one at the border.
    """
    with tower.scope('person'):
        side = int(features.shape[1])
        while side > _MOST_CELLS:
            # Repeated small windows give the mean of a large one; NPUs limit the size of a window.
            window = next(factor for factor in range(2, side + 1) if side % factor == 0)
            features = tf.nn.avg_pool2d(features, window, window, 'VALID')
            side //= window
        with tower.scope('hidden'):
            hidden = tf.nn.relu(_connected(features, _HIDDEN_FEATURES))
        with tower.scope('logit'):
            return tf.reshape(_connected(hidden, 1), [-1])


def _connected(x: 'tf.Tensor', count: int) -> 'tf.Tensor':
    """Return (N, 1, 1, count): weighted sums of all cells and channels, plus biases."""
    weights = kernel(int(x.shape[1]), int(x.shape[3]), count, mode='fan_in')
    return tf.nn.bias_add(tf.nn.conv2d(x, weights, [1, 1, 1, 1], 'VALID'), biases(count))
