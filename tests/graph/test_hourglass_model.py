"""HourglassModel is the published network: against NumPy, in its shapes, and in what depends on what."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hourglass_pose import HourglassModel
from hourglass_pose.graph.architectures import hyperparameters_from_dict, make_hyperparameters
from hourglass_pose.graph.layers import MOVING_STATISTICS
from hourglass_pose.runtime.native import NativeRuntime
from hourglass_pose.tf_compat import tf
from reference_network import Network

SMALL = make_hyperparameters(
    num_stacks=2, num_features=8, num_poolings=2, num_joints=3, input_size=32, stem_features=(4, 6)
)
SMALLEST = replace(SMALL, num_stacks=1, num_poolings=1, input_size=16)


def session_of(graph, initialise=True):
    session = tf.Session(graph=graph, config=NativeRuntime('cpu', 'float32', intra_threads=1).session_config())
    if initialise:
        session.run(tf.global_variables_initializer())
    return session


def randomise(session, variables, rng):
    """Give every variable a random value and return {name: value}."""
    values = {}
    for variable in variables:
        shape, name = variable.shape.as_list(), variable.op.name
        if name.endswith(('gamma', 'moving_variance')):
            values[name] = rng.uniform(0.5, 1.5, shape)
        else:
            values[name] = rng.normal(scale=0.3 if len(shape) == 1 else np.prod(shape[:3]) ** -0.5, size=shape)
    # One call for all: a call for each would optimise the graph each time.
    session.run(
        [variable.initializer for variable in variables],
        {variable.initializer.inputs[1]: values[variable.op.name] for variable in variables},
    )
    return values


@pytest.mark.parametrize(
    'hyperparameters, is_training',
    [
        (SMALL, False),
        (replace(SMALL, num_modules=2, num_poolings=1, tiny=True, num_features=12, stem_features=(4, 8)), True),
    ],
)
def test_whole_network_agrees_with_numpy(rng, hyperparameters, is_training):
    images = rng.uniform(size=(2, 32, 32, 3)).astype(np.float32)
    with tf.Graph().as_default() as graph:
        model = HourglassModel(hyperparameters)
        logits = model.build(tf.constant(images), is_training)
        with session_of(graph, initialise=False) as session:
            weights = randomise(session, model.variables(), rng)
            y = session.run(logits)
    network = Network(hyperparameters, weights, is_training)
    expected = network.forward(images)
    assert network.used == set(weights), 'a variable that the network does not need'
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize(
    'hyperparameters',
    [
        replace(SMALLEST, num_joints=1),
        replace(SMALLEST, num_stacks=3, num_joints=17),
        replace(SMALLEST, num_modules=2, num_poolings=3, input_size=96),
        replace(SMALLEST, num_poolings=4, input_size=64, tiny=True, stem_features=(4, 8)),
    ],
)
def test_every_stack_has_a_map_of_a_quarter_of_the_side_for_every_joint(hyperparameters):
    with tf.Graph().as_default():
        size = hyperparameters.input_size
        logits = HourglassModel(hyperparameters).build(tf.placeholder(tf.uint8, [2, size, size, 3]), False)
    assert logits.dtype == tf.float32
    assert logits.shape.as_list() == [2, hyperparameters.num_stacks, size // 4, size // 4, hyperparameters.num_joints]


def test_second_tower_has_the_variables_of_the_first_and_collects_no_statistics():
    with tf.Graph().as_default():
        model, images = HourglassModel(SMALLEST), tf.zeros([1, 16, 16, 3])
        assert model.variables() == []
        model.build(images, True)
        variables, statistics = tf.global_variables(), tf.get_collection(MOVING_STATISTICS)
        norms = sum(variable.op.name.endswith('gamma') for variable in variables)
        assert len(statistics) == 2 * norms > 0
        model.build(images, False)
        assert tf.global_variables() == variables == model.variables()
        assert tf.get_collection(MOVING_STATISTICS) == statistics


def test_variables_of_an_optimizer_are_not_the_networks():
    with tf.Graph().as_default():
        model = HourglassModel(SMALLEST)
        logits = model.build(tf.zeros([1, 16, 16, 3]), True)
        network = tf.global_variables()
        tf.train.AdamOptimizer().minimize(tf.reduce_mean(logits))
        assert model.variables() == network


def test_a_stack_sees_the_heatmaps_of_the_one_before_but_does_not_teach_back():
    with tf.Graph().as_default() as graph:
        model = HourglassModel(replace(SMALLEST, num_stacks=2))
        logits = model.build(tf.random.stateless_uniform([1, 16, 16, 3], [1, 2]), True)
        first = [v for v in model.variables() if v.op.name == 'model/stack_0/heatmaps/weights']
        later = [v for v in tf.trainable_variables() if v.op.name.startswith('model/stack_1/') or '_back/' in v.op.name]
        assert len(first) == 1 and len(later) > 10
        to_later = tf.gradients(tf.reduce_sum(tf.square(logits[:, 0])), later, unconnected_gradients='zero')
        to_first = tf.gradients(tf.reduce_sum(tf.square(logits[:, 1])), first)
        with session_of(graph) as session:
            back, through = session.run([to_later, to_first])
    assert not any(gradient.any() for gradient in back)
    assert through[0].any()


def test_dropout_is_for_training_only_and_repeats_with_its_seed():
    runtime = NativeRuntime('cpu', 'float32', intra_threads=1)
    with tf.Graph().as_default() as graph:
        model = HourglassModel(replace(SMALLEST, num_stacks=2, drop_rate=0.5))
        images, step = tf.random.stateless_uniform([1, 16, 16, 3], [1, 2]), tf.placeholder(tf.int64, [])
        asked = []

        def dropout(x, rate, stack):
            asked.append((rate, stack))
            return runtime.dropout(x, rate, step, stack)

        training = model.build(images, True, dropout)
        evaluation = model.build(images, False)
        with session_of(graph) as session:
            one, same, other = [session.run(training, {step: number}) for number in (3, 3, 4)]
            session.run(evaluation)  # does not ask for a step
    assert asked == [(0.5, 0), (0.5, 1)]
    assert np.array_equal(one, same)
    assert not np.allclose(one[:, 0], other[:, 0]) and not np.allclose(one[:, 1], other[:, 1])


def test_dropout_in_training_without_a_function_is_refused():
    with tf.Graph().as_default(), pytest.raises(ValueError, match='dropout: expected a function'):
        HourglassModel(replace(SMALLEST, drop_rate=0.5)).build(tf.zeros([1, 16, 16, 3]), True)


def test_bytes_mean_the_same_as_their_share_of_255(rng):
    crops = rng.randint(0, 256, (2, 16, 16, 3)).astype(np.uint8)
    with tf.Graph().as_default() as graph:
        model = HourglassModel(SMALLEST)
        towers = [model.build(tf.constant(array), False) for array in (crops, crops * np.float32(1 / 255.0))]
        with session_of(graph) as session:
            from_bytes, from_floats = session.run(towers)
    assert np.array_equal(from_bytes, from_floats)


def test_images_of_another_shape_are_refused_with_both_shapes():
    with tf.Graph().as_default(), pytest.raises(ValueError, match=r'\(N, 16, 16, 3\), found \(1, 16, 24, 3\)'):
        HourglassModel(SMALLEST).build(tf.zeros([1, 16, 24, 3]), False)


@pytest.mark.parametrize(
    'wrong, message',
    [
        (
            {'input_size': 40},
            r'input_size: expected a multiple of 4 \* 2\^num_poolings = 16, for instance 32, found 40',
        ),
        ({'num_stacks': 0}, 'num_stacks: expected an integer >= 1, found 0'),
        (
            {'stem_features': (4, 7)},
            'stem_features: expected None or a list of two or three integers >= 2, even but for the first',
        ),
        ({'stem_features': (4, 6, 8, 8)}, 'stem_features: expected None or a list of two or three integers'),
        ({'tiny': True}, 'stem_features: expected multiples of 4'),
        ({'input_mean': (0.5, 0.5)}, 'input_mean: expected a list of three numbers'),
        ({'num_joints': True}, 'num_joints: expected an integer >= 1, found True'),
    ],
)
def test_impossible_networks_are_refused_with_the_name_of_what_is_wrong(wrong, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **wrong)


def test_hyperparameters_survive_json_and_name_their_differences():
    other = replace(SMALL, num_stacks=4, stem_features=(4, 8))
    for hyperparameters in (SMALL, other, make_hyperparameters(arch='modelzoo', modif=True)):
        assert hyperparameters_from_dict(json.loads(json.dumps(hyperparameters.as_dict()))) == hyperparameters
    assert SMALL.differences(SMALL) == []
    assert SMALL.differences(other) == ['nStack: 2 / 4', 'stem_feat: [4, 6, 6] / [4, 8, 8]']


def test_model_takes_hyperparameters_or_their_values_but_not_both():
    assert HourglassModel(num_stacks=3).hyperparameters == make_hyperparameters(num_stacks=3)
    with pytest.raises(ValueError, match='not both'):
        HourglassModel(SMALL, num_stacks=3)
