"""Optimizers that average gradients over the ranks."""

import os

import tensorflow.compat.v1 as tf
from stand_in import StandInError, gate, size, state

from npu_bridge.hccl import hccl_ops

NEWER = ('npu_distributed_optimizer_wrapper', 'npu_allreduce')


def mean_over_ranks(gradients):
    """Return [(mean over the ranks or None, variable)] of [(gradient or None, variable)]."""
    ranks = gradient_ranks()
    if ranks <= 1:
        return gradients
    if not os.environ.get('JOB_ID'):
        raise StandInError('averaging needs JOB_ID')
    present = [(gradient, variable) for gradient, variable in gradients if gradient is not None]
    if any(not isinstance(gradient, tf.Tensor) for gradient, _ in present):
        raise StandInError('the stand-in averages dense gradients alone')
    with tf.name_scope('Npu_Allreduce'):
        sums = hccl_ops.allreduce_together([gradient for gradient, _ in present])
        means = {variable: total / float(ranks) for total, (_, variable) in zip(sums, present)}
    return [(None if gradient is None else means[variable], variable) for gradient, variable in gradients]


def gradient_ranks():
    """Return by how many ranks the optimizers think they are used: A21 reads one name of the environment alone."""
    ranks = int(os.environ.get('RANK_SIZE', '1'))
    if state() == 'A21':
        if ranks != size():
            raise StandInError('A21 reads RANK_SIZE, which is not set: no gradient would be averaged')
    elif os.environ.get('CM_WORKER_SIZE') and os.environ.get('RANK_SIZE'):
        raise StandInError('RANK_SIZE and CM_WORKER_SIZE exclude each other')
    return size()


class NPUDistributedOptimizer(tf.train.Optimizer):
    """Wraps an optimizer; its gradients are the means over the ranks."""

    averages_over_ranks = True

    def __init__(self, optimizer, is_weight_update_sharding=False, name=None):
        if is_weight_update_sharding:
            raise StandInError('is_weight_update_sharding is not known to the stand-in')
        require_plain(optimizer)
        super().__init__(use_locking=False, name=name or f'Distributed{type(optimizer).__name__}')
        self._optimizer = optimizer

    def compute_gradients(self, *args, **kwargs):
        return mean_over_ranks(self._optimizer.compute_gradients(*args, **kwargs))

    def apply_gradients(self, *args, **kwargs):
        return self._optimizer.apply_gradients(*args, **kwargs)


def require_plain(optimizer):
    if hasattr(optimizer, 'scales_the_loss'):
        raise StandInError('the loss scale has to be outside of the average over the ranks')
    if hasattr(optimizer, 'averages_over_ranks'):
        raise StandInError('the gradients would be averaged twice')


if state() == 'A23':

    def npu_distributed_optimizer_wrapper(optimizer):
        """Change the optimizer so that its gradients are the means over the ranks, and return it."""
        require_plain(optimizer)
        original = optimizer.compute_gradients
        optimizer.compute_gradients = lambda *args, **kwargs: mean_over_ranks(original(*args, **kwargs))
        optimizer.averages_over_ranks = True
        return optimizer

    def npu_allreduce(values, reduction='mean', fusion=1, fusion_id=-1, group='hccl_world_group'):
        """Return one tensor, or a list of them, reduced over the ranks."""
        if isinstance(values, (list, tuple)):
            return [npu_allreduce(value, reduction, fusion, fusion_id, group) for value in values]
        total = hccl_ops.allreduce(values, 'sum' if reduction == 'mean' else reduction, fusion, fusion_id, group)
        return total / tf.cast(size(), total.dtype) if reduction == 'mean' else total


__getattr__ = gate('npu_optimizer', ('NPUDistributedOptimizer',) + NEWER, NEWER)
