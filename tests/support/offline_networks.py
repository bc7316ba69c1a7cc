"""The golden networks as checkpoints to make offline models of, with their inputs and outputs."""

import os
from types import SimpleNamespace

import numpy as np
from golden.make_golden import GOLDEN, WEIGHTS_NOT_KEPT, golden_path, network_session, unpack_checkpoint

from hourglass_pose import HourglassModel
from hourglass_pose.checkpoints.stored import StoredNetwork
from hourglass_pose.export.offline_graph import build_offline_graph
from hourglass_pose.representations.table import make_codec
from hourglass_pose.tf_compat import tf
from named_weights import set_weights


def golden_network(name, folder):
    """Return a golden network with its attributes `stored`, `image` uint8 (2, S, S, 3) and `output` (2, H, W, J).

    output: of the last stack, as it was when the network was made.
    """
    hyperparameters = GOLDEN[name]
    prefix = _checkpoint(name, hyperparameters, folder)
    with np.load(golden_path(name, 'io.npz')) as file:
        image, output = file['image'], file['logits'][:, -1]
    if hyperparameters.gives_probabilities:
        output = 1.0 / (1.0 + np.exp(-output))
    return SimpleNamespace(stored=StoredNetwork(prefix, prefix, hyperparameters, {}, None), image=image, output=output)


def _checkpoint(name, hyperparameters, folder):
    if name not in WEIGHTS_NOT_KEPT:
        return unpack_checkpoint(name, folder)
    with tf.Graph().as_default(), network_session() as session:
        model = HourglassModel(hyperparameters)
        model.build_logits(tf.zeros([1, hyperparameters.input_size, hyperparameters.input_size, 3]), False)
        set_weights(session, model.variables())
        return tf.train.Saver(model.variables()).save(session, os.path.join(str(folder), 'network'))


def offline_graph(stored, batch=2, decode=False, normalise='in_graph', loss='sigmoid', decoding='dark'):
    codec = make_codec(stored.hyperparameters.heatmap_size, 4, 2.0, loss, decoding)
    return build_offline_graph(stored, stored.hyperparameters, codec, batch, decode, normalise)


def run_graph(offline, images, graph_def=None):
    """Return the output arrays of an OfflineGraph for a batch."""
    with tf.Graph().as_default(), network_session() as session:
        tf.import_graph_def(graph_def or offline.graph_def, name='')
        return session.run([f'{name}:0' for name in offline.outputs], {'image:0': images})
