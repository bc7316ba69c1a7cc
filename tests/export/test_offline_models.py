"""Offline models on the disk: each kind of layer gives in ONNX and in a SavedModel what it gives in TensorFlow."""

from types import SimpleNamespace

import numpy as np
import pytest
from golden.make_golden import network_session

from hourglass_pose.export.offline_models import (
    FrozenModel,
    OnnxModel,
    SavedModel,
    write_frozen,
    write_onnx,
    write_saved_model,
)
from hourglass_pose.graph import layers, rewrites
from hourglass_pose.tf_compat import tf
from named_weights import set_weights

SHAPE = (2, 16, 16, 3)


def depthwise(x):
    return tf.nn.depthwise_conv2d(x, layers.kernel(5, 3, 1), [1, 1, 1, 1], 'SAME')


# What the networks are made of. A stride of two pads alike on both sides, which differs from 'SAME'.
LAYERS = {
    'strided 7x7': lambda x: layers.conv(x, 4, 7, 2),
    'strided 6x6': lambda x: layers.conv(x, 4, 6, 2, has_bias=False),
    '3x3': lambda x: layers.conv(x, 4, 3),
    'pool': layers.max_pool,
    'depthwise': depthwise,
    'upsampling': lambda x: layers.add_upsampled(x, layers.max_pool(x)),
    'batch norm': lambda x: tf.nn.relu(layers.batch_norm(x, False)),
    'sigmoid': lambda x: tf.sigmoid(x) * x,
}


@pytest.fixture(scope='module')
def all_layers():
    """Return an offline model with an output for each of LAYERS, `image` and `expected` by name."""
    with tf.Graph().as_default(), network_session() as session:
        image = tf.placeholder(tf.float32, SHAPE, 'image')
        outputs = []
        for index, name in enumerate(sorted(LAYERS)):
            with tf.variable_scope(f'layer_{index}'):
                outputs.append(LAYERS[name](image))
        outputs = [tf.identity(output, f'output_{index}') for index, output in enumerate(outputs)]
        set_weights(session, tf.global_variables())
        values = np.random.RandomState(5).uniform(-1, 1, SHAPE).astype(np.float32)
        nodes = rewrites.freeze(session, outputs)
        expected = dict(zip(sorted(LAYERS), session.run(outputs, {image: values})))
    nodes, _, _ = rewrites.fold_batch_norms(nodes)
    nodes, _ = rewrites.name_upsamplings(nodes)
    return SimpleNamespace(
        rounded_convolutions=0,
        graph_def=rewrites.graph_def_of(nodes),
        image=values,
        expected=expected,
        outputs=tuple(f'output_{index}' for index in range(len(LAYERS))),
    )


def check(model, all_layers):
    found = dict(zip(sorted(LAYERS), model.run(all_layers.image)))
    model.close()
    for name, expected in all_layers.expected.items():
        assert found[name].shape == expected.shape, name
        # Up to 147 products are added up: rounding of their sum in another order.
        assert np.abs(found[name] - expected).max() <= 147 * 2.0**-24 * np.abs(expected).max(), name


@pytest.mark.parametrize('write, model', [(write_frozen, FrozenModel), (write_saved_model, SavedModel)])
def test_every_layer_is_the_same_in_tensorflow(all_layers, tmpdir, write, model):
    path = str(tmpdir.join('model'))
    write(all_layers, path)
    check(model(path, all_layers.outputs), all_layers)


@pytest.mark.parametrize('opset', [11, 15])
def test_every_layer_is_the_same_in_onnx(all_layers, tmpdir, opset):
    for package in ('tf2onnx', 'onnx', 'onnxruntime'):
        pytest.importorskip(package, reason='the extra `onnx` is not installed')
    path = str(tmpdir.join('model.onnx'))
    write_onnx(all_layers, path, opset)
    check(OnnxModel(path, all_layers.outputs), all_layers)
