"""Program of forked_ranks.py: some steps of plain descent on given batches, by one process or by many together.

Arguments: a folder, and JSON {"rows": persons of the joint batch, "steps": number, "arch": hyperparameters, "sync":
whether batch norm is synchronised, "odd": rank of a process with another network, "one_layer": whether the network is
OneLayerModel, "precision": that of the runtime, "turned": by how many rows the batch is rotated}. Each process takes
its share of the rows. It writes to folder/RANK-of-COUNT.npz the loss and the gradient's norm of each step, and all
variables before the first, after the first and after the last step: the change of a weight in the first step is its
gradient times RATE.
"""

import json
import os
from types import SimpleNamespace

import numpy as np

from graph_values import graph_values
from hourglass_pose.checkpoints.variables import VariableSaver
from hourglass_pose.graph.architectures import make_hyperparameters
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.representations.table import make_codec
from hourglass_pose.runtime.cluster.spec import cluster_of_environment
from hourglass_pose.runtime.selection import open_runtime
from hourglass_pose.tf_compat import tf
from hourglass_pose.training import train_graph
from hourglass_pose.training.optimizer import ScheduleSettings
from named_weights import weights_of
from one_layer_model import OneLayerModel

RATE = 1 / 256
"""Small, so that rounding does not grow from step to step."""


def joint_batches(rows, steps, size, joints):
    """Yield (images, joints, weights, person labels) of the joint batch of each step; rows differ in their labels."""
    rng = np.random.RandomState(6)
    for _ in range(steps):
        weights = rng.uniform(size=(rows, joints)) < np.linspace(0.05, 0.95, rows)[:, None]
        labels = np.stack([rng.uniform(size=rows) < 0.5, np.arange(rows) % 3 > 0], axis=1)
        yield (
            # Brightness differs between the rows, so the statistics of the shares do, too.
            (rng.uniform(0, 1, (rows, size, size, 3)) * np.linspace(50, 255, rows)[:, None, None, None]).astype(
                np.uint8
            ),
            rng.uniform(0, size - 1, (rows, joints, 2)).astype(np.float32),
            weights.astype(np.float32),
            labels.astype(np.float32),
        )


def model_of(options, rank):
    """Return the network of a process."""
    if options.get('one_layer'):
        model = OneLayerModel()
        if options.get('odd') == rank:
            model.hyperparameters = SimpleNamespace(**dict(vars(model.hyperparameters), num_joints=4))
        return model
    arch = options.get('arch', {'num_stacks': 1, 'stem_features': (4, 8, 8), 'person': True})
    small = {'num_features': 8, 'num_poolings': 1, 'num_joints': 5, 'input_size': 32, 'drop_rate': 0.0}
    return HourglassModel(make_hyperparameters(**dict(small, **arch)))


def main(arguments):
    folder, options = arguments[0], json.loads(arguments[1])
    train_graph.make_optimizer = lambda *others: tf.train.GradientDescentOptimizer(RATE)
    runtime = open_runtime('cpu', options.get('precision', 'float32'), 1, cluster=cluster_of_environment())
    share = options['rows'] // runtime.world_size
    with tf.Graph().as_default():
        model = model_of(options, runtime.rank)
        size, joints = model.hyperparameters.input_size, model.hyperparameters.num_joints
        graph = train_graph.TrainGraph(
            model,
            make_codec(model.hyperparameters.heatmap_size, 4, 16.0),
            runtime,
            ScheduleSettings(100, 1.0, 'exponential', decay=1.0),
            share,
            1,
            ema_decay=0.5,
            person_weight=0.5,
            sync_batch_norm=options.get('sync', True),
        )
        shapes = graph.storage.shapes
        saver = VariableSaver('net', shapes)
        with tf.Session(runtime.target, config=runtime.session_config()) as session:
            session.run(graph.initialisation)
            # Only the chief's count.
            scale = 1.0 if runtime.is_chief else 3.0
            saver.set(session, {name: scale * weights_of(name, shape) for name, shape in shapes.items()})
            runtime.prepare_session(session)
            found = {'losses': [], 'norms': []}
            for number, batch in enumerate(joint_batches(options['rows'], options['steps'], size, joints)):
                rows = np.roll(np.arange(options['rows']), options.get('turned', 0))[runtime.rank * share :][:share]
                feed = dict(zip(graph.input.tensors, [array[rows] for array in batch]))
                if number == 0:
                    found.update(_named('before', session))
                _, loss, norm = runtime.run(session, [graph.train_op, graph.loss, graph.gradient_norm], feed)
                found['losses'].append(np.mean(runtime.exchange(float(loss))))
                found['norms'].append(norm)
                if number == 0:
                    found.update(_named('first', session))
            found.update(_named('last', session))
    np.savez(os.path.join(folder, f'{runtime.rank}-of-{runtime.world_size}.npz'), **found)
    runtime.close()


def _named(moment, session):
    return {f'{moment}|{name.replace("/", "|")}': value for name, value in graph_values(session).items()}


class Steps:
    """What a process has written."""

    def __init__(self, folder, rank, count):
        with np.load(os.path.join(str(folder), f'{rank}-of-{count}.npz')) as stored:
            self._found = {name: stored[name] for name in stored.files}
        self.losses, self.norms = self._found['losses'], self._found['norms']

    def values(self, moment):
        """Return {name: value} of all variables 'before', after the 'first' and after the 'last' step."""
        start = f'{moment}|'
        return {
            name[len(start) :].replace('|', '/'): value for name, value in self._found.items() if name.startswith(start)
        }
