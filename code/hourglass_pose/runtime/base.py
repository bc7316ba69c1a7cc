"""Runtime: the interface of a device, or of one process of many, for training and evaluation."""

import io
import json
from typing import Any, Dict, List, Mapping, Optional

import numpy as np

from hourglass_pose.tf_compat import tf


class Runtime:
    """One process on one device. Callers never branch on the device; on a single CPU most methods do nothing.

    A runtime is open from the start: rank and world_size are known. The methods are called in this order:
    session_config, dropout, sum_over_processes, joint_mean, wrap_optimizer and loop_operation while the graph is
    built; prepare_session after the variables are initialised or restored, before the graph is frozen; run,
    synchronise and the exchanges between the processes while it works; close.
    """

    rank: int = 0
    world_size: int = 1
    description: str = ''
    """One line for the log: the device, its precision, and why it was chosen."""
    evaluation_block: int = 16
    """Crops of one pass in evaluation. It is fixed for a device, as the last bits of a crop's heatmaps depend on the
    number of crops in a pass and on the index of the crop among them."""
    evaluation_lanes: int = 1
    """Parts of a pass in evaluation, each computed by operations of its own at the same time as the others."""
    skips_overflow: bool = False
    """Whether the wrapped optimizer skips a step whose gradient overflows, and continues."""
    joins_variables: bool = True
    """Whether a network's variables are trained as one vector, which takes far fewer operations."""
    sums_tensors: bool = True
    """Whether sum_over_processes covers all processes; otherwise it is the tensor of this one."""
    target: str = ''
    """What sessions that train connect to: '' is this process itself."""
    steps_per_run: int = 1
    """Training steps of one run. With more than one, batches are read in the graph and not fed."""

    @property
    def is_chief(self) -> bool:
        """Whether this process writes checkpoints, events and pictures, and prints."""
        return self.rank == 0

    def session_config(self) -> Any:
        """Return the tf.ConfigProto of every session of this process."""
        raise NotImplementedError

    def dropout(self, x: Any, rate: float, step: Any, salt: int) -> Any:
        """Return x with a share `rate` of its values zeroed and the rest scaled by 1 / (1 - rate).

        Args:
            x: tensor.
            rate: in [0, 1).
            step: int tensor, the training step.
            salt: int >= 0 that differs by layer of the network, seed and rank.
        """
        seed = tf.stack([tf.cast(step, tf.int32), tf.constant(salt % 2**31, tf.int32)])
        keep = tf.random.stateless_uniform(tf.shape(x), seed) >= rate
        return tf.where(keep, x / (1.0 - rate), tf.zeros_like(x))

    def sum_over_processes(self, tensor: Any) -> Any:
        """Return the sum of a float tensor over the processes, as an operation of the graph without a gradient."""
        return tensor

    def joint_mean(self, mean: Any, count: Any) -> Any:
        """Return a loss of this process so that the average of the processes' gradients is that of the joint batch.

        Without sums over processes it is the mean itself, and the means of all processes have the same weight.

        Args:
            mean: scalar, the sum of a loss over terms of this process, divided by max(count, 1).
            count: scalar, the number of these terms, which may differ between the processes.
        """
        del count
        return mean

    def wrap_optimizer(self, optimizer: Any) -> Any:
        """Return the optimizer with the loss scaling and gradient exchange that the device needs.

        Its compute_gradients gives gradients of the unscaled loss, averaged over the processes. Its apply_gradients
        counts the global step, unless the step overflowed and was skipped; this is the same on all processes.
        """
        return optimizer

    def loop_operation(self, train_op: Any) -> Any:
        """Return the operation that a run executes; train_op: the operation of one step."""
        return train_op

    def prepare_session(self, session: Any) -> None:
        """Make all processes start from the chief's variables."""

    def synchronise(self, session: Any) -> None:
        """Copy the chief's variables to all processes again.

        The weights are equal already, but each process has the moving batch statistics of its own share of the data. A
        validation that all processes share must use the network that the chief saves.
        """

    def run(self, session: Any, fetches: Any, feed_dict: Optional[Mapping[Any, Any]] = None) -> Any:
        """Train for steps_per_run steps and return the values of fetches after the last one."""
        return session.run(fetches, feed_dict)

    def exchange_bytes(self, payload: bytes) -> List[bytes]:
        """Return the payloads of all processes, in order of rank. Every process has to call it."""
        return [payload]

    def exchange(self, value: Any) -> List[Any]:
        """Return the value of every process, in order of rank; values are JSON-able."""
        return [json.loads(payload.decode()) for payload in self.exchange_bytes(json.dumps(value).encode())]

    def exchange_arrays(self, arrays: Dict[str, np.ndarray]) -> List[Dict[str, np.ndarray]]:
        """Return {name: array of numbers} of every process, in order of rank, bit for bit."""
        stream = io.BytesIO()
        np.savez(stream, **arrays)  # type: ignore[arg-type]
        found = []
        for payload in self.exchange_bytes(stream.getvalue()):
            with np.load(io.BytesIO(payload), allow_pickle=False) as stored:
                found.append({name: stored[name] for name in stored.files})
        return found

    def any_of(self, flag: bool) -> bool:
        """Return whether the flag is set in any process; the result is the same in each."""
        return any(self.exchange(bool(flag)))

    def barrier(self) -> None:
        """Return when every process has called it."""
        self.exchange_bytes(b'')

    def close(self, failure: Optional[str] = None) -> None:
        """Release the device.

        failure: one line on why this process ends before the others have finished; the others then end as well.
        """
