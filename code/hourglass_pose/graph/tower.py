"""Tower: one pass through a network, with its architecture's kinds of layers and names of variables."""

import re
from collections import Counter
from contextlib import contextmanager

from hourglass_pose.graph import layers
from hourglass_pose.tf_compat import tf

# The names of the original TensorFlow 1 code, which its checkpoints are known by.
_MODELZOO_NAMES = {
    'stem': 'preprocessing',
    'conv_in': 'conv_256_to_128',
    'residual_0': 'r1',
    'residual_1': 'r2',
    'residual_2': 'r3',
    'conv_1': 'conv_block/norm_1/conv',
    'conv_2': 'conv_block/norm_2/conv',
    'conv_3': 'conv_block/norm_3/conv',
    'skip': 'skip_layer/conv',
    'up_0': 'up_1',
    'low_in_0': 'low_1',
    'low_mid_0': 'low_2',
    'low': 'low_2',
    'low_out_0': 'low_3',
    'linear': 'conv',
    'heatmaps': 'out',
    'features_back': 'll',
    'heatmaps_back': 'out_',
    'attention': 'attention_part',
}


class Tower:
    """Layers for one build of a network; all of them take and give float tensors (N, H, W, C).

    traits: NetworkTraits. is_training: a Python bool. dropout: function (x, rate, place) -> x for training.
    A name that was used before in the same scope is numbered: name, name_1, name_2, and so on.
    """

    def __init__(self, traits, is_training, dropout=None):
        self.traits = traits
        self.is_training = is_training
        self._dropout = dropout
        self._root = tf.get_variable_scope()
        self._uses = Counter()
        self._drops = 0

    @contextmanager
    def scope(self, name):
        """Open a scope of variables."""
        with tf.variable_scope(self._numbered(name)):
            yield

    def conv(self, x, filters, kernel_size=1, stride=1, name='conv'):
        return layers.conv(x, filters, kernel_size, stride, self._numbered(name), has_bias=not self.traits.is_modelzoo)

    def batch_norm_relu(self, x, name='batch_norm'):
        if not self.traits.is_modelzoo:
            return tf.nn.relu(layers.batch_norm(x, self.is_training, self._numbered(name)))
        # The original code's have no scope: they are counted over the whole graph.
        with tf.variable_scope(self._root, auxiliary_name_scope=False):
            return tf.nn.relu(layers.batch_norm(x, self.is_training, self._numbered('BatchNorm'), has_scale=False))

    def conv_batch_norm_relu(self, x, filters, name='conv'):
        return self.batch_norm_relu(self.conv(x, filters, name=name))

    def sum(self, *tensors):
        """Add maps; with `modif` a ReLU follows."""
        total = sum(tensors[1:], tensors[0])
        return tf.nn.relu(total) if self.traits.modif else total

    def drop(self, x, rate):
        """Drop a share of the features in training; each place in the network draws its own."""
        if not self.is_training or rate == 0:
            return x
        self._drops += 1
        return self._dropout(x, rate, self._drops - 1)

    def _numbered(self, name):
        if self.traits.is_modelzoo:
            name = re.sub(r'^stack_(\d+)$', r'stacks/stage_\1', _MODELZOO_NAMES.get(name, name))
        path = f'{tf.get_variable_scope().name}/{name}'
        self._uses[path] += 1
        return name if self._uses[path] == 1 else '%s_%d' % (name, self._uses[path] - 1)
