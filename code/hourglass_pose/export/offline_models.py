"""Offline models on the disk: written as frozen graph, SavedModel or ONNX, and opened again to be run."""

import importlib
import logging

import numpy as np

from hourglass_pose.errors import UserError
from hourglass_pose.export.offline_graph import INPUT
from hourglass_pose.files import write_whole
from hourglass_pose.tf_compat import tf

DEFAULT_OPSET = 15
"""Of the versions of ONNX's operators that ATC reads, 11 to 15, the newest, which tf2onnx is tested with."""


def write_frozen(offline, path):
    """Write an OfflineGraph as a GraphDef, the .pb that ATC takes."""
    write_whole(path, offline.graph_def.SerializeToString())


def write_saved_model(offline, path):
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


def write_onnx(offline, path, opset=DEFAULT_OPSET):
    """Write an OfflineGraph as an ONNX model, maps (N, H, W, C) at input and outputs as in TensorFlow."""
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
    write_whole(path, model.SerializeToString())


def require_onnx():
    """Return the modules tf2onnx.convert and onnxruntime. Raises UserError where one is missing."""
    try:
        return importlib.import_module('tf2onnx.convert'), importlib.import_module('onnxruntime')
    except ImportError as error:
        raise UserError(f'--format onnx: a library is missing ({error}); install it with "pip install .[onnx]"')


class _TensorFlowModel:
    """A graph that its subclass loads into self.session."""

    def __init__(self, session_config):
        self.graph = tf.Graph()
        self.session = tf.Session(graph=self.graph, config=session_config)

    def run(self, images):
        """Return the list of output arrays for a batch of what the graph takes."""
        return self.session.run(self._outputs, {self._image: images})

    def close(self):
        self.session.close()


class FrozenModel(_TensorFlowModel):
    """A GraphDef file. outputs: their names."""

    def __init__(self, path, outputs, session_config=None):
        super().__init__(session_config)
        graph_def = tf.GraphDef()
        with open(path, 'rb') as stream:
            graph_def.ParseFromString(stream.read())
        with self.graph.as_default():
            tf.import_graph_def(graph_def, name='')
        self._image, self._outputs = f'{INPUT}:0', [f'{name}:0' for name in outputs]


class SavedModel(_TensorFlowModel):
    """The folder of a SavedModel, run by its signature."""

    def __init__(self, path, outputs, session_config=None):
        super().__init__(session_config)
        with self.graph.as_default():
            meta = tf.saved_model.load(self.session, [tf.saved_model.tag_constants.SERVING], path)
        signature = meta.signature_def[tf.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY]
        self._image = signature.inputs[INPUT].name
        self._outputs = [signature.outputs[name].name for name in outputs]


class OnnxModel:
    """An ONNX file, run by onnxruntime on the CPU."""

    def __init__(self, path, outputs, session_config=None):
        del session_config
        _, runtime = require_onnx()
        self._outputs = list(outputs)
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        self._session = runtime.InferenceSession(path, options, providers=['CPUExecutionProvider'])

    def run(self, images):
        """Return the list of output arrays for a batch of what the graph takes."""
        return self._session.run(self._outputs, {INPUT: images})

    def close(self):
        self._session = None


WRITERS = {'frozen': write_frozen, 'saved_model': write_saved_model, 'onnx': write_onnx}
MODELS = {'frozen': FrozenModel, 'saved_model': SavedModel, 'onnx': OnnxModel}


def run_crops(model, offline, crops):
    """Return the list of output arrays (N, ...) for any number of uint8 crops (N, S, S, 3)."""
    size = offline.input_shape[0]
    batches = []
    for start in range(0, len(crops), size):
        part = crops[start : start + size]
        padded = np.zeros(offline.input_shape, np.uint8)
        padded[: len(part)] = part
        batches.append([output[: len(part)] for output in model.run(offline.prepare(padded))])
    return [np.concatenate(parts) for parts in zip(*batches)]
