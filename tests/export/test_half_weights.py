"""Weights in float16: the stored file is the network with rounded weights, half as large, for every library."""

import os

import numpy as np
import pytest
from golden.make_golden import GOLDEN

from hourglass_pose.cli import main
from hourglass_pose.export.half_weights import round_weights
from hourglass_pose.export.offline_models import write_onnx
from hourglass_pose.prediction.onnx_engine import OnnxRuntimeNetwork, OpenCvNetwork
from hourglass_pose.tf_compat import tf
from offline_networks import golden_network, offline_graph, run_graph

for package in ('tf2onnx', 'onnx', 'onnxruntime'):
    pytest.importorskip(package, reason='the extra `onnx` is not installed')


@pytest.fixture(scope='module')
def network(tmp_path_factory):
    return golden_network(sorted(GOLDEN)[0], tmp_path_factory.mktemp('golden'))


@pytest.fixture(scope='module')
def graphs(network):
    plain = offline_graph(network.stored)
    return plain, round_weights(plain)


@pytest.fixture(scope='module')
def files(graphs, tmp_path_factory):
    paths = [str(tmp_path_factory.mktemp('onnx') / name) for name in ('plain.onnx', 'half.onnx')]
    for graph, path in zip(graphs, paths):
        write_onnx(graph, path)
    return paths


def weights_of(graph):
    nodes = {node.name: node for node in graph.graph_def.node}
    names = [node.input[1] for node in nodes.values() if node.op == 'Conv2D']
    return {name: tf.make_ndarray(nodes[name].attr['value'].tensor) for name in names}


def test_only_weights_of_convolutions_are_rounded_and_by_at_most_half_a_unit(graphs):
    plain, rounded = (weights_of(graph) for graph in graphs)
    assert list(plain) == list(rounded) and len(plain) > 5
    for name, exact in plain.items():
        assert np.array_equal(rounded[name], exact.astype(np.float16).astype(np.float32))
    # Everything else is the same, bit for bit.
    for before, after in zip(*(graph.graph_def.node for graph in graphs)):
        assert before.name in plain or before == after


@pytest.mark.parametrize('library', [OnnxRuntimeNetwork, OpenCvNetwork])
def test_the_stored_file_gives_what_the_network_with_rounded_weights_gives(network, graphs, files, library):
    rounded = graphs[1]
    (expected,) = run_graph(rounded, network.image)
    (found,) = library(files[1], 'image', ['heatmaps']).run(network.image)
    exact = rounded.__class__(**{**vars(rounded), 'rounded_convolutions': 0})
    assert np.abs(found - expected).max() <= exact.relative_bound * np.abs(expected).max()


def test_the_difference_from_exact_weights_is_within_the_bound_of_the_gate_and_not_nothing(network, graphs):
    plain, rounded = (run_graph(graph, network.image)[0] for graph in graphs)
    difference = np.abs(plain - rounded).max() / np.abs(plain).max()
    assert graphs[0].relative_bound < difference <= graphs[1].relative_bound
    assert 'float16' in graphs[1].bound_formula and 'float16' not in graphs[0].bound_formula


def test_the_file_is_smaller_by_two_bytes_a_weight_and_valid(graphs, files):
    import onnx

    count = sum(values.size for values in weights_of(graphs[0]).values())
    model = onnx.load(files[1])
    onnx.checker.check_model(model)
    # A Cast has two names of its weights and an attribute.
    names = sum(4 * len(node.output[0]) + 60 for node in model.graph.node if node.op_type == 'Cast')
    saved = os.path.getsize(files[0]) - os.path.getsize(files[1])
    assert 2 * count - names <= saved <= 2 * count


def test_weights_beyond_float16_stay_as_they_are(network):
    plain = offline_graph(network.stored)
    node = next(node for node in plain.graph_def.node if node.name in weights_of(plain))
    values = np.full(tf.make_ndarray(node.attr['value'].tensor).shape, 70001.0, np.float32)
    node.attr['value'].tensor.CopyFrom(tf.make_tensor_proto(values))
    assert np.array_equal(weights_of(round_weights(plain))[node.name], values)


def test_only_onnx_files_store_float16(capsys):
    assert main(['export', '--checkpoint', 'x', '--format', 'frozen', '--output', 'y', '--store-float16']) == 2
    message = capsys.readouterr().err
    assert '--store-float16' in message and 'onnx' in message and message.count('\n') == 1
