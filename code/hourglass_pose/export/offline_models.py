"""Offline models on disk: written as a frozen graph, SavedModel or ONNX model, and opened again to run."""

import importlib
import json
import logging
from types import ModuleType
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose.checkpoints.exported import METADATA_KEY
from hourglass_pose.errors import UserError
from hourglass_pose.evaluation.passes import run_in_passes
from hourglass_pose.export.half_weights import store_as_float16
from hourglass_pose.export.offline_graph import INPUT, OfflineGraph
from hourglass_pose.files import write_whole
from hourglass_pose.prediction.onnx_engine import OnnxRuntimeNetwork
from hourglass_pose.tf_compat import tf

DEFAULT_OPSET = 15
"""The newest of the operator versions that ATC reads, 11 to 15; tf2onnx is tested with it."""
_CROPS_OF_PASS = 8  # of a model that takes any number


def write_frozen(offline: OfflineGraph, path: str) -> None:
    """Write an OfflineGraph as a GraphDef, the .pb that ATC takes."""
    write_whole(path, offline.graph_def.SerializeToString())


def write_saved_model(offline: OfflineGraph, path: str) -> None:
    """Write an OfflineGraph as a SavedModel with the signature serving_default. The folder must not exist yet."""
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        tf.import_graph_def(offline.graph_def, name='')
        signature = tf.saved_model.predict_signature_def(
            {INPUT: graph.get_tensor_by_name(f'{INPUT}:0')},
            {name: graph.get_tensor_by_name(f'{name}:0') for name in offline.outputs},
        )
        builder = tf.saved_model.Builder(path)
        builder.add_meta_graph_and_variables(
            session,
            [tf.saved_model.tag_constants.SERVING],
            {tf.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY: signature},
        )
        builder.save()


def write_onnx(
    offline: OfflineGraph, path: str, opset: int = DEFAULT_OPSET, metadata: Optional[Dict[str, Any]] = None
) -> None:
    """Write an OfflineGraph as an ONNX model; the layout of input and outputs is TensorFlow's (N, H, W, C).

    Weights that were rounded to float16 are stored so. metadata: JSON-able description to store in the file.
    """
    converter, _ = require_onnx()
    logging.getLogger('tf2onnx').setLevel(logging.ERROR)
    tensors = [f'{name}:0' for name in (INPUT,) + offline.outputs]
    model, _ = converter.from_graph_def(
        offline.graph_def,
        name='hourglass',
        input_names=tensors[:1],
        output_names=tensors[1:],
        opset=opset,
        tensors_to_rename={tensor: tensor[:-2] for tensor in tensors},
    )
    if offline.rounded_convolutions:
        store_as_float16(model)
    if metadata is not None:
        model.metadata_props.add(key=METADATA_KEY, value=json.dumps(metadata))
    write_whole(path, model.SerializeToString())


def require_onnx() -> Tuple[ModuleType, ModuleType]:
    """Return the modules tf2onnx.convert and onnxruntime. Raises UserError if one is missing."""
    try:
        return importlib.import_module('tf2onnx.convert'), importlib.import_module('onnxruntime')
    except ImportError as error:
        raise UserError(f'--format onnx: a library is missing ({error}); install it with "pip install .[onnx]"')


class OfflineModel:
    """A model on disk, opened to run."""

    def run(self, images: np.ndarray) -> List[np.ndarray]:
        """Return the outputs for a batch of the graph's input."""
        raise NotImplementedError

    def close(self) -> None:
        """Release the resources of the model."""


class _TensorFlowModel(OfflineModel):
    """A graph that its subclass loads into self.session, on the CPU."""

    _image: str
    _outputs: List[str]

    def __init__(self) -> None:
        self.graph = tf.Graph()
        self.session = tf.Session(graph=self.graph, config=tf.ConfigProto(device_count={'GPU': 0}))

    def run(self, images: np.ndarray) -> List[np.ndarray]:
        return self.session.run(self._outputs, {self._image: images})

    def close(self) -> None:
        self.session.close()


class FrozenModel(_TensorFlowModel):
    """The .pb of a frozen graph."""

    def __init__(self, path: str, outputs: Sequence[str]) -> None:
        super().__init__()
        with open(path, 'rb') as stream:
            graph_def = tf.GraphDef.FromString(stream.read())
        with self.graph.as_default():
            tf.import_graph_def(graph_def, name='')
        self._image, self._outputs = f'{INPUT}:0', [f'{name}:0' for name in outputs]


class SavedModel(_TensorFlowModel):
    """The folder of a SavedModel, run by its signature."""

    def __init__(self, path: str, outputs: Sequence[str]) -> None:
        super().__init__()
        with self.graph.as_default():
            meta = tf.saved_model.load(self.session, [tf.saved_model.tag_constants.SERVING], path)
        signature = meta.signature_def[tf.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY]
        self._image = signature.inputs[INPUT].name
        self._outputs = [signature.outputs[name].name for name in outputs]


class OnnxModel(OfflineModel):
    """An ONNX file, run by onnxruntime on the CPU."""

    def __init__(self, path: str, outputs: Sequence[str]) -> None:
        self._session = OnnxRuntimeNetwork(path, INPUT, outputs)

    def run(self, images: np.ndarray) -> List[np.ndarray]:
        return self._session.run(images)


def run_crops(model: OfflineModel, offline: OfflineGraph, crops: np.ndarray) -> List[np.ndarray]:
    """Return the outputs (N, ...) of a model for any number of uint8 crops (N, S, S, 3)."""
    return run_in_passes(
        lambda batch: model.run(offline.prepare(batch)), crops, [offline.crops_of_pass(_CROPS_OF_PASS)]
    )
