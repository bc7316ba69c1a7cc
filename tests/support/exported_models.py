"""ONNX files of a network whose answer is known, written without TensorFlow and without tf2onnx.

The network takes uint8 crops (N, 32, 32, 3) and gives maps (N, 8, 8, 3): joint j is where colour j is brightest, as the
mean over blocks of 4 x 4 pixels. The files are protobuf messages made by hand, as onnx.proto describes them.
"""

import json
import os
import struct
from typing import Any, Dict, Optional, Sequence, Union

SIZE, CELLS, JOINTS = 32, 8, ('r_wrist', 'l_wrist', 'head')
_FLOAT, _UINT8 = 1, 2
_INT_ATTRIBUTE, _INTS_ATTRIBUTE = 2, 7

INFERENCE = {
    'joints': list(JOINTS),
    'kept_joints': [True] * 3,
    'input_size': SIZE,
    'heatmap_size': CELLS,
    'loss': 'mse',
    'sigma': 2.0,
    'decoding': 'argmax',
    'flip_test': True,
    'box_margin': 0.0,
}


def write_exported(
    path: str,
    batch: Optional[int] = 1,
    beside: bool = False,
    inside: bool = True,
    outputs: Sequence[str] = ('heatmaps',),
) -> str:
    """Write the network as an ONNX model and return its path.

    batch: crops that it takes, None for any number. beside, inside: where its description is. outputs: their names in
    the description.
    """
    description = describe(batch, outputs)
    with open(path, 'wb') as stream:
        stream.write(model(batch, {'hourglass_pose': json.dumps(description)} if inside else {}))
    if beside:
        with open(f'{path}.json', 'w') as stream:
            json.dump(description, stream)
    return os.fspath(path)


def describe(batch: Optional[int], outputs: Sequence[str] = ('heatmaps',)) -> Dict[str, Any]:
    return {
        'inference': INFERENCE,
        'input': {'name': 'image', 'shape': [batch, SIZE, SIZE, 3], 'dtype': 'uint8', 'mean': [0.5, 0.5, 0.5]},
        'outputs': [{'name': name} for name in outputs],
        'step': 7,
    }


def model(batch: Optional[int], metadata: Dict[str, str]) -> bytes:
    nodes = [
        node('Cast', 'image', 'floats', to=_FLOAT),
        node('Transpose', 'floats', 'planes', perm=[0, 3, 1, 2]),
        node('AveragePool', 'planes', 'means', kernel_shape=[4, 4], strides=[4, 4]),
        node('Transpose', 'means', 'heatmaps', perm=[0, 2, 3, 1]),
    ]
    graph = (
        b''.join(field(1, one) for one in nodes)
        + field(2, b'colours')
        + field(11, value('image', _UINT8, (batch, SIZE, SIZE, 3)))
        + field(12, value('heatmaps', _FLOAT, (batch, CELLS, CELLS, 3)))
    )
    return (
        field(1, 8)
        + field(2, b'by hand')
        + field(7, graph)
        + field(8, field(1, b'') + field(2, 13))
        + b''.join(field(14, field(1, key.encode()) + field(2, text.encode())) for key, text in metadata.items())
    )


def node(kind: str, source: str, target: str, **attributes: Union[int, Sequence[int]]) -> bytes:
    parts = [field(1, source.encode()), field(2, target.encode()), field(3, target.encode()), field(4, kind.encode())]
    for name, given in attributes.items():
        if isinstance(given, int):
            content = field(3, given) + field(20, _INT_ATTRIBUTE)
        else:
            content = b''.join(field(8, number) for number in given) + field(20, _INTS_ATTRIBUTE)
        parts.append(field(5, field(1, name.encode()) + content))
    return b''.join(parts)


def value(name: str, kind: int, shape: Sequence[Optional[int]]) -> bytes:
    dimensions = b''.join(field(1, field(1, length) if length else field(2, b'N')) for length in shape)
    return field(1, name.encode()) + field(2, field(1, field(1, kind) + field(2, dimensions)))


def field(number: int, content: Union[int, bytes]) -> bytes:
    """Return a field of a protobuf message: a number, or bytes with their length."""
    if isinstance(content, int):
        return varint(number * 8) + varint(content)
    return varint(number * 8 + 2) + varint(len(content)) + content


def fixed(number: int, content: float) -> bytes:
    """Return a field of 32 bits."""
    return varint(number * 8 + 5) + struct.pack('<f', content)


def varint(number: int) -> bytes:
    found = b''
    while number > 0x7F:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])
