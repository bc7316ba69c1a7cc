"""Loss scales: fixed, or adapted to the overflows."""

import tensorflow.compat.v1 as tf
from stand_in import StandInError, gate, state

__getattr__ = gate('npu_loss_scale_manager', ('FixedLossScaleManager', 'ExponentialUpdateLossScaleManager'))


class FixedLossScaleManager:
    """One scale for ever; a step that overflows is left out."""

    def __init__(self, loss_scale, **newer):
        if loss_scale < 1:
            raise StandInError(f'loss_scale has to be at least 1, found {loss_scale!r}')
        if newer and (state() == 'A21' or set(newer) - {'enable_overflow_check'}):
            raise StandInError(f'FixedLossScaleManager of {state()}: unknown {sorted(newer)}')
        self.checks_overflow = newer.get('enable_overflow_check', True)
        self._scale = tf.constant(loss_scale, tf.float32)

    def get_loss_scale(self):
        return self._scale

    def update_loss_scale(self, is_finite):
        return tf.no_op()


class ExponentialUpdateLossScaleManager:
    """A scale that is multiplied by incr_ratio after incr_every_n_steps good steps in a row, and by decr_ratio after
    decr_every_n_nan_or_inf bad ones, but never below 1; in both cases the counts start again.
    """

    checks_overflow = True

    def __init__(self, init_loss_scale, incr_every_n_steps, decr_every_n_nan_or_inf=2, incr_ratio=2, decr_ratio=0.8):
        if not (
            init_loss_scale >= 1
            and incr_every_n_steps >= 1
            and decr_every_n_nan_or_inf >= 1
            and incr_ratio > 1 > decr_ratio > 0
        ):
            raise StandInError(
                f'ExponentialUpdateLossScaleManager: '
                f'{(init_loss_scale, incr_every_n_steps, decr_every_n_nan_or_inf, incr_ratio, decr_ratio)!r}'
            )
        self._incr_every, self._decr_every = incr_every_n_steps, decr_every_n_nan_or_inf
        self._incr_ratio, self._decr_ratio = incr_ratio, decr_ratio
        self._scale = tf.Variable(float(init_loss_scale), trainable=False, name='loss_scale', dtype=tf.float32)
        self._good = tf.Variable(0, trainable=False, name='good_steps', dtype=tf.int32)
        self._bad = tf.Variable(0, trainable=False, name='bad_steps', dtype=tf.int32)

    def get_loss_scale(self):
        return self._scale

    def update_loss_scale(self, is_finite):
        """Return the operation that takes a good or a bad step into account."""
        scale, good, bad = [tf.identity(variable.read_value()) for variable in (self._scale, self._good, self._bad)]
        rises = tf.logical_and(is_finite, good + 1 >= self._incr_every)
        falls = tf.logical_and(tf.logical_not(is_finite), bad + 1 >= self._decr_every)
        changes = tf.logical_or(rises, falls)
        raised = tf.where(scale < 3.4e38 / self._incr_ratio, scale * self._incr_ratio, scale)
        new_scale = tf.where(rises, raised, tf.where(falls, tf.maximum(scale * self._decr_ratio, 1.0), scale))
        zero = tf.zeros_like(good)
        new_good = tf.where(tf.logical_or(changes, tf.logical_not(is_finite)), zero, good + 1)
        new_bad = tf.where(changes, zero, tf.where(is_finite, bad, bad + 1))
        with tf.control_dependencies([new_scale, new_good, new_bad]):
            return tf.group(
                tf.assign(self._scale, new_scale), tf.assign(self._good, new_good), tf.assign(self._bad, new_bad)
            )
