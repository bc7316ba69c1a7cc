"""Runtime: what a device, or a process of many, must offer to training and evaluation; harmless on a single CPU."""

import io
import json

import numpy as np

from hourglass_pose.tf_compat import tf


class Runtime:
    """One process on one device. Callers never ask which device it is.

    A runtime is open from the start: rank and world_size are known. The methods are called in this order:
    session_config, dropout, wrap_optimizer and loop_operation while the graph is built; prepare_session after the
    variables are initialised or restored, before the graph is frozen; run, synchronise and what goes between the
    processes while it works; close.
    """

    rank = 0
    world_size = 1
    description = ''
    """One line for the log: the device, its precision, and why it was chosen."""
    evaluation_block = 16
    """Crops of one pass in evaluation. It is fixed for a device, as last bits of a crop's heatmaps depend on how many
    crops are passed, and on the place among them."""
    skips_overflow = False
    """Whether the wrapped optimizer leaves out a step whose gradient overflows, and goes on."""
    steps_per_run = 1
    """Training steps of one run. More than one read their batches in the graph, not from feeds."""

    @property
    def is_chief(self):
        """Whether this process writes checkpoints, events and pictures, and prints."""
        return self.rank == 0

    def session_config(self):
        """Return the tf.ConfigProto of every session of this process."""
        raise NotImplementedError

    def dropout(self, x, rate, step, salt):
        """Return x with a share `rate` of its values zeroed and the rest scaled by 1 / (1 - rate).

        step: int tensor, of the training step. salt: int >= 0 that differs by place in the network, seed and rank.
        """
        seed = tf.stack([tf.cast(step, tf.int32), tf.constant(salt % 2**31, tf.int32)])
        keep = tf.random.stateless_uniform(tf.shape(x), seed) >= rate
        return tf.where(keep, x / (1.0 - rate), tf.zeros_like(x))

    def wrap_optimizer(self, optimizer):
        """Return the optimizer with loss scale and gradient exchange as the device needs them.

        Its compute_gradients gives gradients of the loss as it is, averaged over the processes; its apply_gradients
        counts the global step, unless the step overflowed and was left out, on all processes alike.
        """
        return optimizer

    def loop_operation(self, train_op):
        """Return the operation that a run executes; train_op: the operation of one step."""
        return train_op

    def prepare_session(self, session):
        """Make all processes start from the chief's variables."""

    def synchronise(self, session):
        """Give all processes the chief's variables again.

        Weights are the same anyway; the moving batch statistics are of each process's own share of the data. A
        validation that all share has to be of the network that the chief saves.
        """

    def run(self, session, fetches, feed_dict=None):
        """Run training for steps_per_run steps and return the values of fetches after the last."""
        return session.run(fetches, feed_dict)

    def exchange_bytes(self, payload):
        """Return the list of what every process gave, in order of rank, to each of them. All have to call it."""
        return [payload]

    def exchange(self, value):
        """Return the list of every process's value, in order of rank. value: what JSON can hold."""
        return [
            json.loads(payload.decode('utf-8')) for payload in self.exchange_bytes(json.dumps(value).encode('utf-8'))
        ]

    def exchange_arrays(self, arrays):
        """Return the list of every process's dict {name: array of numbers}, in order of rank, bit for bit."""
        stream = io.BytesIO()
        np.savez(stream, **arrays)
        found = []
        for payload in self.exchange_bytes(stream.getvalue()):
            with np.load(io.BytesIO(payload), allow_pickle=False) as stored:
                found.append({name: stored[name] for name in stored.files})
        return found

    def average(self, value):
        """Return the mean over all processes of a number, the same on each."""
        return sum(self.exchange(float(value))) / self.world_size

    def any_of(self, flag):
        """Return whether the flag is set in any process, the same on each."""
        return any(self.exchange(bool(flag)))

    def barrier(self):
        """Return when every process has come here."""
        self.exchange_bytes(b'')

    def close(self, failure=None):
        """Give the device back.

        failure: why this process ends although the others may not have finished, in one line; they end, too.
        """
