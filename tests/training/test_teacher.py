"""A teacher's maps become part of the targets: their values, the gradient, other inputs and joints, and a whole run."""

import os
from dataclasses import replace

import cv2
import numpy as np
import pytest

import tiny_run as tiny
from hourglass_pose.checkpoints.inference import InferenceRecord
from hourglass_pose.checkpoints.stored import StoredNetwork, check_teacher
from hourglass_pose.checkpoints.variables import constants_of, shapes_of
from hourglass_pose.errors import CheckpointError, ConfigError
from hourglass_pose.experiment import starting
from hourglass_pose.experiment import training_run as session
from hourglass_pose.graph.architectures import make_hyperparameters
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.representations.table import graph_half, make_codec
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.teacher import Teacher
from named_weights import weights_of

JOINTS = ('r_wrist', 'neck', 'l_wrist')
ORDER = [2, 0, 1]
LEARNT = tuple(JOINTS[index] for index in ORDER)
WEIGHT, SIGMA = 0.3, 6.0
ON_MAPS = ('softmax', 'mse', 'sigmoid')


def teacher_network(loss='softmax', size=32):
    hyperparameters = make_hyperparameters(
        num_stacks=2, num_features=8, num_poolings=1, num_joints=3, input_size=size, stem_features=(4, 4)
    )
    values = {name: weights_of(name, shape) for name, shape in shapes_of(hyperparameters).items()}
    record = InferenceRecord(
        joints=JOINTS,
        kept_joints=(True, True, True),
        input_size=size,
        heatmap_size=size // 4,
        loss=loss,
        sigma=SIGMA,
        decoding='dark',
        flip_test=False,
        box_margin=0.2,
    )
    return StoredNetwork('teacher', None, hyperparameters, record, variables=values)


