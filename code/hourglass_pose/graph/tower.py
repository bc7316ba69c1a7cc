"""Tower: the layers of one build of a network, with the names of their variables and dropout."""

from collections import Counter
from contextlib import contextmanager
from typing import Callable, Iterator, Optional

from hourglass_pose.graph import layers
from hourglass_pose.tf_compat import tf

Dropout = Callable[['tf.Tensor', float, int], 'tf.Tensor']
"""(x, share of the features to drop, number of the layer) -> x."""


class Tower:
    """Layers for one build of a network; all of them take and return float tensors (N, H, W, C).

    A name that was used before in the same scope gets a number: name, name_1, name_2, ...
    """

    def __init__(self, is_training: bool, dropout: Optional[Dropout] = None) -> None:
        self.is_training = is_training
        self._dropout = dropout
        self._uses: Counter[str] = Counter()
        self._drops = 0

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Open a scope of variables."""
        with tf.variable_scope(self.numbered(name)):
            yield

    def conv(
        self, x: 'tf.Tensor', filters: int, kernel_size: int = 1, stride: int = 1, name: str = 'conv'
    ) -> 'tf.Tensor':
        """Convolve and add biases."""
        return layers.conv(x, filters, kernel_size, stride, self.numbered(name))

    def batch_norm_relu(self, x: 'tf.Tensor', name: str = 'batch_norm') -> 'tf.Tensor':
        """Normalise by batch statistics, or in evaluation by their averages, and rectify."""
        return tf.nn.relu(layers.batch_norm(x, self.is_training, self.numbered(name)))

    def conv_batch_norm_relu(self, x: 'tf.Tensor', filters: int, name: str = 'conv') -> 'tf.Tensor':
        """Convolve 1x1, normalise and rectify."""
        return self.batch_norm_relu(self.conv(x, filters, name=name))

    def conv_into_trunk(self, x: 'tf.Tensor', filters: int, kernel_size: int = 1, name: str = 'conv') -> 'tf.Tensor':
        """Convolve and add biases that do not learn, for features that only batch norms read, also after additions.

        The batch norms take the means of the channels away, so that the gradient of these biases is zero. Rounding
        leaves something of it, which Adam scales to whole steps: the means would grow in a long training, until a
        16-bit float has no digits left for the rest.
        """
        name = self.numbered(name)
        return layers.conv(x, filters, kernel_size, name=name, learns_bias=not self.is_training)

    def drop(self, x: 'tf.Tensor', rate: float) -> 'tf.Tensor':
        """Drop a share of the features in training; each such layer has its own number."""
        if not self.is_training or rate == 0:
            return x
        if self._dropout is None:
            raise ValueError('dropout: expected a function, because the network has dropout in training')
        self._drops += 1
        return self._dropout(x, rate, self._drops - 1)

    def numbered(self, name: str) -> str:
        """Return a name that was not used before in the current scope."""
        path = f'{tf.get_variable_scope().name}/{name}'
        self._uses[path] += 1
        return name if self._uses[path] == 1 else f'{name}_{self._uses[path] - 1}'
