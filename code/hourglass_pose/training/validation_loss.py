"""ValidationLoss: the mean loss on the validation persons, from the logits that a validation computes."""

from typing import Any, Iterable, Iterator, List, Optional, Tuple

import numpy as np

from hourglass_pose.input.generator import Batch
from hourglass_pose.representations.heatmap.numpy import HeatmapCodec
from hourglass_pose.representations.table import graph_half
from hourglass_pose.runtime.base import Runtime
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.pipeline import training_arrays
from hourglass_pose.training.train_graph import TrainGraph


class ValidationLoss:
    """Adds its operations to the current graph. codec: the representation of joints.

    It is the loss of the last stack on the unchanged crops, neither mirrored nor scaled, averaged over labelled joints.
    """

    def __init__(self, graph: TrainGraph, codec: HeatmapCodec) -> None:
        count, _, height, width, joints = graph.valid_logits.shape.as_list()
        self._logits = tf.placeholder(tf.float32, [count, 1, height, width, joints])
        self._joints_crop = tf.placeholder(tf.float32, [count, joints, 2])
        self._weights = tf.placeholder(tf.float32, [count, joints])
        representation = graph_half(codec)
        target = representation.target(self._joints_crop, codec)
        self._loss = representation.loss(self._logits, target, self._weights)
        self._batch: Optional[Batch] = None
        self._parts: List[Tuple[float, float]] = []

    def watch(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield the batches of a validation and remember the current one."""
        self._parts = []
        for self._batch in batches:
            yield self._batch

    def add(self, session: Any, images: np.ndarray, logits: np.ndarray) -> None:
        """Add the logits (B, H, W, J) of crops (B, S, S, 3), if these are the unchanged crops of the current batch."""
        batch = self._batch
        is_plain = batch is not None and (images is batch.images or np.array_equal(images, batch.images))
        if batch is None or not is_plain:
            return
        self._batch = None
        _, joints_crop, weights, _ = training_arrays(batch)
        feed = {self._logits: logits[:, None], self._joints_crop: joints_crop, self._weights: weights}
        self._parts.append((float(session.run(self._loss, feed)), float(weights.sum())))

    def mean(self, runtime: Runtime) -> float:
        """Return the mean over the joints of all processes."""
        shares = runtime.exchange([[loss * count for loss, count in self._parts], [count for _, count in self._parts]])
        sums = [sum(sum(share[part]) for share in shares) for part in (0, 1)]
        return sums[0] / max(sums[1], 1.0)