def logits_of(stored, images):
    """Logits of the last stack of a stored network for images in [0, 1], alone in a graph."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = HourglassModel(stored.hyperparameters)
        logits = model.build_logits(tf.constant(images), is_training=False, getter=constants_of(stored))
        return session.run(logits)[:, -1]


def mixed(stored, target, images, codec):
    with tf.Graph().as_default(), tf.Session() as session:
        teacher = Teacher(stored, LEARNT, WEIGHT)
        tensor = teacher.target(tf.constant(target), tf.constant(images), codec)
        assert not tf.global_variables() and not tf.local_variables()
        return session.run(tensor)


@pytest.mark.parametrize('loss', ON_MAPS)
def test_target_is_the_share_of_the_labels_and_of_the_teachers_maps_of_the_same_joints(rng, loss):
    stored, codec = teacher_network(loss), make_codec(8, 4, SIGMA, loss)
    images = rng.randint(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    target = rng.uniform(size=(2, 8, 8, 3)).astype(np.float32)
    maps = codec.maps_of_logits(logits_of(stored, images / np.float32(255)))[..., ORDER]
    expected = (1 - WEIGHT) * target + WEIGHT * maps
    np.testing.assert_allclose(mixed(stored, target, images, codec), expected, rtol=1e-4, atol=1e-5)
    assert np.ptp(maps) > 0.01


@pytest.mark.parametrize('loss', ON_MAPS)
def test_teacher_with_a_larger_input_sees_the_crop_enlarged(rng, loss):
    stored, codec = teacher_network(loss), make_codec(4, 4, SIGMA, loss)
    images = rng.randint(0, 256, (2, 16, 16, 3)).astype(np.uint8)
    target = np.zeros((2, 4, 4, 3), np.float32)
    # OpenCV's bilinear interpolation aligns the outer edges of the pixels, too.
    enlarged = np.stack([cv2.resize(image / np.float32(255), (32, 32)) for image in images])
    logits = np.stack([cv2.resize(image, (4, 4)) for image in logits_of(stored, enlarged)])[..., ORDER]
    expected = WEIGHT * codec.maps_of_logits(logits)
    np.testing.assert_allclose(mixed(stored, target, images, codec), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize('loss', ON_MAPS)
def test_gradient_is_that_of_both_losses_in_these_shares(rng, loss):
    codec = make_codec(16, 4, 4.0, loss)
    graph = graph_half(codec)
    # In the middle, where no Gaussian is cut: for softmax, maps of both kinds then have the same sum.
    joints = rng.uniform(24, 40, (2, 3, 2))
    of_labels, of_teacher = [
        codec.target_maps(joints + shift, np.ones((2, 3), bool)).astype(np.float32) for shift in (0, 3)
    ]
    values, weights = rng.normal(size=(2, 2, 16, 16, 3)).astype(np.float32), np.ones((2, 3), np.float32)

    def gradient(target):
        with tf.Graph().as_default(), tf.Session() as session:
            logits = tf.constant(values)
            loss = graph.loss(logits, tf.constant(target), tf.constant(weights))
            return session.run(tf.gradients(loss, logits)[0])

    expected = (1 - WEIGHT) * gradient(of_labels) + WEIGHT * gradient(of_teacher)
    found = gradient((1 - WEIGHT) * of_labels + WEIGHT * of_teacher)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_a_teacher_of_another_loss_or_without_a_trained_joint_is_refused():
    stored = teacher_network()
    check_teacher(stored, 'softmax', ['left_wrist', 'neck'])
    with pytest.raises(CheckpointError, match="'mse', and this one has 'softmax'; set Train.loss='softmax'"):
        check_teacher(stored, 'mse', JOINTS)
    with pytest.raises(CheckpointError, match='does not know head; choose another'):
        check_teacher(stored, 'softmax', ['neck', 'head'])
    untrained = replace(stored, inference=replace(stored.inference, kept_joints=(True, False, True)))
    with pytest.raises(CheckpointError, match='does not know neck'):
        check_teacher(untrained, 'softmax', JOINTS)


def test_a_joint_that_nobody_trains_needs_no_teacher(rng):
    stored, codec = teacher_network(), make_codec(8, 4, SIGMA)
    images = rng.randint(0, 256, (1, 32, 32, 3)).astype(np.uint8)
    with tf.Graph().as_default(), tf.Session() as session:
        teacher = Teacher(stored, ('neck', 'tail'), WEIGHT)
        target = session.run(teacher.target(tf.zeros([1, 8, 8, 2]), tf.constant(images), codec))
    assert target.shape == (1, 8, 8, 2)


def test_a_missing_teacher_and_a_loss_without_maps_are_named_before_a_run_begins(tmp_path, synthetic_people):
    folder = str(tmp_path / 'run')
    config = tiny.tiny_config(folder, synthetic_people, f"Train.teacher='{tmp_path}/none'")
    with pytest.raises(CheckpointError, match='none'):
        starting.train(config)
    assert not os.path.exists(folder)
    with pytest.raises(ConfigError, match="teacher: expected None, as loss 'integral' does not learn maps"):
        tiny.tiny_config(
            folder, synthetic_people, "Train.teacher='x'", "Train.loss='integral'", "Validation.decoding='dark'"
        )


def test_a_run_with_a_teacher_learns_from_it_and_saves_the_same_variables(
    tmp_path, person_run, synthetic_people, monkeypatch
):
    monkeypatch.setattr(session, 'write_results', lambda *arguments: None)
    found = []
    for name, settings in (('alone', []), ('taught', [f"Train.teacher='{person_run}'"])):
        folder = str(tmp_path / name)
        tiny.start(tiny.quick_config(folder, synthetic_people, 'Network.img_size=32', *settings))
        reader = tf.train.NewCheckpointReader(os.path.join(folder, 'latest', 'hourglass'))
        found.append({key: reader.get_tensor(key) for key in reader.get_variable_to_shape_map()})
    alone, taught = found
    assert {key: value.shape for key, value in alone.items()} == {key: value.shape for key, value in taught.items()}
    assert any(not np.array_equal(alone[key], taught[key]) for key in alone)
