"""HourglassModel: declares a network's input and builds its graph, any number of times over one set of variables."""

from importlib import import_module
from typing import Any, Callable, List, Optional, Sequence, Tuple

from hourglass_pose.graph.architectures import make_hyperparameters
from hourglass_pose.graph.hyperparameters import Hyperparameters, NetworkOutputs
from hourglass_pose.graph.tower import Dropout
from hourglass_pose.tf_compat import tf


class HourglassModel:
    """A pose network of any architecture: from images to one set of heatmaps per stack.

    The first build creates the variables, each further one shares them, for instance one for training and one for
    evaluation. The model owns no session, no loop and no files.
    """

    def __init__(self, hyperparameters: Optional[Hyperparameters] = None, **values: Any) -> None:
        """Select a network by its hyperparameters, or by their values as keywords, `arch` among them.

        Raises ValueError for a network that cannot be built.
        """
        if hyperparameters is not None and values:
            raise ValueError('give Hyperparameters or their values, not both')
        self.hyperparameters = hyperparameters or make_hyperparameters(**values)
        self._variables: Optional[List[tf.Variable]] = None

    def declare_images(self, batch_size: Optional[int] = None) -> 'tf.Tensor':
        """Return a uint8 placeholder (N, input_size, input_size, 3), named `images`, as `build` takes it."""
        size = self.hyperparameters.input_size
        return tf.placeholder(tf.uint8, [batch_size, size, size, 3], 'images')

    def build(
        self,
        images: 'tf.Tensor',
        is_training: bool,
        dropout: Optional[Dropout] = None,
        getter: Optional[Callable[..., Any]] = None,
    ) -> 'tf.Tensor':
        """Return the network's heatmaps for every stack, float32 (N, S, H, W, J): logits; with `modif` their sigmoid.

        Args:
            images: (N, input_size, input_size, 3) RGB; float in [0, 1], or uint8 in 0..255.
            is_training: batch statistics and dropout, and MOVING_STATISTICS collected, when True.
            dropout: function (x, rate, layer) -> x that drops features in training, layer being the number
                of the dropout layer; needed if the network has dropout.
            getter: custom getter of the variables, for a build that reads other values than the trained ones.

        Raises:
            ValueError: for images of another shape, and for training that needs a dropout without one.
        """
        return self.output_of(self.build_logits(images, is_training, dropout, getter))

    def output_of(self, logits: 'tf.Tensor') -> 'tf.Tensor':
        """Return the network's output for its logits."""
        return tf.sigmoid(logits) if self.hyperparameters.gives_probabilities else logits

    def build_logits(
        self,
        images: 'tf.Tensor',
        is_training: bool,
        dropout: Optional[Dropout] = None,
        getter: Optional[Callable[..., Any]] = None,
    ) -> 'tf.Tensor':
        """Return the logits (N, S, H, W, J) of every stack, which losses and decoding take.

        The arguments are those of `build_outputs`.
        """
        return self.build_outputs(images, is_training, dropout, getter)[0]

    def build_outputs(
        self,
        images: 'tf.Tensor',
        is_training: bool,
        dropout: Optional[Dropout] = None,
        getter: Optional[Callable[..., Any]] = None,
        is_normalised: bool = False,
    ) -> 'Tuple[tf.Tensor, Optional[tf.Tensor]]':
        """Return (logits (N, S, H, W, J) of every stack, person logits (N,) or None for a network without them).

        is_normalised: whether the images are float32 in [0, 1] from which the mean is already subtracted. The other
        arguments and errors are those of `build`.
        """
        size = self.hyperparameters.input_size
        if images.shape.as_list()[1:] != [size, size, 3]:
            raise ValueError(f'images: expected (N, {size}, {size}, 3), found {images.shape}')
        network = import_module(self.hyperparameters.network)
        is_built = self._variables is not None
        known = set(tf.global_variables())
        with tf.variable_scope(tf.get_variable_scope(), reuse=is_built or None, custom_getter=getter):
            x = images if is_normalised else normalise(images, self.hyperparameters.input_mean)
            outputs: NetworkOutputs = network.build(self.hyperparameters, x, is_training, dropout)
        if not is_built:
            self._variables = [variable for variable in tf.global_variables() if variable not in known]
        logits = tf.stack([tf.cast(logits, tf.float32) for logits in outputs.heatmaps], axis=1)
        return logits, None if outputs.person is None else tf.cast(outputs.person, tf.float32)

    def variables(self) -> List['tf.Variable']:
        """Return the variables that make up the network, once it is built: weights and moving batch statistics."""
        return list(self._variables or ())


def normalise(images: 'tf.Tensor', mean: Sequence[float] = (0.5, 0.5, 0.5)) -> 'tf.Tensor':
    """Return images as the network takes them: float32 in [0, 1], minus a mean of each channel.

    images: float in [0, 1] or uint8 in 0..255.
    """
    if images.dtype == tf.uint8:
        images = tf.cast(images, tf.float32) * (1.0 / 255.0)
    images = tf.cast(images, tf.float32)
    if not any(mean):
        return images
    # Broadcasting three numbers takes twenty times as long as one.
    return images - (tf.constant(mean, tf.float32) if len(set(mean)) > 1 else mean[0])
