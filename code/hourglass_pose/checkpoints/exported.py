"""Exported ONNX models, the one that ships included: their description, read without the onnx package."""

import io
import os
from dataclasses import dataclass
from typing import Any, BinaryIO, Dict, Iterator, Optional, Sequence, Tuple, Union

from hourglass_pose.checkpoints.inference import InferenceRecord
from hourglass_pose.errors import CheckpointError
from hourglass_pose.files import parse_json

METADATA_KEY = 'hourglass_pose'
"""Key in the metadata_props of an ONNX model; its value is the description as JSON."""

SHIPPED = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'networks', 'lsp.onnx')
"""Path of the network that ships with the package."""
SHIPPED_NOTE = 'network: lsp.onnx, which ships with this package; give another one as the checkpoint'
"""The line that says that this network is used."""

# Fields of onnx.proto: ModelProto.metadata_props, StringStringEntryProto.key and .value.
_METADATA_PROPS, _KEY, _VALUE = 14, 1, 2
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5


@dataclass(frozen=True)
class ExportedModel:
    """path: the ONNX file. inference: how crops are made and the output is read.

    input_name, input_shape (N, S, S, 3), N None for any number, input_type: 'uint8', or 'float32', RGB of [0, 1] minus
    input_mean. outputs: names. step: training steps of the checkpoint. manifest: None, as in a StoredNetwork without
    one.
    """

    path: str
    inference: InferenceRecord
    input_name: str
    input_shape: Tuple[Optional[int], ...]
    input_type: str
    input_mean: Tuple[float, ...]
    outputs: Tuple[str, ...]
    step: Optional[int]
    manifest: None = None

    @property
    def gives_joints(self) -> bool:
        """Whether the outputs are joints and scores in place of heatmaps."""
        return 'joints' in self.outputs

    @property
    def gives_person(self) -> bool:
        """Whether the last output is the person logits."""
        return 'person' in self.outputs


def shipped_network() -> str:
    """Return the path of the network that ships with the package. Raises CheckpointError if it is missing."""
    if not os.path.isfile(SHIPPED):
        raise CheckpointError(
            f'{SHIPPED}: the network that ships with this package is missing; give another network as the '
            'checkpoint (--checkpoint), or install the package again'
        )
    return SHIPPED


def open_exported(path: Union[str, 'os.PathLike[str]']) -> ExportedModel:
    """Return the ExportedModel of an ONNX file, described by the JSON next to it or, without one, by the file itself.

    Raises CheckpointError for a file that is missing, damaged, or not an export of this program.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise CheckpointError(f'{path}: no such file; give an ONNX model that `export` wrote')
    description_file = f'{path}.json'
    try:
        if os.path.isfile(description_file):
            source = description_file
            with open(description_file, encoding='utf-8') as stream:
                text: Optional[str] = stream.read()
        else:
            source = path
            text = read_metadata(path).get(METADATA_KEY)
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f'{source}: cannot be read ({error})')
    if text is None:
        raise CheckpointError(
            f'{path}: this ONNX file holds no description of its input and output, and there is no '
            f'{os.path.basename(description_file)} next to it; export the checkpoint again with this version'
        )
    try:
        description: Dict[str, Any] = parse_json(text)
        given = description['input']
        model = ExportedModel(
            path,
            InferenceRecord.from_dict(description['inference']),
            str(given['name']),
            (None if given['shape'][0] is None else int(given['shape'][0]),) + tuple(map(int, given['shape'][1:])),
            str(given['dtype']),
            tuple(float(mean) for mean in given['mean']),
            tuple(str(output['name']) for output in description['outputs']),
            description.get('step'),
        )
        _check(model)
        return model
    except (CheckpointError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = error if isinstance(error, CheckpointError) else f'{type(error).__name__}: {error}'
        raise CheckpointError(
            f'{source}: the description of the model cannot be read ({reason}); export the checkpoint again with this '
            'version'
        )


def _check(model: ExportedModel) -> None:
    """Raise ValueError for values that no export has."""
    count, *sides = model.input_shape
    size = model.inference.input_size
    if (count is not None and count < 1) or sides != [size, size, 3] or len(model.input_mean) != 3:
        raise ValueError(f'an input {list(model.input_shape)} with the mean {list(model.input_mean)}')
    if model.input_type not in ('uint8', 'float32') or not model.outputs or type(model.step) not in (int, type(None)):
        raise ValueError(f'dtype {model.input_type}, outputs {", ".join(model.outputs)}, step {model.step!r}')


def read_metadata(path: str) -> Dict[str, str]:
    """Return the metadata_props of an ONNX file, reading nothing else of it.

    Raises CheckpointError for a file that is not an ONNX model, OSError for one that cannot be read.
    """
    found = {}
    try:
        with open(path, 'rb') as stream:
            for entry in _values_of(stream, os.path.getsize(path), (_METADATA_PROPS,)):
                pair = list(_values_of(io.BytesIO(entry), len(entry), (_KEY, _VALUE)))
                key, value = [text.decode('utf-8') for text in pair]
                found[key] = value
    except ValueError as error:
        raise CheckpointError(f'{path}: this is not an ONNX model, or it is damaged ({error}); export it again')
    return found


def _values_of(stream: BinaryIO, end: int, wanted: Sequence[int]) -> Iterator[bytes]:
    """Yield the bytes of the fields `wanted` of a protobuf message that ends at `end`, in their order in the file.

    Raises ValueError if the bytes are not a message.
    """
    while stream.tell() < end:
        number, kind = divmod(_read_varint(stream), 8)
        if kind == _VARINT:
            _read_varint(stream)
            continue
        if kind not in (_FIXED_64, _BYTES, _FIXED_32):
            raise ValueError(f'no protobuf message, field {number} has type {kind}')
        length = _read_varint(stream) if kind == _BYTES else 8 if kind == _FIXED_64 else 4
        if stream.tell() + length > end:
            raise ValueError(f'field {number} ends beyond the file')
        if kind == _BYTES and number in wanted:
            yield stream.read(length)
        else:
            stream.seek(length, os.SEEK_CUR)


def _read_varint(stream: BinaryIO) -> int:
    """Return an integer of seven bits a byte, the lowest first; the highest bit is set if another byte follows."""
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            raise ValueError('the file ends within a number')
        value |= (byte[0] & 0x7F) << shift
        if not byte[0] & 0x80:
            return value
    raise ValueError('a number of more than ten bytes')
