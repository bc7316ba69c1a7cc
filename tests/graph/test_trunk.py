"""Biases of features that only batch norms read: training does not depend on them and leaves them as they are."""

import numpy as np
import pytest

from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.tf_compat import tf

NETWORKS = [('newell', 1, False), ('newell', 2, True), ('newell_attention', 2, False)]


class Built:
    """The training build of a small network on noise, in a session. Use as a context."""

    def __init__(self, arch, stacks, person):
        with tf.Graph().as_default():
            tf.set_random_seed(1)
            model = HourglassModel(arch=arch, num_stacks=stacks, num_features=16, input_size=64, person=person)
            images = tf.constant(np.random.RandomState(0).uniform(size=(4, 64, 64, 3)), tf.float32)
            logits, person = model.build_outputs(images, True)
            self.outputs = [logits] if person is None else [logits, person]
            self.biases = [variable for variable in tf.trainable_variables() if variable.op.name.endswith('biases')]
            loss = tf.add_n([tf.reduce_sum(output**2) for output in self.outputs])
            self.gradients = tf.gradients(loss, self.biases)
            self.session = tf.Session()
            self.session.run(tf.global_variables_initializer())

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.session.close()


@pytest.mark.parametrize('arch, stacks, person', NETWORKS)
def test_the_output_in_training_does_not_depend_on_biases_without_gradient(arch, stacks, person):
    with Built(arch, stacks, person) as built:
        before = built.session.run(built.outputs)
        random = np.random.RandomState(2)
        for bias, gradient in zip(built.biases, built.gradients):
            if gradient is None:
                bias.load(random.uniform(-2, 2, bias.shape.as_list()), built.session)
        for output, expected in zip(built.session.run(built.outputs), before):
            # Thirty layers of float32 rounding on features whose means are a few times their deviations.
            np.testing.assert_allclose(output, expected, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize('arch, stacks, person', NETWORKS)
def test_the_biases_with_gradient_are_those_of_outputs_and_attention(arch, stacks, person):
    with Built(arch, stacks, person) as built:
        learning = {bias.op.name for bias, grad in zip(built.biases, built.gradients) if grad is not None}
        assert learning == {
            bias.op.name
            for bias in built.biases
            if any(part in ('heatmaps', 'person', 'attention') for part in bias.op.name.split('/'))
        }
        assert len(learning) < len(built.biases) / 2


def test_biases_that_do_not_learn_count_in_evaluation():
    with tf.Graph().as_default(), tf.Session() as session:
        model = HourglassModel(arch='newell', num_stacks=1, num_features=8, input_size=64)
        logits = model.build_logits(tf.zeros([1, 64, 64, 3]), False)
        session.run(tf.global_variables_initializer())
        bias = [each for each in tf.trainable_variables() if each.op.name.endswith('residual_0/conv_3/biases')][-1]
        before = session.run(logits)
        bias.load(np.ones(8), session)
        assert np.abs(session.run(logits) - before).max() > 1e-3
