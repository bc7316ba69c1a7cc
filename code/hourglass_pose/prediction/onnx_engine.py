"""OnnxEngine: an exported ONNX model, run by onnxruntime or by OpenCV, without TensorFlow."""

import importlib
import platform
from typing import Dict, List, Optional, Sequence, Tuple, Union

import cv2
import numpy as np

from hourglass_pose import __version__
from hourglass_pose.checkpoints.exported import ExportedModel
from hourglass_pose.errors import CheckpointError, UserError
from hourglass_pose.prediction.engine import Engine

_OLDEST_OPENCV = (4, 8)
_LARGEST_PASS = 8  # crops; more are no faster and take more memory


class OnnxEngine(Engine):
    """Runs an exported ONNX model on the CPU, with the batch size of the model if it has one.

    model: the ONNX file and its description.
    library: 'onnxruntime' or 'opencv'; None takes onnxruntime if it is installed.
    Raises CheckpointError for a file that the library cannot read, UserError if no library can run it.
    """

    def __init__(self, model: ExportedModel, library: Optional[str] = None) -> None:
        self.model = model
        self.gives_joints, self.gives_person = model.gives_joints, model.gives_person
        self._network = _open_network(model, library)
        self.description = f'CPU, float32, {self._network.name} {self._network.version}'
        self._crops = model.input_shape[0]
        self.batch_size = _LARGEST_PASS // 2 if self._crops is None else 1

    def pass_sizes(self, crops_per_person: int) -> Tuple[int, ...]:
        if self._crops is None:
            return tuple(range(1, _LARGEST_PASS + 1))
        return (self._crops,)

    def run(self, crops: np.ndarray) -> List[np.ndarray]:
        outputs = self._network.run(self._input_of(crops))
        side, joints = self.model.inference.heatmap_size, len(self.model.inference.joints)
        expected = (len(crops), joints, 2) if self.gives_joints else (len(crops), side, side, joints)
        if outputs[0].shape != expected:
            raise CheckpointError(
                f'{self.model.path}: the output has the shape {outputs[0].shape}; expected {expected} by its '
                'description; export it again'
            )
        if not self.gives_joints:
            outputs[0] = self.model.inference.logits_of_output(outputs[0])
        if self.gives_person:
            # Arrays of OpenCV 4 have at least two axes.
            outputs[-1] = outputs[-1].reshape(-1)
        return outputs

    def run_stacks(self, crops: np.ndarray) -> List[np.ndarray]:
        # The model has only the last stack.
        return [self._network.run(self._input_of(crops))[0][:, None]]

    def versions(self) -> Dict[str, str]:
        return {
            'hourglass_pose': __version__,
            self._network.name: self._network.version,
            'numpy': np.__version__,
            'python': platform.python_version(),
        }

    def _input_of(self, crops: np.ndarray) -> np.ndarray:
        if self.model.input_type == 'uint8':
            if crops.dtype != np.uint8:
                raise ValueError(f'crops: expected uint8, as the model takes, found {crops.dtype}')
            return crops
        values = crops.astype(np.float32) * np.float32(1.0 / 255.0) if crops.dtype == np.uint8 else crops
        return values - np.array(self.model.input_mean, np.float32)


class OnnxRuntimeNetwork:
    """An ONNX file, run by onnxruntime on the CPU."""

    name = 'onnxruntime'

    def __init__(self, path: str, input_name: str, outputs: Sequence[str]) -> None:
        runtime = importlib.import_module('onnxruntime')
        self.version = str(runtime.__version__)
        self._path, self._input, self._outputs = path, input_name, list(outputs)
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        try:
            self._session = runtime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
        # Its exceptions have no common base class.
        except Exception as error:
            raise CheckpointError(f'{path}: onnxruntime cannot read the model ({_first_line(error)}); export it again')

    def run(self, images: np.ndarray) -> List[np.ndarray]:
        """Return the outputs for a whole batch of the model's input. Raises CheckpointError."""
        try:
            return self._session.run(self._outputs, {self._input: images})
        except Exception as error:
            raise CheckpointError(f'{self._path}: onnxruntime cannot run the model ({_first_line(error)})')


class OpenCvNetwork:
    """An ONNX file that gives heatmaps, run by OpenCV's DNN module."""

    name = 'opencv'

    def __init__(self, path: str, input_name: str, outputs: Sequence[str]) -> None:
        self.version = cv2.__version__
        self._path, self._input, self._outputs = path, input_name, list(outputs)
        try:
            self._net = cv2.dnn.readNetFromONNX(path)
        except cv2.error as error:
            raise CheckpointError(f'{path}: OpenCV cannot read the model ({_first_line(error)}); export it again')

    def run(self, images: np.ndarray) -> List[np.ndarray]:
        """Return the outputs for a whole batch of the model's input. Raises CheckpointError."""
        try:
            self._net.setInput(images, self._input)
            return [np.array(output) for output in self._net.forward(self._outputs)]
        except cv2.error as error:
            raise CheckpointError(f'{self._path}: OpenCV cannot run the model ({_first_line(error)})')


def _open_network(model: ExportedModel, library: Optional[str]) -> Union[OnnxRuntimeNetwork, OpenCvNetwork]:
    arguments = (model.path, model.input_name, model.outputs)
    if library != 'opencv':
        try:
            return OnnxRuntimeNetwork(*arguments)
        except ImportError as error:
            missing = str(error)
    if model.gives_joints:
        raise UserError(
            f'{model.path}: this model outputs joints instead of heatmaps (export --decode), which only onnxruntime '
            'can run; install it with "pip install onnxruntime", or export without --decode'
        )
    if library == 'onnxruntime':
        raise UserError(f'onnxruntime cannot be imported ({missing}); install it with "pip install onnxruntime"')
    version = tuple(int(number) for number in cv2.__version__.split('.')[:2])
    if version < _OLDEST_OPENCV:
        raise UserError(
            f'{model.path}: OpenCV {cv2.__version__} cannot run it; install "opencv-python-headless>=4.8", '
            'or onnxruntime'
        )
    return OpenCvNetwork(*arguments)


def _first_line(error: Exception) -> str:
    return ' '.join(str(error).split())[:200] or type(error).__name__
