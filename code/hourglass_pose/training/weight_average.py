"""WeightAverage: an exponential moving average of a network's variables, which evaluation and prediction can use."""

from typing import Any, Callable, Iterable

from hourglass_pose.checkpoints.variables import AVERAGE_SUFFIX
from hourglass_pose.tf_compat import tf


class WeightAverage:
    """average <- d * average + (1 - d) * variable after step s = 1, 2, ..., with d = min(decay, (s - 1) / (s + 8)).

    Since d is 0 after the first step and rises slowly, the random initial weights have no part in the average.
    tf.train.ExponentialMovingAverage cannot be used: its initialisation from reference variables inside a condition
    fails on TensorFlow 2.
    """

    def __init__(self, variables: Iterable['tf.Variable'], decay: float) -> None:
        self._variables = list(variables)
        self._decay = decay
        self._averages = {
            variable.op.name: tf.get_variable(
                variable.op.name + AVERAGE_SUFFIX, variable.shape, tf.float32, tf.zeros_initializer(), trainable=False
            )
            for variable in self._variables
        }

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
        for variable in self._variables:
            average = self._averages[variable.op.name]
            # A reference variable may be read before the step; read_value is ordered after the step.
            updates.append(tf.assign_sub(average, weight * (average.read_value() - variable.read_value())))
        return tf.group(*updates)

    def has_any(self, names: Iterable[str]) -> bool:
        """Return whether one of the averages is among the names."""
        return any(average.op.name in names for average in self._averages.values())

    def reset(self) -> 'tf.Operation':
        """Return the operation that sets every average to its variable, for averages that start during a training."""
        return tf.group(*[tf.assign(self._averages[variable.op.name], variable) for variable in self._variables])

    def getter(self, getter: Callable[..., Any], name: str, *args: Any, **kwargs: Any) -> Any:
        """Custom getter of a tower that reads the averages instead of the variables."""
        return self._averages[getter(name, *args, **kwargs).op.name]
