"""Rewriting of inference graphs as lists of nodes: variables become constants, batch norms fold into convolutions."""

from collections import Counter
from typing import Dict, Iterable, List, Optional, Sequence, Set, Tuple

import numpy as np

from hourglass_pose.tf_compat import tf

_PASSED_THROUGH = ('Identity', 'IdentityN', 'StopGradient', 'PreventGradient')
Nodes = Dict[str, 'tf.NodeDef']
"""Nodes by name, inputs before their users."""

_BATCH_NORMS = ('FusedBatchNorm', 'FusedBatchNormV2', 'FusedBatchNormV3')


def freeze(session: 'tf.Session', outputs: Sequence['tf.Tensor']) -> Nodes:
    """Return the Nodes that compute the tensors `outputs`, without variables and without idle operations.

    Values that do not depend on a placeholder are computed and become constants. Each output must be the only one of
    its operation, whose name it keeps.
    """
    ends = {tensor.op.name for tensor in outputs}
    operations = _needed(session.graph, ends)
    depends: Set[str] = set()
    for operation in operations:
        if operation.type == 'Placeholder' or any(tensor.op.name in depends for tensor in operation.inputs):
            depends.add(operation.name)
    kept = [
        operation
        for operation in operations
        if operation.name in depends and (operation.type not in _PASSED_THROUGH or operation.name in ends)
    ]
    inputs = {operation.name: [_source(tensor) for tensor in operation.inputs] for operation in kept}
    fixed = {
        _constant_name(tensor): tensor
        for operation in kept
        for tensor in inputs[operation.name]
        if tensor.op.name not in depends
    }
    nodes: Nodes = {}
    for name, value in session.run(fixed).items():
        _add(nodes, constant_node(name, value))
    for operation in kept:
        node = tf.NodeDef(name=operation.name, op=operation.type)
        node.input.extend(
            _node_input(tensor) if tensor.op.name in depends else _constant_name(tensor)
            for tensor in inputs[operation.name]
        )
        for name, value in operation.node_def.attr.items():
            # Without the session's annotations, and without an unset attribute that TensorFlow 1.15 does not know.
            if not name.startswith('_') and (operation.type, name) != ('MaxPool', 'explicit_paddings'):
                node.attr[name].CopyFrom(value)
        _add(nodes, node)
    return nodes


def _needed(graph: 'tf.Graph', ends: Iterable[str]) -> List['tf.Operation']:
    """Return the operations named `ends` and all that they depend on, inputs before their users."""
    needed = set(ends)
    kept: List[tf.Operation] = []
    for operation in reversed(graph.get_operations()):
        if operation.name in needed:
            kept.append(operation)
            needed.update(tensor.op.name for tensor in operation.inputs)
    return kept[::-1]


def _source(tensor: 'tf.Tensor') -> 'tf.Tensor':
    while tensor.op.type in _PASSED_THROUGH and tensor.op.inputs[tensor.value_index].op.type != 'VariableV2':
        tensor = tensor.op.inputs[tensor.value_index]
    return tensor


def _constant_name(tensor: 'tf.Tensor') -> str:
    """Return the name of a constant: that of the variable that it is read from, if any."""
    name = tensor.op.name
    if tensor.op.type == 'Identity':
        name = tensor.op.inputs[0].op.name
    return name if tensor.value_index == 0 else f'{name}_{tensor.value_index}'


def _node_input(tensor: 'tf.Tensor') -> str:
    return tensor.op.name if tensor.value_index == 0 else tensor.name


def _add(nodes: Nodes, node: 'tf.NodeDef') -> None:
    if node.name in nodes:
        raise ValueError(f'{node.name}: two nodes of that name')
    nodes[node.name] = node


def constant_node(name: str, value: np.ndarray) -> 'tf.NodeDef':
    """Return the NodeDef of a constant."""
    value = np.asarray(value)
    node = tf.NodeDef(name=name, op='Const')
    node.attr['dtype'].type = tf.as_dtype(value.dtype).as_datatype_enum
    node.attr['value'].tensor.CopyFrom(tf.make_tensor_proto(value))
    return node


def value_of(nodes: Nodes, name: str) -> np.ndarray:
    """Return the array of a constant."""
    return tf.make_ndarray(nodes[name].attr['value'].tensor)


def graph_def_of(nodes: Nodes) -> 'tf.GraphDef':
    """Return the GraphDef of nodes, without constants that no node reads."""
    read = {name for node in nodes.values() for name in node.input}
    graph_def = tf.GraphDef()
    graph_def.versions.producer = tf.Graph().as_graph_def().versions.producer
    graph_def.node.extend(node for name, node in nodes.items() if node.op != 'Const' or name in read)
    return graph_def


