"""Weights in float16: rounded in the graph, and stored so in an ONNX file, where a Cast widens them again."""

from dataclasses import replace
from typing import Any, Dict

import numpy as np

from hourglass_pose.export.offline_graph import OfflineGraph
from hourglass_pose.graph import rewrites

_CONVOLUTIONS = ('Conv2D', 'DepthwiseConv2dNative')
_FLOAT, _FLOAT16 = 1, 10  # TensorProto.DataType of ONNX


def round_weights(offline: OfflineGraph) -> OfflineGraph:
    """Return an OfflineGraph whose convolutions have weights that float16 holds exactly; biases stay as they are."""
    nodes: rewrites.Nodes = {node.name: node for node in offline.graph_def.node}
    weights = {node.input[1] for node in nodes.values() if node.op in _CONVOLUTIONS}
    rounded = {
        name: rewrites.constant_node(name, _rounded(rewrites.value_of(nodes, name)))
        for name, node in nodes.items()
        if name in weights and node.op == 'Const'
    }
    nodes.update(rounded)
    return replace(offline, graph_def=rewrites.graph_def_of(nodes), rounded_convolutions=_longest_chain(nodes))


def store_as_float16(model: Any) -> None:
    """Store the weights of an ONNX model, a ModelProto, as float16 where nothing is lost.

    They keep their names: a Cast makes float32 of each when the model is loaded, so that every program can read it.
    """
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != _FLOAT or len(tensor.dims) != 4:
            continue
        values = np.frombuffer(tensor.raw_data, '<f4') if tensor.raw_data else np.array(tensor.float_data, np.float32)
        if not np.array_equal(_rounded(values), values):
            continue
        widened = tensor.name
        cast = graph.node.add(op_type='Cast', name=f'{widened}/widened', input=[f'{widened}/half'], output=[widened])
        cast.attribute.add(name='to', i=_FLOAT, type=2)
        casts.append(cast)
        tensor.ClearField('float_data')
        tensor.name, tensor.data_type = f'{widened}/half', _FLOAT16
        tensor.raw_data = values.astype('<f2').tobytes()
    # The nodes of a model are in the order in which they are computed.
    ordered = [type(node).FromString(node.SerializeToString()) for node in graph.node]
    del graph.node[:]
    graph.node.extend(ordered[len(ordered) - len(casts) :] + ordered[: len(ordered) - len(casts)])


def _rounded(values: np.ndarray) -> np.ndarray:
    """Return float32 values rounded to float16; values beyond its range stay as they are."""
    with np.errstate(over='ignore'):
        halves = values.astype(np.float16).astype(np.float32)
    return np.where(np.isfinite(halves), halves, values)


def _longest_chain(nodes: rewrites.Nodes) -> int:
    """Return the largest number of convolutions on a path through the nodes."""
    lengths: Dict[str, int] = {}
    for name, node in nodes.items():
        before = max([lengths[source.split(':')[0]] for source in node.input] or [0])
        lengths[name] = before + (node.op in _CONVOLUTIONS)
    return max(lengths.values())
