"""TensorFlowEngine: runs a TensorFlow checkpoint in a session."""

from typing import Dict, List, Optional, Tuple

import numpy as np

from hourglass_pose.checkpoints.stored import StoredNetwork
from hourglass_pose.checkpoints.variables import constants_of
from hourglass_pose.cores import threads_of_process
from hourglass_pose.errors import UserError
from hourglass_pose.graph import rewrites
from hourglass_pose.graph.hyperparameters import Hyperparameters
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.prediction.engine import Engine
from hourglass_pose.runtime.selection import open_runtime
from hourglass_pose.tf_compat import describe_versions, reason_of, tf

_LAST, _STACKS, _PERSON = 'last_logits', 'output_of_stacks', 'person_logits'


class TensorFlowEngine(Engine):
    """Runs a StoredNetwork in TensorFlow sessions, one for each size of a pass.

    stored: the network on disk. hyperparameters: its own, or what replaces them.
    device, precision: as in config.cfg [Device]. batch_size: persons of a pass, None for what the device is fastest
    with. folds_batch_norms: whether batch norms become part of the convolutions before them, which is faster and
    changes the rounding; an export is compared with the graph as it was trained.
    Raises ConfigError for a device that is not there; `prepare` raises CheckpointError for a checkpoint that does not
    fit.
    """

    def __init__(
        self,
        stored: StoredNetwork,
        hyperparameters: Hyperparameters,
        device: str = 'auto',
        precision: str = 'float32',
        batch_size: Optional[int] = None,
        folds_batch_norms: bool = True,
    ) -> None:
        self.stored = stored
        self.hyperparameters = hyperparameters
        self.gives_person = hyperparameters.gives_person
        self.folds_batch_norms = folds_batch_norms
        self.runtime = open_runtime(device, precision)
        self.description = self.runtime.description
        self.batch_size = batch_size or self.runtime.evaluation_block
        self._sessions: Dict[int, tf.Session] = {}

    def pass_sizes(self, crops_per_person: int) -> Tuple[int, ...]:
        # A single photo must not cost the time of a whole batch.
        return tuple(sorted({1, crops_per_person, self.batch_size * crops_per_person}))

    def prepare(self, crops_per_person: int) -> None:
        self._session(crops_per_person)

    def run(self, crops: np.ndarray) -> List[np.ndarray]:
        return self._run(crops, [_LAST, _PERSON] if self.gives_person else [_LAST])

    def run_stacks(self, crops: np.ndarray) -> List[np.ndarray]:
        return self._run(crops, [_STACKS])

    def versions(self) -> Dict[str, str]:
        return describe_versions()

    def close(self) -> None:
        for session in self._sessions.values():
            session.close()
        self.runtime.close()

    def _run(self, crops: np.ndarray, outputs: List[str]) -> List[np.ndarray]:
        # The same product of float32 numbers as in the graph that takes uint8.
        crops = crops.astype(np.float32) * np.float32(1.0 / 255.0) if crops.dtype == np.uint8 else crops
        try:
            return self._session(len(crops)).run([f'{output}:0' for output in outputs], {'images:0': crops})
        except tf.errors.OpError as error:
            raise UserError(
                f'{self.stored.path}: TensorFlow cannot run the network on {self.description} ({reason_of(error)}); '
                "choose another --device or Predictor(device='cpu')"
            )

    def _session(self, count: int) -> 'tf.Session':
        """Return the session of a graph for `count` crops, built when it is first needed."""
        if count not in self._sessions:
            lanes = self.runtime.evaluation_lanes if self.folds_batch_norms else 1
            lanes = lanes if count % lanes == 0 else 1
            config = self.runtime.session_config()
            if lanes > 1:
                config.intra_op_parallelism_threads = threads_of_process(lanes)
            graph = self._graph(count, lanes, config)
            with graph.as_default():
                session = self._sessions[count] = tf.Session(graph=graph, config=config)
                self.runtime.prepare_session(session)
            graph.finalize()
        return self._sessions[count]

    def _graph(self, count: int, lanes: int, config: 'tf.ConfigProto') -> 'tf.Graph':
        size = self.hyperparameters.input_size
        # The first session of a process decides the numbers of threads for all of its sessions.
        on_processors = tf.ConfigProto(
            device_count={'GPU': 0},
            intra_op_parallelism_threads=config.intra_op_parallelism_threads,
            inter_op_parallelism_threads=config.inter_op_parallelism_threads,
        )
        with tf.Graph().as_default() as graph:
            images = tf.placeholder(tf.float32, [count // lanes, size, size, 3], 'images')
            model = HourglassModel(self.hyperparameters)
            logits, person = model.build_outputs(images, is_training=False, getter=constants_of(self.stored))
            outputs = [tf.identity(logits.op.inputs[-1], _LAST), tf.identity(model.output_of(logits), _STACKS)]
            if person is not None:
                outputs.append(tf.identity(person, _PERSON))
            if not self.folds_batch_norms:
                return graph
            with tf.Session(graph=graph, config=on_processors) as session:
                nodes = rewrites.freeze(session, outputs)
        nodes, _, _ = rewrites.fold_batch_norms(nodes)
        lane, names = rewrites.graph_def_of(nodes), [output.op.name for output in outputs]
        with tf.Graph().as_default() as folded:
            images = tf.placeholder(tf.float32, [count, size, size, 3], 'images')
            parts = [tf.import_graph_def(lane, {'images': part}, names) for part in tf.split(images, lanes)]
            for name, operations in zip(names, zip(*parts)):
                tf.identity(tf.concat([operation.outputs[0] for operation in operations], axis=0), name)
        return folded
