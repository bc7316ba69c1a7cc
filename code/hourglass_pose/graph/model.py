"""HourglassModel: builds the network as many times as asked over one set of variables."""

from hourglass_pose.graph.hourglass import hourglass, residual, residuals
from hourglass_pose.graph.layers import batch_norm_relu, conv, max_pool
from hourglass_pose.graph.traits import NetworkTraits
from hourglass_pose.tf_compat import tf


class HourglassModel:
    """A stacked-hourglass network: images in, one set of heatmaps a stack out.

    The first call of `build` creates the variables, each further call is another tower over the same ones, for
    instance one for training and one for evaluation. The model owns no session, no loop and no files.
    """

    SCOPE = 'model'

    def __init__(self, traits=None, **trait_values):
        """traits: a NetworkTraits, or none and its fields as keywords. Raises ValueError for impossible traits."""
        if traits is not None and trait_values:
            raise ValueError('give a NetworkTraits or its fields, not both')
        self.traits = traits or NetworkTraits(**trait_values)
        self._variables = None

    def build(self, images, is_training, dropout=None, getter=None):
        """Return the heatmap logits of every stack, float32 (N, S, H, W, J).

        images: (N, input_size, input_size, 3) RGB; float in [0, 1], or uint8 in 0..255.
        is_training: a Python bool; batch statistics and dropout, and UPDATE_OPS collected, when True.
        dropout: function (x, rate, stack index) -> x that drops features in training; needed for a drop_rate > 0.
        getter: custom getter of the variables, for a tower that reads other values than the trained ones.
        Raises ValueError for images of another shape, and for training with a drop_rate but without dropout.
        """
        expected = [self.traits.input_size, self.traits.input_size, 3]
        if images.shape.as_list()[1:] != expected:
            raise ValueError('images: expected (N, %d, %d, %d), found %s' % (*expected, images.shape))
        if is_training and self.traits.drop_rate > 0 and dropout is None:
            raise ValueError('dropout: expected a function, for the drop_rate is %g' % self.traits.drop_rate)
        is_built = self._variables is not None
        with tf.variable_scope(self.SCOPE, reuse=is_built, custom_getter=getter):
            logits = self._build(normalise(images), is_training, dropout)
        if not is_built:
            # Later on an optimizer's variables bear the same scope.
            self._variables = tf.get_collection(tf.GraphKeys.GLOBAL_VARIABLES, scope=self.SCOPE + '/')
        return logits

    def variables(self):
        """Return the variables that make up the network, once it is built: weights and moving batch statistics."""
        return list(self._variables or ())

    def _build(self, x, is_training, dropout):
        traits = self.traits
        x = self._stem(x, is_training)
        maps = []
        for index in range(traits.num_stacks):
            with tf.variable_scope('stack_%d' % index):
                y = hourglass(x, traits.num_poolings, traits, is_training)
                y = residuals(y, traits, is_training, 'residual')
                if is_training and traits.drop_rate > 0:
                    y = dropout(y, traits.drop_rate, index)
                y = batch_norm_relu(conv(y, traits.num_features, name='linear'), is_training)
                logits = conv(y, traits.num_joints, name='heatmaps')
                maps.append(tf.cast(logits, tf.float32))
                if index + 1 < traits.num_stacks:
                    # Features and predictions go back into the features of the next stack (section 3.3).
                    x = x + conv(y, traits.num_features, name='features_back') \
                        + conv(logits, traits.num_features, name='heatmaps_back')
        return tf.stack(maps, axis=1)

    def _stem(self, x, is_training):
        """Bring the image to a quarter of its size (section 3.2: 7x7 convolution, residual, pooling, residuals)."""
        traits = self.traits
        first, second = traits.stem_features
        with tf.variable_scope('stem'):
            x = batch_norm_relu(conv(x, first, 7, stride=2), is_training)
            x = residual(x, second, traits, is_training, 'residual_0')
            x = residual(max_pool(x), second, traits, is_training, 'residual_1')
            return residual(x, traits.num_features, traits, is_training, 'residual_2')


def normalise(images):
    """Return images as the network takes them: float32 in [0, 1], minus one half.

    images: float in [0, 1] or uint8 in 0..255. The shift centres the input as the published networks' mean does.
    """
    if images.dtype == tf.uint8:
        images = tf.cast(images, tf.float32) * (1.0 / 255.0)
    return tf.cast(images, tf.float32) - 0.5
