"""WeightAverage: an exponential moving average of a network's variables, which evaluation and prediction can use."""

from typing import Any, Callable, Iterable, Sequence

from hourglass_pose.checkpoints.variables import AVERAGE_SUFFIX
from hourglass_pose.graph.storage import Group, getter_of
from hourglass_pose.tf_compat import tf


class WeightAverage:
    """average <- d * average + (1 - d) * variable after step s = 1, 2, ..., with d = min(decay, (s - 1) / (s + 8)).

    Since d is 0 after the first step and rises slowly, the random initial weights have no part in the average.
    tf.train.ExponentialMovingAverage cannot be used: its initialisation from reference variables inside a condition
    fails on TensorFlow 2.
    """

    def __init__(self, groups: Sequence[Group], decay: float) -> None:
        self._groups = list(groups)
        self._decay = decay
        self._averages = [group.like(_zeros_like(group.variable), AVERAGE_SUFFIX) for group in self._groups]

    def update(self, finished_steps: 'tf.Tensor', is_applied: 'tf.Tensor') -> 'tf.Operation':
        """Return the operation that adds the current values to the averages.

        finished_steps: integer tensor, this step included. It must be the result of the counting operation, because
        TensorFlow's graph optimizer moves a plain read of the counter before the step. is_applied: bool tensor; False
        means that the step was skipped, and the averages stay unchanged.
        """
        step = tf.cast(finished_steps, tf.float32)
        weight = 1.0 - tf.minimum(self._decay, (step - 1.0) / (step + 8.0))
        weight = tf.where(is_applied, weight, tf.zeros_like(weight))
        updates = []
        for group, average in zip(self._groups, self._averages):
            # A reference variable may be read before the step; read_value is ordered after the step.
            change = weight * (average.variable.read_value() - group.variable.read_value())
            updates.append(tf.assign_sub(average.variable, change))
        return tf.group(*updates)

    def has_any(self, names: Iterable[str]) -> bool:
        """Return whether one of the averages is among the names."""
        return bool({name for average in self._averages for name in average.names} & set(names))

    def reset(self) -> 'tf.Operation':
        """Return the operation that sets every average to its variable, for averages that start during a training."""
        pairs = zip(self._averages, self._groups)
        return tf.group(*[tf.assign(average.variable, group.variable) for average, group in pairs])

    def getter(self) -> Callable[..., Any]:
        """Return the custom getter of a tower that reads the averages instead of the variables."""
        return getter_of(self._averages, AVERAGE_SUFFIX)


def _zeros_like(variable: 'tf.Variable') -> 'tf.Variable':
    name = variable.op.name + AVERAGE_SUFFIX
    return tf.get_variable(name, variable.shape, tf.float32, tf.zeros_initializer(), trainable=False)
