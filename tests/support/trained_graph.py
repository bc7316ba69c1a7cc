"""A TrainGraph of a network of one layer in a session, and batches for it."""

from types import SimpleNamespace

import numpy as np

from graph_values import graph_values
from hourglass_pose.input.generator import Batch
from hourglass_pose.representations.table import make_codec
from hourglass_pose.runtime.native import NativeRuntime
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.optimizer import ScheduleSettings
from hourglass_pose.training.pipeline import training_arrays
from hourglass_pose.training.train_graph import TrainGraph
from one_layer_model import OneLayerModel

ROWS = 4
_OF_NETWORK = ('weights', 'biases', 'gamma', 'beta', 'moving_mean', 'moving_variance')
CPU = NativeRuntime('cpu', 'float32', intra_threads=1)
CONSTANT_RATE = ScheduleSettings(100, 0.05, 'exponential', decay=1.0)


class Trained:
    """A TrainGraph in a session. Use as a context."""

    def __init__(self, runtime=CPU, drop_rate=0.0, loss='softmax', **options):
        self.runtime = runtime
        self.graph = tf.Graph()
        with self.graph.as_default():
            model = OneLayerModel()
            model.hyperparameters = SimpleNamespace(**dict(vars(model.hyperparameters), drop_rate=drop_rate))
            self.codec = make_codec(2, 4, 32.0, loss)  # a sigma of one cell
            self.train = TrainGraph(model, self.codec, runtime, CONSTANT_RATE, ROWS, 2, **options)
            self.session = tf.Session(config=runtime.session_config())
            self.session.run(self.train.initialisation)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.session.close()

    def step(self, batch):
        fetches = [self.train.train_op, self.train.loss, self.train.gradient_norm]
        return self.session.run(fetches, self.feed(batch))[1:]

    def feed(self, batch):
        return dict(zip(self.train.input.tensors, training_arrays(batch)))

    def everything(self):
        """Return {name: value} of all that a checkpoint would hold."""
        return graph_values(self.session)

    def values(self, ending=''):
        """Return {name: value} of the network's variables, or of those with another ending of the name."""
        endings = (ending,) if ending else _OF_NETWORK
        return {
            name[: len(name) - len(ending)].rstrip('/'): value
            for name, value in self.everything().items()
            if name.startswith('model/') and name.split('/')[-1] in endings
        }


def batch_of(rng, mask=(1, 1, 1, 1)):
    return Batch(
        rng.randint(0, 256, (ROWS, 8, 8, 3)).astype(np.uint8),
        rng.uniform(0, 7, (ROWS, 3, 2)),
        np.ones((ROWS, 3), bool),
        np.ones((ROWS, 3), np.float32),
        np.array(mask, np.float32),
        np.arange(ROWS),
        None,
        np.zeros((ROWS, 2), np.float32),
    )
