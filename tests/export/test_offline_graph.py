"""OfflineGraph: every architecture gives what its golden network gave, from operations that ATC knows."""

import numpy as np
import pytest
from golden.make_golden import GOLDEN

from hourglass_pose.representations.table import make_codec
from hourglass_pose.tf_compat import tf
from offline_networks import golden_network, offline_graph, run_graph

# Of these the networks are made; all are in the list of TensorFlow operators that ATC parses.
NETWORK_OPERATIONS = {
    'Placeholder',
    'Const',
    'Cast',
    'Mul',
    'Sub',
    'Pad',
    'Conv2D',
    'DepthwiseConv2dNative',
    'BiasAdd',
    'Relu',
    'AddV2',
    'MaxPool',
    'ResizeNearestNeighbor',
    'Sigmoid',
    'Identity',
}
DECODING_OPERATIONS = NETWORK_OPERATIONS | {
    'Transpose',
    'Reshape',
    'ArgMax',
    'FloorDiv',
    'GreaterEqual',
    'Greater',
    'Less',
    'LogicalAnd',
    'Abs',
    'Square',
    'Exp',
    'Log',
    'Maximum',
    'Minimum',
    'BatchMatMul',
    'BatchMatMulV2',
    'StridedSlice',
    'RealDiv',
    'Sign',
    'Pack',
    'Max',
    'Softmax',
}


@pytest.fixture(scope='module')
def tiny(tmpdir_factory):
    """Return the golden network that is built soonest."""
    return golden_network('newell_tiny', tmpdir_factory.mktemp('newell_tiny'))


@pytest.fixture(scope='module')
def tiny_offline(tiny):
    return offline_graph(tiny.stored)


def beyond_bound(offline, found, expected):
    """Return by how many times its bound a map differs."""
    return np.abs(found - expected).max() / (offline.relative_bound * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize('name', sorted(GOLDEN))
def test_every_architecture_gives_what_it_gave_when_it_was_made(tmpdir, name):
    golden = golden_network(name, tmpdir)
    offline = offline_graph(golden.stored)
    (found,) = run_graph(offline, golden.image)
    assert offline.output_shapes == (found.shape,) and found.dtype == np.float32
    assert beyond_bound(offline, found, golden.output) <= 1
    assert {node.op for node in offline.graph_def.node} <= NETWORK_OPERATIONS
    assert offline.folded > 0 and offline.spelled_out > 0


def test_an_error_of_a_thousandth_in_one_weight_is_beyond_the_bound(tiny, tiny_offline):
    changed = tf.GraphDef()
    changed.CopyFrom(tiny_offline.graph_def)
    (node,) = [node for node in changed.node if node.name == 'model/stack_1/heatmaps/biases']
    values = tf.make_ndarray(node.attr['value'].tensor)
    values[0] += 0.001 * np.abs(tiny.output).max()
    node.attr['value'].tensor.CopyFrom(tf.make_tensor_proto(values))
    assert beyond_bound(tiny_offline, run_graph(tiny_offline, tiny.image)[0], tiny.output) <= 1
    assert beyond_bound(tiny_offline, run_graph(tiny_offline, tiny.image, changed)[0], tiny.output) > 10


def test_the_bound_follows_from_the_additions_on_the_longest_path(tiny_offline):
    # conv_in 7x7x3; two stem residuals of 1x1, 3x3, 1x1 whose skips are shorter; and so on through both stacks.
    assert (
        7 * 7 * 3
        < tiny_offline.additions
        < sum(
            np.prod([dim.size for dim in node.attr['value'].tensor.tensor_shape.dim][:3])
            for node in tiny_offline.graph_def.node
            if node.name.endswith('weights')
        )
        + len(tiny_offline.graph_def.node)
    )
    assert tiny_offline.relative_bound == 16 * 2.0**-24 * np.sqrt(tiny_offline.additions)


def test_what_aipp_prepares_gives_the_same(tiny):
    offline = offline_graph(tiny.stored, normalise='aipp')
    assert offline.input_type == 'float32' and offline.input_mean == (0.5, 0.5, 0.5)
    prepared = offline.prepare(tiny.image)
    np.testing.assert_allclose(prepared, tiny.image / 255.0 - 0.5, atol=1e-7)
    assert beyond_bound(offline, run_graph(offline, prepared)[0], tiny.output) <= 1


def test_the_batch_is_fixed_and_changes_nothing(tiny):
    offline = offline_graph(tiny.stored, batch=3)
    assert offline.input_shape == (3, 32, 32, 3)
    (found,) = run_graph(offline, np.repeat(tiny.image[:1], 3, axis=0))
    assert beyond_bound(offline, found, tiny.output[:1]) <= 1


def test_decoded_joints_are_those_of_the_codec(tiny):
    offline = offline_graph(tiny.stored, decode=True, loss='softmax', decoding='dark')
    joints, scores = run_graph(offline, tiny.image)
    codec = make_codec(8, 4, 2.0, 'softmax', 'dark')
    expected_joints, expected_scores = codec.decode(codec.maps_of_logits(tiny.output))
    assert offline.outputs == ('joints', 'scores') and offline.output_shapes == (joints.shape, scores.shape)
    # A relative change of maps by the bound moves a peak by this over its relative curvature, here of order one.
    assert np.abs(joints - expected_joints).max() < 0.05
    assert np.abs(scores - expected_scores).max() < 1e-4
    assert {node.op for node in offline.graph_def.node} <= DECODING_OPERATIONS
