"""Weights of one network for another: what is shared computes as before, and what is new is named."""

import os
from dataclasses import replace

import cv2
import numpy as np
import pytest

from hourglass_pose.checkpoints.inference import InferenceRecord
from hourglass_pose.checkpoints.stored import StoredNetwork, check_transferable
from hourglass_pose.checkpoints.transfer import initialise_from
from hourglass_pose.checkpoints.variables import VariableSaver, assign, network_values, shapes_of
from hourglass_pose.errors import CheckpointError
from hourglass_pose.graph.architectures import make_hyperparameters
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.images import read_image
from hourglass_pose.tf_compat import tf
from named_weights import weights_of

JOINTS = ['r_wrist', 'neck', 'l_wrist']
RECORD = InferenceRecord(
    joints=tuple(JOINTS),
    kept_joints=(True,) * 3,
    input_size=16,
    heatmap_size=4,
    loss='softmax',
    sigma=2.0,
    decoding='dark',
    flip_test=False,
    box_margin=0.2,
)
HYPERPARAMETERS = make_hyperparameters(
    num_stacks=2, num_features=8, num_poolings=1, num_joints=3, input_size=16, stem_features=(4, 4)
)


@pytest.fixture(scope='module')
def stored():
    values = {name: weights_of(name, shape) for name, shape in shapes_of(HYPERPARAMETERS).items()}
    return StoredNetwork('weights', None, HYPERPARAMETERS, RECORD, variables=values)


def run(stored, hyperparameters, joints, images):
    """Return (lines, logits, {name: value}) of a network with random weights, initialised from a stored one."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = HourglassModel(hyperparameters)
        logits = model.build_logits(tf.constant(images), False)
        session.run(tf.global_variables_initializer())
        lines = initialise_from(session, VariableSaver('net'), hyperparameters, joints, stored)
        names = [variable.op.name for variable in model.variables()]
        return lines, session.run(logits), dict(zip(names, session.run(model.variables())))


@pytest.fixture
def images(synthetic_people):
    """Return two pictures of rendered people, (2, 16, 16, 3) float32 in [0, 1]."""
    folder = os.path.join(os.path.dirname(synthetic_people), 'images')
    pictures = [cv2.resize(read_image(os.path.join(folder, f'00000{number}.jpg')), (16, 16)) for number in (1, 2)]
    return np.stack(pictures).astype(np.float32) / np.float32(255)


@pytest.fixture
def expected(stored, images):
    """Return the logits of the stored network."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = HourglassModel(HYPERPARAMETERS)
        logits = model.build_logits(tf.constant(images), False)
        names = [variable.op.name for variable in model.variables()]
        assign(session, model.variables(), network_values(stored, names))
        return session.run(logits)


def test_same_network_computes_the_same(stored, images, expected):
    lines, logits, _ = run(stored, HYPERPARAMETERS, JOINTS, images)
    np.testing.assert_array_equal(logits, expected)
    assert not [line for line in lines if 'fresh' in line and 'optimizer' not in line]


def test_stacks_that_both_have_compute_the_same_and_further_ones_are_named(stored, images, expected):
    lines, logits, _ = run(stored, replace(HYPERPARAMETERS, num_stacks=3), JOINTS, images)
    np.testing.assert_array_equal(logits[:, :2], expected)
    assert 'model/stack_1/features_back' in ' '.join(lines)
    lines, logits, _ = run(stored, replace(HYPERPARAMETERS, num_stacks=1), JOINTS, images)
    np.testing.assert_array_equal(logits, expected[:, :1])


def test_another_input_size_keeps_every_weight(stored, rng):
    images = rng.uniform(size=(1, 32, 32, 3)).astype(np.float32)
    _, _, values = run(stored, replace(HYPERPARAMETERS, input_size=32), JOINTS, images)
    for name, value in values.items():
        np.testing.assert_array_equal(value, stored.variables[name])


def test_joints_of_one_name_keep_their_maps_in_another_order_number_and_spelling(stored, images, expected):
    joints = ['nose', 'left_wrist', 'neck', 'tail']
    lines, logits, values = run(stored, replace(HYPERPARAMETERS, num_joints=4), joints, images)
    # The first stack sees nothing of what the maps of the joints feed back.
    np.testing.assert_array_equal(logits[:, 0, :, :, 1:3], np.take(expected[:, 0], [2, 1], axis=-1))
    back = 'model/stack_0/heatmaps_back/weights'
    np.testing.assert_array_equal(values[back][:, :, 1:3], stored.variables[back][:, :, [2, 1]])
    # Biases of heads begin at zero; weights of new joints are random, and differ.
    assert values['model/stack_0/heatmaps/weights'][0, 0, :, 0].std() > 0
    text = '\n'.join(lines)
    assert '2 of 4 joints' in text and 'nose, tail' in text and 'left out: the maps of the joints r_wrist' in text


def test_a_person_output_starts_fresh_and_one_that_is_not_wanted_is_left_out(stored, images, expected):
    lines, logits, values = run(stored, replace(HYPERPARAMETERS, person=True), JOINTS, images)
    np.testing.assert_array_equal(logits, expected)
    fresh = sorted(name for name in values if name not in stored.variables)
    assert fresh and all(name.startswith('model/person/') for name in fresh)
    assert 'starts fresh: 4 variables, the first: model/person/hidden/' in '\n'.join(lines)
    variables = {name: weights_of(name, value.shape) for name, value in values.items()}
    with_person = replace(stored, hyperparameters=replace(HYPERPARAMETERS, person=True), variables=variables)
    lines, logits, values = run(with_person, HYPERPARAMETERS, JOINTS, images)
    np.testing.assert_array_equal(logits, expected)
    assert set(values) == set(stored.variables) and 'person' not in '\n'.join(lines)


def test_no_shared_joint_starts_all_heads_fresh(stored, images):
    lines, _, values = run(stored, HYPERPARAMETERS, ['a', 'b', 'c'], images)
    assert '0 of 3 joints' in lines[0] and 'a, b, c' in lines[1]
    head = 'model/stack_0/heatmaps/weights'
    assert not np.array_equal(values[head], stored.variables[head])
    linear = 'model/stack_0/linear/weights'
    np.testing.assert_array_equal(values[linear], stored.variables[linear])


@pytest.mark.parametrize(
    'change, key',
    [
        ({'num_features': 16}, 'nFeat: 8 / 16'),
        ({'num_poolings': 2}, 'nLow'),
        ({'tiny': True}, 'tiny'),
        ({'input_mean': (0,) * 3}, 'input_mean'),
    ],
)
def test_network_that_is_built_differently_is_refused_by_the_keys_that_differ(stored, change, key):
    with pytest.raises(CheckpointError, match=key):
        check_transferable(stored, replace(HYPERPARAMETERS, **change), JOINTS)


def test_original_attention_network_needs_the_same_joints_and_stacks():
    hyperparameters = make_hyperparameters(arch='modelzoo', attention=True, num_stacks=4, num_poolings=1, num_joints=3)
    stored = StoredNetwork('hg', 'hg', hyperparameters, RECORD)
    check_transferable(stored, hyperparameters, JOINTS)
    for other, joints in ((replace(hyperparameters, num_stacks=2), JOINTS), (hyperparameters, ['a', 'b', 'c'])):
        with pytest.raises(CheckpointError, match='nStack|joints'):
            check_transferable(stored, other, joints)
