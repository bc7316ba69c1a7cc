"""Checkpoints that were made once still load by the names of their variables and give the numbers that they gave."""

import hashlib
import json
import os

import numpy as np
import pytest
from golden.make_golden import FOLDER, GOLDEN, WEIGHTS_NOT_KEPT, golden_path, network_session, unpack_checkpoint

from hourglass_pose import HourglassModel
from hourglass_pose.graph.architectures import hyperparameters_from_dict
from hourglass_pose.tf_compat import tf
from named_weights import set_weights, weights_of


def hyperparameters_of(name):
    with open(golden_path(name, 'hyperparameters.json')) as stream:
        return hyperparameters_from_dict(json.load(stream))


def kept_variables(name, folder):
    """Return {variable name: shape} of a golden network's checkpoint, or of its list of variables."""
    if name not in WEIGHTS_NOT_KEPT:
        reader = tf.train.NewCheckpointReader(unpack_checkpoint(name, folder))
        return reader.get_variable_to_shape_map()
    with open(golden_path(name, 'variables.txt')) as stream:
        pairs = [line.split() for line in stream]
    return {variable: [int(side) for side in shape.split('x')] for variable, shape in pairs}


@pytest.mark.parametrize('name', sorted(GOLDEN))
def test_checkpoint_fits_the_graph_of_its_hyperparameters_and_gives_its_logits(name, tmp_path):
    with np.load(golden_path(name, 'io.npz')) as file:
        image, expected = file['image'], file['logits']
    with tf.Graph().as_default():
        model = HourglassModel(hyperparameters_of(name))
        logits = model.build_logits(tf.constant(image), False)
        kept = kept_variables(name, tmp_path)
        assert {variable.op.name: variable.shape.as_list() for variable in model.variables()} == kept
        with network_session() as session:
            if name in WEIGHTS_NOT_KEPT:
                set_weights(session, model.variables())
            else:
                tf.train.Saver(model.variables()).restore(session, os.path.join(str(tmp_path), 'network'))
            found = session.run(logits)
    # Rounding of float32, whose sums each version of TensorFlow adds in an order of its own.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_folders_are_those_of_the_script_with_its_hyperparameters_and_small():
    folders = sorted(
        entry for entry in os.listdir(FOLDER) if os.path.exists(golden_path(entry, 'hyperparameters.json'))
    )
    assert folders == sorted(GOLDEN)
    assert {name: hyperparameters_of(name) for name in folders} == GOLDEN
    sizes = [
        os.path.getsize(os.path.join(folder, file))
        for folder, _, files in os.walk(FOLDER)
        for file in files
        if not file.endswith('.pyc')
    ]
    assert sum(sizes) < 2**20


def test_weights_of_a_name_are_the_same_bits_everywhere():
    digest = hashlib.sha256()
    for name, shape in (('model/conv/weights', (3, 3, 5, 4)), ('BatchNorm_1/moving_variance', (7,)), ('b/beta', (9,))):
        digest.update(weights_of(name, shape).astype('<f4').tobytes())
        digest.update(weights_of(name, shape, seed=1).astype('<f4').tobytes())
    assert digest.hexdigest() == '12cc84075947ca066252a28148f989d6bc0e43200e1f6c0a7ce19789623ac8aa'
