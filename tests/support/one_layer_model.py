"""A network of one layer in place of HourglassModel, so that NumPy can check what is built around it."""

from types import SimpleNamespace

from hourglass_pose.graph.layers import batch_norm, conv
from hourglass_pose.graph.model import normalise
from hourglass_pose.tf_compat import tf


class OneLayerModel:
    """Logits are a batch-normalised 1x1 convolution of every fourth pixel; dropout acts on these pixels."""

    def __init__(
        self,
        hyperparameters=SimpleNamespace(
            input_size=8,
            heatmap_size=2,
            num_joints=3,
            drop_rate=0.0,
            input_mean=(0.5, 0.5, 0.5),
            gives_person=False,
            describe=lambda: 'one layer',
        ),
    ):
        self.hyperparameters = hyperparameters
        self._variables = None

    def build_logits(self, *arguments, **options):
        return self.build_outputs(*arguments, **options)[0]

    def build_outputs(self, images, is_training, dropout=None, getter=None):
        with tf.variable_scope('model', reuse=self._variables is not None, custom_getter=getter):
            x = normalise(images)[:, ::4, ::4]
            if is_training and self.hyperparameters.drop_rate:
                x = dropout(x, self.hyperparameters.drop_rate, 0)
            y = batch_norm(conv(x, self.hyperparameters.num_joints), is_training)
        self._variables = self._variables or tf.global_variables('model/')
        return tf.expand_dims(y, 1), None

    def variables(self):
        return self._variables
