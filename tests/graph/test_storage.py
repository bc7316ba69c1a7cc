"""Storage: variables that are joined in vectors start and learn as separate ones, and keep their names."""

import numpy as np
import pytest

from graph_values import graph_values
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.graph.storage import Storage, declare, declared_variables
from hourglass_pose.runtime.native import NativeRuntime
from hourglass_pose.tf_compat import tf
from one_layer_model import OneLayerModel
from trained_graph import CPU, Trained, batch_of


@pytest.mark.parametrize('joins', [False, True])
def test_initial_values_follow_from_the_seed_and_the_names_alone(joins):
    model, found = OneLayerModel(), []
    for has_more in (False, True):
        with tf.Graph().as_default(), tf.Session() as session:
            tf.set_random_seed(3)
            if has_more:
                tf.random.uniform([2])
            Storage(declared_variables(model), joins)
            session.run(tf.global_variables_initializer())
            found.append(graph_values(session)['model/conv/weights'])
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(3)
        OneLayerModel().build_logits(tf.zeros([1, 8, 8, 3]), True)
        session.run(tf.global_variables_initializer())
        found.append(graph_values(session)['model/conv/weights'])
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])


class Separate(NativeRuntime):
    """A CPU that keeps each variable by itself, as an NPU does."""

    joins_variables = False


@pytest.mark.parametrize('optimizer', ['adam', 'adamw', 'rmsprop'])
def test_joined_variables_are_trained_as_separate_ones(rng, optimizer):
    batches, found = [batch_of(rng) for _ in range(3)], []
    for runtime in (CPU, Separate('cpu', 'float32', 1)):
        # The softmax does not change with a map's offset, whose gradient would be rounding errors that Adam enlarges.
        options = {'loss': 'mse', 'weight_decay': 0.1, 'ema_decay': 0.5, 'clip_norm': 0.5, 'seed': 1}
        with Trained(runtime, optimizer=optimizer, **options) as trained:
            for batch in batches:
                trained.step(batch)
            found.append(trained.everything())
            joined = [variable.op.name for variable in trained.graph.get_collection('variables')]
            assert any(name.startswith('joined/') for name in joined) == (runtime is CPU)
    assert set(found[0]) == set(found[1])
    for name in found[1]:
        np.testing.assert_allclose(found[0][name], found[1][name], rtol=1e-5, atol=1e-7, err_msg=name)


def test_a_declaration_creates_no_variable_and_knows_those_of_a_build():
    with tf.Graph().as_default() as graph:
        model = HourglassModel(arch='newell', num_stacks=1, num_features=8, input_size=64, person=True)
        declared, drawn = declare(model)
        assert not graph.get_operations() and not drawn.get_collection('variables')
        model.build_outputs(tf.zeros([1, 64, 64, 3]), False)
        built = tf.global_variables()
        assert [(each.name, each.shape) for each in declared] == [
            (variable.op.name, tuple(variable.shape.as_list())) for variable in built
        ]
        trained = [variable.op.name for variable in tf.trainable_variables()]
        assert [each.name for each in declared if each.is_trainable] == trained
