"""Runtime: what a device, or a process of many, must offer to training and evaluation; harmless on a single CPU."""

from hourglass_pose.tf_compat import tf


class Runtime:
    """One process on one device. Callers never ask which device it is.

    The methods are called in this order: session_config, dropout and wrap_optimizer while the graph is built;
    prepare_session after the variables are initialised or restored; run, average and barrier while it works; close.
    """

    rank = 0
    world_size = 1
    description = ''
    """One line for the log: the device, its precision, and why it was chosen."""
    evaluation_block = 16
    """Crops of one pass in evaluation. It is fixed for a device, as last bits of a crop's heatmaps depend on how many
    crops are passed, and on the place among them."""
    skips_overflow = False
    """Whether the wrapped optimizer leaves out a step whose gradient is not finite, and goes on."""

    @property
    def is_chief(self):
        """Whether this process writes checkpoints, events and pictures."""
        return self.rank == 0

    def session_config(self):
        """Return the tf.ConfigProto of every session of this process."""
        raise NotImplementedError

    def dropout(self, x, rate, seed):
        """Return x with a share `rate` of its values zeroed and the rest scaled by 1 / (1 - rate).

        seed: int tensor (2,). The same seed drops the same values, so a resumed run repeats the uninterrupted one.
        """
        keep = tf.random.stateless_uniform(tf.shape(x), seed) >= rate
        return tf.where(keep, x / (1.0 - rate), tf.zeros_like(x))

    def wrap_optimizer(self, optimizer):
        """Return the optimizer with loss scale and gradient exchange as the device needs them."""
        return optimizer

    def prepare_session(self, session):
        """Make all processes start from the chief's variables."""

    def run(self, session, fetches, feed_dict=None):
        """Run one step and return the values of fetches."""
        return session.run(fetches, feed_dict)

    def average(self, values):
        """Return the mean over all processes of an array of floats, the same on each."""
        return values

    def barrier(self):
        """Return when every process has come here."""

    def close(self):
        """Give the device back."""
