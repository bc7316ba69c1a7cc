"""The person output: two layers over a grid of the last features, which do not change the rest of the network."""

from dataclasses import replace

import numpy as np
import pytest

from hourglass_pose import HourglassModel
from hourglass_pose.graph.architectures import make_hyperparameters
from hourglass_pose.graph.hyperparameters import HyperparameterError
from hourglass_pose.tf_compat import tf
from named_weights import set_weights
from reference_network import Network

SMALL = make_hyperparameters(
    num_stacks=2, num_features=8, num_poolings=1, num_joints=3, input_size=32, stem_features=(4, 6), person=True
)


@pytest.mark.parametrize('size, poolings, cells', [(32, 1, 4), (48, 2, 6), (64, 2, 4)])
def test_person_logits_agree_with_numpy(rng, size, poolings, cells):
    hyperparameters = replace(SMALL, input_size=size, num_poolings=poolings, num_stacks=1)
    images = rng.uniform(size=(3, size, size, 3)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        model = HourglassModel(hyperparameters)
        logits, person = model.build_outputs(tf.constant(images), is_training=False)
        weights = set_weights(session, model.variables())
        logits, person = session.run([logits, person])
    network = Network(hyperparameters, weights)
    np.testing.assert_allclose(logits, network.forward(images), rtol=1e-3, atol=1e-3)
    expected = network.person(cells)
    assert person.shape == (3,) and person.dtype == np.float32
    np.testing.assert_allclose(person, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    assert network.used == set(weights), 'a variable that the network does not need'


def initial_values(hyperparameters, images):
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(3)
        model = HourglassModel(hyperparameters)
        logits, person = model.build_outputs(tf.constant(images), is_training=True)
        session.run(tf.global_variables_initializer())
        names = [variable.op.name for variable in model.variables()]
        return dict(zip(names, session.run(model.variables()))), session.run(logits), person


@pytest.mark.parametrize(
    'hyperparameters',
    [
        SMALL,
        make_hyperparameters(
            arch='newell_attention',
            num_stacks=1,
            num_features=4,
            num_poolings=1,
            num_joints=2,
            input_size=16,
            stem_features=(2, 4),
            attention_kernel=3,
            person=True,
        ),
    ],
    ids=['newell', 'newell_attention'],
)
def test_the_rest_of_the_network_keeps_its_names_its_initial_values_and_its_maps(rng, hyperparameters):
    size = hyperparameters.input_size
    images = rng.uniform(size=(2, size, size, 3)).astype(np.float32)
    plain, maps, nothing = initial_values(replace(hyperparameters, person=False), images)
    values, found, person = initial_values(hyperparameters, images)
    assert nothing is None and person.shape.as_list() == [2]
    assert {name for name in values if name not in plain} == {
        f'model/person/{layer}/{kind}' for layer in ('hidden', 'logit') for kind in ('weights', 'biases')
    }
    for name, value in plain.items():
        np.testing.assert_array_equal(values[name], value)
    np.testing.assert_allclose(found, maps, rtol=1e-4, atol=1e-5)


def test_it_tells_the_middle_from_the_border(rng):
    """With features that only move, a mean over the whole map would give one and the same logit."""
    features = np.zeros((2, 16, 16, 8), np.float32)
    features[0, 6:10, 6:10] = features[1, :4, :4] = 1.0
    from hourglass_pose.graph.person_head import person_logits
    from hourglass_pose.graph.tower import Tower

    with tf.Graph().as_default(), tf.Session() as session:
        logits = person_logits(Tower(False), tf.constant(features))
        set_weights(session, tf.global_variables())
        middle, border = session.run(logits)
    assert abs(middle - border) > 0.01


def test_an_architecture_without_it_refuses_it():
    with pytest.raises(HyperparameterError, match='person'):
        make_hyperparameters(arch='modelzoo', person=True)
