"""Collectives: sums over processes as operations of a graph, by TensorFlow's CollectiveReduce."""

from typing import Any, Callable, List, Sequence, Tuple

from hourglass_pose.tf_compat import tf

_GROUP = 1

Tensor = Any


class Collectives:
    """Makes the operations by which a group of processes adds up tensors.

    Every process has to make the same ones in the same order, as each gets the next number, by which the processes
    find each other's. The operations of one step may run in any order.

    Args:
        size: number of processes.
        device: 'cpu' or 'gpu'. On GPUs the sums are left to NCCL.
    """

    def __init__(self, size: int, device: str) -> None:
        self._size = size
        self._device = f'/device:{device.upper()}:0'
        self._hint = 'nccl' if device == 'gpu' else 'ring'
        self.made: List[Tuple[str, List[int]]] = []
        """(final operation, shape) of each operation, JSON-able: the same in all processes."""

    def sum(self, tensor: Tensor) -> Tensor:
        """Return the sum of a float tensor over the processes; bit for bit the same in all. It has no gradient."""
        return self._reduced(tensor, 'Id')

    def mean(self, tensor: Tensor) -> Tensor:
        """Return the mean of a float tensor over the processes; bit for bit the same in all. It has no gradient."""
        return self._reduced(tensor, 'Div')

    def _reduced(self, tensor: Tensor, final: str) -> Tensor:
        tensor = tf.convert_to_tensor(tensor)
        shape = tensor.shape.as_list()
        self.made.append((final, shape))
        with tf.device(self._device):
            reduced = tf.raw_ops.CollectiveReduce(
                input=tf.reshape(tensor, [-1]),
                group_size=self._size,
                group_key=_GROUP,
                instance_key=len(self.made),
                merge_op='Add',
                final_op=final,
                subdiv_offsets=[0],
                communication_hint=self._hint,
            )
        return tf.reshape(reduced, shape)


class AveragingOptimizer(tf.train.Optimizer):
    """An optimizer whose gradients are averaged over the processes. mean: function that averages a tensor."""

    def __init__(self, optimizer: Any, mean: Callable[[Tensor], Tensor]) -> None:
        super().__init__(use_locking=False, name='Averaging')
        self._optimizer = optimizer
        self._mean = mean

    def compute_gradients(self, *arguments: Any, **options: Any) -> List[Tuple[Tensor, Any]]:
        """Return [(averaged gradient or None, variable)]; the arguments are those of the optimizer."""
        pairs = self._optimizer.compute_gradients(*arguments, **options)
        return [(gradient if gradient is None else self._mean(gradient), variable) for gradient, variable in pairs]

    def apply_gradients(self, grads_and_vars: Sequence[Any], global_step: Any = None, name: Any = None) -> Any:
        """Return the operation that applies gradients, which are those of compute_gradients."""
        return self._optimizer.apply_gradients(grads_and_vars, global_step, name)
