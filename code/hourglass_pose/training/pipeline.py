"""Training batches as tensors: fed one at a time, or read in the graph by a device that makes several steps a run."""

import numpy as np

from hourglass_pose.tf_compat import tf


def training_arrays(batch):
    """Return (images, heatmaps, joint weights) of a Batch.

    Masked rows have no part in the loss. Batch normalisation sees them as the black crops that they are.
    """
    return batch.images, batch.heatmaps, batch.joint_weights * batch.mask[:, None]


class FedInput:
    """Placeholders of fixed shapes, filled for each step from the host."""

    def __init__(self, types, shapes, names):
        self.tensors = [tf.placeholder(kind, shape, name) for kind, shape, name in zip(types, shapes, names)]
        self.batch = None
        self._batches = None

    def start(self, session, batches):
        """Go on with an iterator of Batches."""
        self._batches = batches

    def next_feed(self):
        """Return the feed of the next run; what the iterator raises passes through."""
        self.batch = next(self._batches)
        return dict(zip(self.tensors, training_arrays(self.batch)))

    def failure(self):
        """Return the exception that reading a batch ended with inside a run, or None."""
        return None


class ReadInput:
    """The next element of a dataset that a generator of the host fills; it is initialised anew to go on elsewhere.

    A one-shot iterator would not do: Ascend's adapter refuses it in a device loop.
    """

    def __init__(self, types, shapes, names):
        dataset = tf.data.Dataset.from_generator(self._elements, tuple(types), tuple(map(tf.TensorShape, shapes)))
        self._iterator = tf.data.make_initializable_iterator(dataset)
        self.tensors = [tf.identity(tensor, name) for tensor, name in zip(self._iterator.get_next(), names)]
        for tensor, shape in zip(self.tensors, shapes):
            tensor.set_shape(shape)
        self.batch = None
        self._batches = iter(())
        self._failure = None

    def start(self, session, batches):
        self._batches = batches
        session.run(self._iterator.initializer)

    def next_feed(self):
        return {}

    def failure(self):
        return self._failure

    def _elements(self):
        # TensorFlow would turn the exception into one of its own, with a traceback for a message.
        try:
            for batch in self._batches:
                yield tuple(np.ascontiguousarray(array) for array in training_arrays(batch))
        except Exception as error:
            self._failure = error
            raise
