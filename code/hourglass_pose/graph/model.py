"""HourglassModel: builds the network as many times as asked over one set of variables."""

from hourglass_pose.graph.attention_network import attention_network
from hourglass_pose.graph.hourglass import hourglass, residual, residuals
from hourglass_pose.graph.layers import max_pool
from hourglass_pose.graph.tower import Tower
from hourglass_pose.graph.traits import NetworkTraits
from hourglass_pose.tf_compat import tf


class HourglassModel:
    """A stacked-hourglass network: images in, one set of heatmaps a stack out.

    The first build creates the variables, each further one is another tower over the same ones, for instance one for
    training and one for evaluation. The model owns no session, no loop and no files.
    """

    def __init__(self, traits=None, **trait_values):
        """traits: a NetworkTraits, or none and its fields as keywords. Raises ValueError for impossible traits."""
        if traits is not None and trait_values:
            raise ValueError('give a NetworkTraits or its fields, not both')
        self.traits = traits or NetworkTraits(**trait_values)
        self._variables = None

    def build(self, images, is_training, dropout=None, getter=None):
        """Return the network's output for every stack, float32 (N, S, H, W, J): logits; with `modif` their sigmoid.

        images: (N, input_size, input_size, 3) RGB; float in [0, 1], or uint8 in 0..255.
        is_training: a Python bool; batch statistics and dropout, and UPDATE_OPS collected, when True.
        dropout: function (x, rate, place) -> x that drops features in training, place being a number that differs
        from place to place in the network; needed where the network drops any.
        getter: custom getter of the variables, for a tower that reads other values than the trained ones.
        Raises ValueError for images of another shape, and for training that needs a dropout without one.
        """
        return self.output_of(self.build_logits(images, is_training, dropout, getter))

    def output_of(self, logits):
        """Return what the network gives out for its logits."""
        return tf.sigmoid(logits) if self.traits.gives_probabilities else logits

    def build_logits(self, images, is_training, dropout=None, getter=None):
        """Return the logits of every stack, which losses and decoding take; all else as `build`."""
        expected = [self.traits.input_size, self.traits.input_size, 3]
        if images.shape.as_list()[1:] != expected:
            raise ValueError('images: expected (N, %d, %d, %d), found %s' % (*expected, images.shape))
        if is_training and self.traits.drops_features and dropout is None:
            raise ValueError('dropout: expected a function, for the network drops features in training')
        is_built = self._variables is not None
        known = set(tf.global_variables())
        with tf.variable_scope(tf.get_variable_scope(), reuse=is_built or None, custom_getter=getter):
            tower = Tower(self.traits, is_training, dropout)
            x = normalise(images, self.traits.input_mean)
            maps = attention_network(tower, x) if self.traits.attention else stacked_hourglass(tower, x)
        if not is_built:
            self._variables = [variable for variable in tf.global_variables() if variable not in known]
        return tf.stack([tf.cast(logits, tf.float32) for logits in maps], axis=1)

    def variables(self):
        """Return the variables that make up the network, once it is built: weights and moving batch statistics."""
        return list(self._variables or ())


def stacked_hourglass(tower, x):
    """Return the list of logits (N, H, W, J) of all stacks for normalised images."""
    traits = tower.traits
    maps, features_of_first = [], None
    with tower.scope('model'):
        x = _stem(tower, x)
        for index in range(traits.num_stacks):
            is_last = index + 1 == traits.num_stacks
            with tower.scope('stack_%d' % index):
                y = hourglass(tower, x, traits.depth)
                if not traits.is_modelzoo:
                    y = residuals(tower, y, 'residual')
                y = tower.drop(y, traits.drop_rate)
                # Where the original's tiny network feeds this layer back, it bears the name of what else is fed back.
                is_fed_back = traits.is_modelzoo and traits.tiny and not is_last
                y = tower.conv_batch_norm_relu(y, traits.num_features, 'features_back' if is_fed_back else 'linear')
                features = y if is_fed_back or is_last else tower.conv(y, traits.num_features, name='features_back')
                logits = tower.conv(y, traits.num_joints, name='heatmaps')
                logits = tower.batch_norm_relu(logits) if traits.modif else logits
                maps.append(logits)
                if not is_last:
                    # Features and predictions go back into the features of the next stack (section 3.3).
                    if traits.is_modelzoo and not traits.tiny:
                        # The original code feeds those of its first stack back to every one; the others are idle.
                        features = features_of_first = features if index == 0 else features_of_first
                    x = x + features + tower.conv(logits, traits.num_features, name='heatmaps_back')
    return maps


def _stem(tower, x):
    """Bring the image to a quarter of its size (section 3.2: 7x7 convolution, residual, pooling, residuals)."""
    traits = tower.traits
    first, second, third = traits.stem_features
    with tower.scope('stem'):
        x = tower.batch_norm_relu(tower.conv(x, first, 6 if traits.is_modelzoo else 7, stride=2, name='conv_in'))
        x = max_pool(residual(tower, x, second, 'residual_0'))
        if not (traits.is_modelzoo and traits.tiny):
            x = residual(tower, x, third, 'residual_1')
        return residual(tower, x, traits.num_features, 'residual_2')


def normalise(images, mean=(0.5, 0.5, 0.5)):
    """Return images as the network takes them: float32 in [0, 1], minus a mean of each channel.

    images: float in [0, 1] or uint8 in 0..255.
    """
    if images.dtype == tf.uint8:
        images = tf.cast(images, tf.float32) * (1.0 / 255.0)
    images = tf.cast(images, tf.float32)
    return images - tf.constant(mean, tf.float32) if any(mean) else images