def fold_batch_norms(nodes: Nodes) -> Tuple[Nodes, int, int]:
    """Return (nodes, folded, left) with batch norms of fixed statistics replaced by other nodes.

    A batch norm that is the only reader of a convolution becomes part of its kernel and biases; `folded` is their
    number. The `left` others, which follow a sum or a pooling, become a factor and an offset of each channel.
    """
    readers = Counter(name for node in nodes.values() for name in node.input)
    result: Nodes = {}
    folded = left = 0
    for name, node in nodes.items():
        if node.op not in _BATCH_NORMS:
            result[name] = node
            continue
        source = result[node.input[0]]
        has_biases = source.op == 'BiasAdd' and readers[source.name] == 1
        convolution = result[source.input[0]] if has_biases else source
        if convolution.op == 'Conv2D' and readers[convolution.name] == 1:
            _fold(result, node, convolution, source if has_biases else None)
            folded += 1
        else:
            _spell_out(result, node)
            left += 1
    return result, folded, left


def _factor_and_offset(nodes: Nodes, norm: 'tf.NodeDef') -> Tuple[np.ndarray, np.ndarray]:
    """Return float64 (factor, offset) of each channel: a batch norm is x * factor + offset."""
    scale, beta, mean, variance = [value_of(nodes, name).astype(np.float64) for name in norm.input[1:5]]
    factor = scale / np.sqrt(variance + norm.attr['epsilon'].f)
    return factor, beta - mean * factor


def _fold(nodes: Nodes, norm: 'tf.NodeDef', convolution: 'tf.NodeDef', bias_add: 'Optional[tf.NodeDef]') -> None:
    factor, offset = _factor_and_offset(nodes, norm)
    if bias_add is not None:
        offset = offset + factor * value_of(nodes, bias_add.input[1])
        del nodes[bias_add.name]
    del nodes[convolution.name]
    kernel, biases = f'{norm.name}/folded_weights', f'{norm.name}/folded_biases'
    _add(nodes, constant_node(kernel, (value_of(nodes, convolution.input[1]) * factor).astype(np.float32)))
    _add(nodes, constant_node(biases, offset.astype(np.float32)))
    folded = tf.NodeDef()
    folded.CopyFrom(convolution)
    folded.input[1] = kernel
    _add(nodes, folded)
    _add(nodes, _node('BiasAdd', norm.name, [convolution.name, biases]))


def _spell_out(nodes: Nodes, norm: 'tf.NodeDef') -> None:
    names = [norm.name + ending for ending in ('/factor', '/offset', '/scaled')]
    for name, values in zip(names, _factor_and_offset(nodes, norm)):
        _add(nodes, constant_node(name, values.astype(np.float32)))
    factor, offset, scaled = names
    _add(nodes, _node('Mul', scaled, [norm.input[0], factor]))
    _add(nodes, _node('BiasAdd', norm.name, [scaled, offset]))


def _node(operation: str, name: str, inputs: Sequence[str]) -> 'tf.NodeDef':
    node = tf.NodeDef(name=name, op=operation)
    node.input.extend(inputs)
    node.attr['T'].type = tf.float32.as_datatype_enum
    if operation == 'BiasAdd':
        node.attr['data_format'].s = b'NHWC'
    return node


def name_upsamplings(nodes: Nodes) -> Tuple[Nodes, int]:
    """Return (nodes, count) with upsampling by broadcasts replaced by nearest-neighbour resizes.

    In training a broadcast avoids a map of the doubled size. Compilers for other devices support the resize and keep
    their channel layout through it. The results are identical.
    """
    readers = Counter(name for node in nodes.values() for name in node.input)
    result: Nodes = {}
    count = 0
    dropped: Set[str] = set()
    for name, node in nodes.items():
        total = nodes[node.input[0]] if node.op == 'Reshape' else None
        if (
            total is None
            or total.op not in ('Add', 'AddV2')
            or readers[total.name] != 1
            or not all(nodes[part].op == 'Reshape' and readers[part] == 1 for part in total.input)
        ):
            result[name] = node
            continue
        fine, coarse = [nodes[part] for part in total.input]
        batch, height, _, width, _, channels = value_of(nodes, coarse.input[1]).tolist()
        if value_of(nodes, fine.input[1]).tolist() != [batch, height, 2, width, 2, channels]:
            raise ValueError(f'{name}: not a sum with an upsampled map')
        size, resized = f'{name}/size', f'{name}/upsampled'
        _add(result, constant_node(size, np.array([2 * height, 2 * width], np.int32)))
        resize = _node('ResizeNearestNeighbor', resized, [coarse.input[0], size])
        resize.attr['align_corners'].b = resize.attr['half_pixel_centers'].b = False
        _add(result, resize)
        _add(result, _node('AddV2', name, [fine.input[0], resized]))
        dropped.update([total.name, fine.name, coarse.name])
        count += 1
    return {name: node for name, node in result.items() if name not in dropped}, count
