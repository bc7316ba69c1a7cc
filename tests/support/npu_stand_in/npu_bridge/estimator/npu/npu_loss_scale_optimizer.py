"""NPULossScaleOptimizer: scales the loss, and leaves out the steps that overflow."""

import numpy as np
import tensorflow.compat.v1 as tf
from stand_in import StandInError, device, gate, size, state
from stand_in.graphs import mark

from npu_bridge.estimator.npu import npu_plugin
from npu_bridge.estimator.npu.npu_loss_scale_manager import ExponentialUpdateLossScaleManager, FixedLossScaleManager
from npu_bridge.hccl import hccl_ops

__getattr__ = gate('npu_loss_scale_optimizer', ('NPULossScaleOptimizer',))


class NPULossScaleOptimizer(tf.train.Optimizer):
    """Wraps an optimizer. is_distributed: whether the ranks agree about overflows."""

    scales_the_loss = True

    def __init__(self, opt, loss_scale_manager, is_distributed=False):
        if not isinstance(loss_scale_manager, (ExponentialUpdateLossScaleManager, FixedLossScaleManager)):
            raise StandInError(f'loss_scale_manager: {loss_scale_manager!r}')
        if hasattr(opt, 'scales_the_loss'):
            raise StandInError('the loss would be scaled twice')
        if size() > 1 and not is_distributed:
            raise StandInError(f'{size()} ranks without is_distributed: their weights would drift apart')
        if size() > 1 and not hasattr(opt, 'averages_over_ranks'):
            raise StandInError(f'{size()} ranks, but the inner optimizer does not average the gradients')
        if size() == 1 and is_distributed:
            raise StandInError('is_distributed with one rank: there is no one to agree with')
        super().__init__(use_locking=False, name='NPULossScaleOptimizer')
        self._opt, self._manager, self._is_distributed = opt, loss_scale_manager, is_distributed
        self._computed = False

    def compute_gradients(self, loss, *args, **kwargs):
        self._computed = True
        scale = self._manager.get_loss_scale()
        pairs = self._opt.compute_gradients(loss * tf.cast(scale, loss.dtype.base_dtype), *args, **kwargs)
        return [
            (None if gradient is None else gradient / tf.cast(scale, gradient.dtype.base_dtype), variable)
            for gradient, variable in pairs
        ]

    def apply_gradients(self, grads_and_vars, global_step=None, name=None):
        if state() == 'A21' and not self._computed:
            raise StandInError(
                'apply_gradients before compute_gradients of the same optimizer: A21 allocates the '
                'overflow status there'
            )
        pairs = list(grads_and_vars)
        is_finite = self._is_finite([gradient for gradient, _ in pairs if gradient is not None])
        applied = tf.cond(is_finite, lambda: self._opt.apply_gradients(pairs, global_step, name), tf.no_op)
        return tf.group(applied, self._manager.update_loss_scale(is_finite))

    def _is_finite(self, gradients):
        if not self._manager.checks_overflow:
            return tf.constant(True)
        if state() == 'A23' and npu_plugin.is_inf_nan_enabled():
            return tf.reduce_all([tf.reduce_all(tf.is_finite(gradient)) for gradient in gradients])

        def read_and_clear(*_):
            status = np.array([device.read_register()], np.int32)
            device.register = 0
            return status

        # The register is read when all gradients are there.
        with tf.control_dependencies(gradients):
            status = tf.py_func(read_and_clear, [], tf.int32, stateful=True, name='NpuGetFloatStatus')
        mark(status.op, 'NpuGetFloatStatus')
        status.set_shape([1])
        if self._is_distributed:
            status = hccl_ops.allreduce(status, 'sum', fusion=0)
        return tf.reduce_all(tf.equal(status, 0))
