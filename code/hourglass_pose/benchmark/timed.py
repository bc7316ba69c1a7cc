"""The subjects of timing: a training step, a batch of input, a prediction, and a matrix multiplication."""

from typing import Any, Iterator, Optional

import numpy as np

from hourglass_pose.runtime.base import Runtime
from hourglass_pose.runtime.native import bfloat16_obstacle
from hourglass_pose.tf_compat import tf

_TRAINING_TO_FORWARD = 3
_MATRIX_SIDE = 2048


class Timed:
    """A subject of timing.

    description: one line. images: persons of one run. gflop: 10^9 operations of one run, 0 if they are not counted.
    untimed: runs before each block that are not measured, to fill caches and queues.
    """

    def __init__(self, description: str, images: int = 0, gflop: float = 0.0, untimed: int = 1) -> None:
        self.description = description
        self.images = images
        self.gflop = gflop
        self.untimed = untimed

    def run(self) -> None:
        """Run once."""
        raise NotImplementedError

    def close(self) -> None:
        """Release its resources."""


class TimedTraining(Timed):
    """Training on batches that are ready; its operations are 3 x those of the forward convolutions.

    Args:
        graph: TrainGraph, in the current graph.
        runtime: the Runtime that the graph was built for; the caller closes it.
        batches: iterator of Batches.
        batch_size: persons of one batch.
        gflops: 10^9 operations of the network for one image forward.
        description: one line on the network.
    """

    def __init__(
        self, graph: Any, runtime: Runtime, batches: Iterator[Any], batch_size: int, gflops: float, description: str
    ) -> None:
        images = batch_size * runtime.steps_per_run
        gflop = _TRAINING_TO_FORWARD * gflops * images
        super().__init__(f'{runtime.description}; batch {batch_size}; {description}', images, gflop)
        self._graph, self._runtime = graph, runtime
        graph_here = tf.get_default_graph()
        self._session = tf.Session(runtime.target, graph=graph_here, config=runtime.session_config())
        self._session.run(graph.initialisation)
        runtime.prepare_session(self._session)
        graph.input.start(self._session, batches)

    def run(self) -> None:
        graph = self._graph
        self._runtime.run(self._session, [graph.train_op, graph.loss], graph.input.next_feed())

    def close(self) -> None:
        self._session.close()


class TimedExchange(Timed):
    """The sum of a vector over the processes of a runtime. Its description is the number of values, float32."""

    def __init__(self, runtime: Runtime, count: int) -> None:
        super().__init__(str(count))
        with tf.Graph().as_default() as graph:
            self._sum = runtime.sum_over_processes(
                tf.get_variable('vector', [count], initializer=tf.ones_initializer())
            )
            self._session = tf.Session(runtime.target, graph=graph, config=runtime.session_config())
            self._session.run(tf.global_variables_initializer())

    def run(self) -> None:
        self._session.run(self._sum.op)

    def close(self) -> None:
        self._session.close()


class TimedInput(Timed):
    """Batches that a generator prepares with its own threads. batches: its iterator, which has close()."""

    def __init__(self, batches: Any, batch_size: int, prefetch: int, description: str) -> None:
        # Twice the number of batches that are prepared ahead: batches that were ready before a block must not count.
        super().__init__(description, batch_size, untimed=2 * prefetch + 1)
        self._batches = batches

    def run(self) -> None:
        next(self._batches)

    def close(self) -> None:
        self._batches.close()


class TimedPrediction(Timed):
    """Joints of one person in a decoded photo of 640 x 480 pixels. predictor: Predictor, closed at the end."""

    def __init__(self, predictor: Any, description: str) -> None:
        super().__init__(description, 1, untimed=2)
        self._predictor = predictor
        self._photo = np.random.RandomState(0).randint(0, 256, (480, 640, 3)).astype(np.uint8)

    def run(self) -> None:
        self._predictor.predict(self._photo, (200, 100, 200, 300))

    def close(self) -> None:
        self._predictor.close()


class TimedMatmul(Timed):
    """A square matrix multiplication: the peak rate that other rates are compared with.

    In bfloat16 if the processor has it, otherwise in float32. session_config: that of the compared sessions.
    """

    def __init__(self, session_config: Optional[Any] = None) -> None:
        kind = 'float32' if bfloat16_obstacle() else 'bfloat16'
        side = _MATRIX_SIDE
        super().__init__(f'{kind} matrix multiplication of {side} x {side}', gflop=2.0 * side**3 / 1e9)
        with tf.Graph().as_default() as graph:
            shape, zeros = [side, side], tf.zeros_initializer()
            factors = [tf.get_variable(name, shape, tf.as_dtype(kind), zeros) for name in ('left', 'right')]
            self._product = tf.matmul(*factors).op
            self._session = tf.Session(graph=graph, config=session_config)
            self._session.run(tf.global_variables_initializer())

    def run(self) -> None:
        self._session.run(self._product)

    def close(self) -> None:
        self._session.close()
