"""Training batches as tensors: fed for each step, or read in the graph by a device that runs several steps itself."""

from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose.input.generator import Batch
from hourglass_pose.tf_compat import tf

OUTSIDE_CROP = -4.0
"""Coordinate, in crop pixels, of an unlabelled joint: outside the crop, and small enough for half precision."""

Tensor = Any
Arrays = Tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def training_arrays(batch: Batch) -> Arrays:
    """Return what training takes of a Batch; a network without the person output takes the first three.

    These are images uint8 (B, S, S, 3), joints float32 (B, J, 2) in crop pixels, joint weights (B, J), and target and
    weight of the person output (B, 2).
    An unlabelled joint is moved outside the crop, where its target is empty. Masked rows are black crops: they do not
    contribute to the loss, but to the statistics of batch normalisation.
    """
    joints = np.where(batch.labelled[..., None], batch.joints_crop, OUTSIDE_CROP).astype(np.float32)
    mask = batch.mask[:, None]
    return batch.images, joints, batch.joint_weights * mask, batch.person_labels * mask


class FedInput:
    """Placeholders of fixed shapes, filled for each step from the host."""

    def __init__(self, types: Sequence[Any], shapes: Sequence[List[int]], names: Sequence[str]) -> None:
        self.tensors = [tf.placeholder(kind, shape, name) for kind, shape, name in zip(types, shapes, names)]
        self.batch: Optional[Batch] = None
        self._batches: Iterator[Batch] = iter(())

    def start(self, session: Any, batches: Iterator[Batch]) -> None:
        """Continue with an iterator of Batches."""
        self._batches = batches

    def next_feed(self) -> Dict[Tensor, np.ndarray]:
        """Return the feed of the next run. Exceptions of the iterator pass through."""
        self.batch = next(self._batches)
        return dict(zip(self.tensors, training_arrays(self.batch)))

    def failure(self) -> Optional[Exception]:
        """Return the exception that ended the reading of a batch inside a run, or None."""
        return None


class ReadInput:
    """The next element of a dataset that a generator on the host fills; `start` initialises it again.

    It is no one-shot iterator, because Ascend's adapter refuses that in a device loop.
    """

    def __init__(self, types: Sequence[Any], shapes: Sequence[List[int]], names: Sequence[str]) -> None:
        dataset = tf.data.Dataset.from_generator(self._elements, tuple(types), tuple(map(tf.TensorShape, shapes)))
        self._iterator = tf.data.make_initializable_iterator(dataset)
        self.tensors = [tf.identity(tensor, name) for tensor, name in zip(self._iterator.get_next(), names)]
        for tensor, shape in zip(self.tensors, shapes):
            tensor.set_shape(shape)
        self.batch: Optional[Batch] = None
        self._batches: Iterator[Batch] = iter(())
        self._failure: Optional[Exception] = None

    def start(self, session: Any, batches: Iterator[Batch]) -> None:
        """Continue with an iterator of Batches."""
        self._batches = batches
        session.run(self._iterator.initializer)

    def next_feed(self) -> Dict[Tensor, np.ndarray]:
        """Return the empty feed: the graph reads its batches itself."""
        return {}

    def failure(self) -> Optional[Exception]:
        """Return the exception that ended the reading of a batch inside a run, or None."""
        return self._failure

    def _elements(self) -> Iterator[Tuple[np.ndarray, ...]]:
        # TensorFlow replaces the exception by one of its own, whose message is a traceback.
        try:
            for batch in self._batches:
                yield tuple(map(np.ascontiguousarray, training_arrays(batch)[: len(self.tensors)]))
        except Exception as error:
            self._failure = error
            raise
