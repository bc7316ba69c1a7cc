"""Optimizers and learning-rate schedules, as graph operations."""

from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy as np

from hourglass_pose.graph.storage import Group
from hourglass_pose.tf_compat import tf


@dataclass(frozen=True)
class ScheduleSettings:
    """Learning rate over a run of total_persons persons, all epochs together.

    exponential: lear_rate * decay ** floor(persons / decay_persons). multistep: lear_rate times decay at each
    milestone, a share of the run. cosine: half a cosine from lear_rate to 0 (Loshchilov and Hutter 2017, eq. 5, one
    period). Over the first warmup_persons persons the rate also rises linearly from zero.

    persons_per_step, persons_offset: after `step` applied steps the network has learnt from persons_offset + step *
    persons_per_step persons. Both are constants in the graph, so that a device that runs several steps in its own loop
    can compute the rate.
    """

    total_persons: int
    lear_rate: float = 1e-3
    schedule: str = 'cosine'
    decay: float = 0.96
    decay_persons: int = 2000
    milestones: Tuple[float, ...] = (0.6, 0.85)
    warmup_persons: int = 0
    persons_per_step: int = 1
    persons_offset: int = 0


def learning_rate(settings: ScheduleSettings, global_step: 'tf.Tensor') -> 'tf.Tensor':
    """Return the scalar float32 learning rate of the step that follows `global_step` applied steps."""
    persons = tf.cast(global_step, tf.float32) * settings.persons_per_step + settings.persons_offset
    if settings.schedule == 'exponential':
        factor = tf.pow(settings.decay, tf.floor(persons / settings.decay_persons))
    elif settings.schedule == 'multistep':
        passed = [tf.cast(persons >= share * settings.total_persons, tf.float32) for share in settings.milestones]
        factor = tf.pow(settings.decay, tf.add_n(passed) if passed else 0.0)
    elif settings.schedule == 'cosine':
        progress = tf.minimum(persons / settings.total_persons, 1.0)
        factor = 0.5 * (1.0 + tf.cos(np.pi * progress))
    else:
        raise ValueError(f'schedule: expected exponential, multistep or cosine, found {settings.schedule!r}')
    if settings.warmup_persons:
        factor *= tf.minimum((persons + settings.persons_per_step) / settings.warmup_persons, 1.0)
    return tf.multiply(settings.lear_rate, factor, name='learning_rate')


class AdamW(tf.train.AdamOptimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019): each kernel also shrinks by rate * weight_decay.

    Biases, scales and offsets are not decayed. The decay is part of the update itself, so a skipped update, such as
    after an overflow in float16, skips the decay as well. groups: the weights.
    """

    def __init__(self, learning_rate: 'tf.Tensor', weight_decay: float, groups: Sequence[Group]) -> None:
        super().__init__(learning_rate, name='AdamW')
        self._weight_decay = weight_decay
        self._kernels = {group.variable.op.name: group.kernels() for group in groups if group.has_kernels}

    def _apply_dense(self, grad: 'tf.Tensor', var: 'tf.Variable') -> 'tf.Operation':
        kernels = self._kernels.get(var.op.name)
        if kernels is None:
            return super()._apply_dense(grad, var)
        with tf.control_dependencies([grad]):
            decay = var.assign_sub(self._lr_t * self._weight_decay * kernels * var)
        with tf.control_dependencies([decay]):
            return super()._apply_dense(grad, var)


def make_optimizer(
    kind: str, rate: 'tf.Tensor', weight_decay: float = 0.0, groups: Sequence[Group] = ()
) -> 'tf.train.Optimizer':
    """Return the tf.train.Optimizer of a kind: 'adam', 'adamw' or 'rmsprop'. groups: the weights, for 'adamw'.

    RMSProp has the smoothing constant 0.99 and the epsilon 1e-8 of the published hourglass. Its mean square starts at
    one, as in TensorFlow, and not at zero, as in Torch, so the first few hundred steps are smaller.
    """
    if kind == 'adam':
        return tf.train.AdamOptimizer(rate)
    if kind == 'adamw':
        return AdamW(rate, weight_decay, groups)
    if kind == 'rmsprop':
        return tf.train.RMSPropOptimizer(rate, decay=0.99, epsilon=1e-8)
    raise ValueError(f'optimizer: expected adam, adamw or rmsprop, found {kind!r}')


def create_state(optimizer: 'tf.train.Optimizer', groups: Sequence[Group]) -> None:
    """Create an optimizer's variables for the groups of weights that it will change.

    Loss scaling applies gradients inside a condition, and variables that are created there get its name as a prefix. A
    checkpoint of one device would then lack the counters of another.
    """
    optimizer._create_slots([group.variable for group in groups])
    for group in groups:
        for name in optimizer.get_slot_names():
            slot = optimizer.get_slot(group.variable, name)
            group.like(slot, slot.op.name[len(group.variable.op.name) :])
