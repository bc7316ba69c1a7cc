"""The loss of the person output, its gradient, and its sum with the loss of the joints."""

from dataclasses import replace

import numpy as np
import pytest

from hourglass_pose.graph.architectures import make_hyperparameters
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.input.generator import Batch
from hourglass_pose.representations.table import make_codec
from hourglass_pose.runtime.native import NativeRuntime
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.optimizer import ScheduleSettings
from hourglass_pose.training.person_loss import person_loss
from hourglass_pose.training.pipeline import training_arrays
from hourglass_pose.training.train_graph import TrainGraph

ROWS, SIZE, JOINTS = 3, 32, 2
NETWORK = make_hyperparameters(
    num_stacks=1, num_features=4, num_poolings=1, num_joints=JOINTS, input_size=SIZE, stem_features=(2, 4)
)


def by_hand(logits, labels):
    """(loss, its gradient by the logits): the mean of -log p and -log(1 - p), weighted."""
    targets, weights = labels.astype(np.float64).T
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    total = max(weights.sum(), 1.0)
    losses = -targets * np.log(p) - (1 - targets) * np.log(1 - p)
    return (losses * weights).sum() / total, weights * (p - targets) / total


def computed(logits, labels):
    with tf.Graph().as_default(), tf.Session() as session:
        given = tf.constant(logits)
        loss = person_loss(given, tf.constant(labels))
        return session.run([loss, tf.gradients(loss, given)[0]])


def test_loss_and_gradient_agree_with_numpy(rng):
    logits = rng.normal(scale=3, size=20).astype(np.float32)
    labels = np.stack([rng.randint(2, size=20), rng.choice([0, 0.5, 1], size=20)], axis=1).astype(np.float32)
    (loss, gradient), (expected, slope) = computed(logits, labels), by_hand(logits, labels)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-7)


def test_crops_without_a_certain_label_add_nothing():
    logits = np.array([100.0, -100.0, 3.0], np.float32)
    loss, gradient = computed(logits, np.array([[0, 0], [1, 0], [1, 0]], np.float32))
    assert loss == 0 and not gradient.any()


def batch_of(rng, labels, joint_weights):
    return Batch(
        rng.randint(0, 256, (ROWS, SIZE, SIZE, 3)).astype(np.uint8),
        rng.uniform(0, SIZE - 1, (ROWS, JOINTS, 2)),
        np.ones((ROWS, JOINTS), bool),
        np.array(joint_weights, np.float32)[:, None] * np.ones((ROWS, JOINTS), np.float32),
        np.ones(ROWS, np.float32),
        np.arange(ROWS),
        np.tile(np.eye(2, 3), (ROWS, 1, 1)),
        np.array(labels, np.float32),
    )


class Graph:
    """A TrainGraph of the smallest network, in a session. Use as a context."""

    def __init__(self, **options):
        self.graph = tf.Graph()
        with self.graph.as_default():
            runtime = NativeRuntime('cpu', 'float32', intra_threads=1)
            schedule = ScheduleSettings(100, 0.01, 'exponential', decay=1.0)
            hyperparameters = replace(NETWORK, person='person_weight' in options)
            self.train = TrainGraph(
                HourglassModel(hyperparameters), make_codec(SIZE // 4), runtime, schedule, ROWS, 2, seed=5, **options
            )
            self.session = tf.Session(config=runtime.session_config())
            self.session.run(self.train.initialisation)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.session.close()

    def loss(self, batch):
        return self.session.run(self.train.loss, dict(zip(self.train.input.tensors, training_arrays(batch))))


@pytest.fixture(scope='module')
def graphs():
    with Graph() as plain, Graph(person_weight=0.5) as with_person, Graph(person_weight=2.0) as heavy:
        yield plain, with_person, heavy


def test_the_loss_of_the_joints_is_that_of_a_network_without_it_plus_the_weighted_one(graphs, rng):
    plain, light, heavy = graphs
    labels = [[1, 1], [0, 1], [0, 0]]
    batch = batch_of(rng, labels, [1, 0, 1])
    joints, light_loss, heavy_loss = [graph.loss(batch) for graph in graphs]
    np.testing.assert_allclose((heavy_loss - joints) / (light_loss - joints), 4.0, rtol=1e-4)
    # Only crops with a label count: the third one's target changes nothing.
    assert light.loss(replace(batch, person_labels=np.array([[1, 1], [0, 1], [1, 0]], np.float32))) == light_loss
    # A masked row has no label either, whatever it says.
    masked = replace(batch, mask=np.array([1, 1, 0], np.float32))
    with_label = replace(masked, person_labels=np.array([[1, 1], [0, 1], [0, 1]], np.float32))
    assert light.loss(masked) == light.loss(with_label)
    assert len(plain.train.input.tensors) == 3 and plain.train.valid_person is None


def test_a_negative_adds_nothing_to_the_loss_of_the_joints(graphs, rng):
    plain = graphs[0]
    batch = batch_of(rng, [[1, 1], [0, 1], [1, 1]], [1, 0, 1])
    elsewhere = batch.joints_crop.copy()
    elsewhere[1] = SIZE / 2
    assert plain.loss(batch) == plain.loss(replace(batch, joints_crop=elsewhere))


def test_evaluation_gives_the_logits_of_any_number_of_crops(graphs, rng):
    graph, images = graphs[1], rng.randint(0, 256, (5, SIZE, SIZE, 3)).astype(np.uint8)
    found = graph.train.predict_person(graph.session, images)
    assert found.shape == (5,)
    for number in range(5):
        alone = graph.train.predict_person(graph.session, images[number : number + 1])
        np.testing.assert_allclose(alone, found[number], rtol=1e-3, atol=1e-4)
