"""The layers of the original code: convolutions without biases, batch norms counted over the whole graph."""

from typing import Optional

from hourglass_pose.graph import layers
from hourglass_pose.graph.modelzoo.hyperparameters import ModelzooHyperparameters
from hourglass_pose.graph.tower import Dropout, Tower
from hourglass_pose.tf_compat import tf


class ModelzooTower(Tower):
    """Layers for one build of a network of the original code."""

    def __init__(self, settings: ModelzooHyperparameters, is_training: bool, dropout: Optional[Dropout]) -> None:
        super().__init__(is_training, dropout)
        self.settings = settings
        self._root = tf.get_variable_scope()

    def conv(
        self, x: 'tf.Tensor', filters: int, kernel_size: int = 1, stride: int = 1, name: str = 'conv'
    ) -> 'tf.Tensor':
        """Convolve without biases."""
        return layers.conv(x, filters, kernel_size, stride, self.numbered(name), has_bias=False)

    def batch_norm_relu(self, x: 'tf.Tensor', name: str = 'BatchNorm') -> 'tf.Tensor':
        """Normalise without a factor, and rectify; the variables are outside of all scopes."""
        with tf.variable_scope(self._root, auxiliary_name_scope=False):
            return tf.nn.relu(layers.batch_norm(x, self.is_training, self.numbered(name), has_scale=False))

    def residual(self, x: 'tf.Tensor', filters: int, name: str = 'residual_block') -> 'tf.Tensor':
        """Return the sum of convolutions and a skip connection; with `modif` a ReLU follows."""
        with self.scope(name):
            return self.rectified(self.conv_block(x, filters) + self.skip(x, filters))

    def conv_block(self, x: 'tf.Tensor', filters: int) -> 'tf.Tensor':
        """Return x after 1x1, 3x3 and 1x1 convolutions; with `tiny` after a single 3x3."""
        if self.settings.tiny:
            return self.conv(self.batch_norm_relu(x), filters, 3, name='conv_block/conv')
        y = self.conv(self.batch_norm_relu(x), filters // 2, 1, name='conv_block/norm_1/conv')
        y = self.conv(self.batch_norm_relu(y), filters // 2, 3, name='conv_block/norm_2/conv')
        return self.conv(self.batch_norm_relu(y), filters, 1, name='conv_block/norm_3/conv')

    def skip(self, x: 'tf.Tensor', filters: int) -> 'tf.Tensor':
        """Return x itself, or a 1x1 convolution of it where the number of channels changes."""
        return x if int(x.shape[-1]) == filters else self.conv(x, filters, name='skip_layer/conv')

    def rectified(self, x: 'tf.Tensor') -> 'tf.Tensor':
        """Return x, with `modif` its positive part."""
        return tf.nn.relu(x) if self.settings.modif else x
