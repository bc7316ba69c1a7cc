"""The device's own loop over training steps."""

import tensorflow.compat.v1 as tf
from stand_in import StandInError, gate

__getattr__ = gate('util', ('set_iteration_per_loop', 'IterationPerLoop'), ('get_ranksize',))

NAMES = ('iterations_per_loop', 'loop_cond', 'zero', 'one')


def set_iteration_per_loop(sess, train_op, iterations_per_loop=1):
    """Return the operation that is iterations_per_loop steps of train_op; its variables are set in the session."""
    require_operation(train_op)
    require_count(iterations_per_loop)
    if iterations_per_loop == 1:
        return train_op
    loop = IterationPerLoop()
    operation = loop.create_iteration_per_loop_var(train_op)
    loop.load_iteration_per_loop_var(sess, iterations_per_loop)
    return operation


class IterationPerLoop:
    """The same in two parts, for a graph that is frozen in between."""

    def __init__(self):
        self._variables = None

    def create_iteration_per_loop_var(self, train_op):
        require_operation(train_op)
        if 'IterationOp' in {operation.name for operation in train_op.graph.get_operations()}:
            raise StandInError('a second IterationOp in one graph would not be found by its name')
        with tf.variable_scope('npu_runconfig', reuse=tf.AUTO_REUSE):
            self._variables = [
                tf.get_variable(
                    name,
                    shape=[],
                    dtype=tf.int64,
                    initializer=tf.zeros_initializer(),
                    trainable=False,
                    collections=[tf.GraphKeys.LOCAL_VARIABLES],
                    use_resource=True,
                )
                for name in NAMES
            ]
        return tf.group(train_op, name='IterationOp')

    def load_iteration_per_loop_var(self, sess, iterations_per_loop=1):
        require_count(iterations_per_loop)
        if self._variables is None:
            raise StandInError('load_iteration_per_loop_var before create_iteration_per_loop_var')
        for variable, value in zip(self._variables, (iterations_per_loop - 1, 0, 0, 1)):
            variable.load(value, session=sess)


def require_operation(train_op):
    if not isinstance(train_op, tf.Operation):
        raise StandInError(f'train_op has to be an Operation, found {train_op!r}')


def require_count(iterations):
    if not isinstance(iterations, int) or isinstance(iterations, bool) or iterations < 1:
        raise StandInError(f'iterations_per_loop has to be an integer of at least 1, found {iterations!r}')
