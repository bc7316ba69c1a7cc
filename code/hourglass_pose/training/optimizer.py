"""Optimizers and learning-rate schedules, as graph operations of the global step."""

from dataclasses import dataclass
from typing import Tuple

import numpy as np

from hourglass_pose.tf_compat import tf


@dataclass(frozen=True)
class ScheduleSettings:
    """Learning rate over a run of total_steps steps; the names are those of config.cfg [Train].

    exponential: lear_rate * decay ** floor(step / decay_step). multistep: lear_rate times decay at each milestone,
    a share of the run. cosine: half a cosine from lear_rate to 0 (Loshchilov and Hutter 2017, eq. 5, one period).
    In the first warmup_steps steps the rate also rises linearly from zero.
    """

    total_steps: int
    lear_rate: float = 1e-3
    schedule: str = 'cosine'
    decay: float = 0.96
    decay_step: int = 2000
    milestones: Tuple[float, ...] = (0.6, 0.85)
    warmup_steps: int = 0


def learning_rate(settings, global_step):
    """Return the scalar float32 rate of the step after `global_step` finished ones."""
    step = tf.cast(global_step, tf.float32)
    if settings.schedule == 'exponential':
        factor = tf.pow(settings.decay, tf.floor(step / settings.decay_step))
    elif settings.schedule == 'multistep':
        passed = [tf.cast(step >= share * settings.total_steps, tf.float32) for share in settings.milestones]
        factor = tf.pow(settings.decay, tf.add_n(passed) if passed else 0.0)
    elif settings.schedule == 'cosine':
        progress = tf.minimum(step / settings.total_steps, 1.0)
        factor = 0.5 * (1.0 + tf.cos(np.pi * progress))
    else:
        raise ValueError(f'schedule: expected exponential, multistep or cosine, found {settings.schedule!r}')
    if settings.warmup_steps:
        factor *= tf.minimum((step + 1.0) / settings.warmup_steps, 1.0)
    return tf.multiply(settings.lear_rate, factor, name='learning_rate')


class AdamW(tf.train.AdamOptimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019): each kernel also shrinks by rate * weight_decay.

    Biases, scales and offsets are not decayed. The decay is part of the update itself, so whatever skips an update,
    such as an overflow in float16, skips the decay as well.
    """

    def __init__(self, learning_rate, weight_decay, **kwargs):
        super().__init__(learning_rate, name='AdamW', **kwargs)
        self._weight_decay = weight_decay

    def _apply_dense(self, grad, var):
        if len(var.shape) < 2:
            return super()._apply_dense(grad, var)
        with tf.control_dependencies([grad]):
            decay = var.assign_sub(self._lr_t * self._weight_decay * var)
        with tf.control_dependencies([decay]):
            return super()._apply_dense(grad, var)


def make_optimizer(kind, rate, weight_decay=0.0):
    """Return the tf.train.Optimizer of a kind: 'adam', 'adamw' or 'rmsprop'.

    RMSProp has the smoothing constant 0.99 and the epsilon 1e-8 of the published hourglass; its mean square starts at
    one, as TensorFlow has it, and not at zero, as Torch has it, so that the first few hundred steps are smaller.
    """
    if kind == 'adam':
        return tf.train.AdamOptimizer(rate)
    if kind == 'adamw':
        return AdamW(rate, weight_decay)
    if kind == 'rmsprop':
        return tf.train.RMSPropOptimizer(rate, decay=0.99, epsilon=1e-8)
    raise ValueError(f'optimizer: expected adam, adamw or rmsprop, found {kind!r}')


def create_state(optimizer, variables):
    """Create an optimizer's variables for those it will change.

    Loss scaling applies gradients inside a condition, which would give its name to what is first made there: a
    checkpoint of one device would lack the counters of another.
    """
    optimizer._create_slots(list(variables))
