"""The loss that keeps the channel means of a network's trunk small, which 16 bits need in long trainings."""

from typing import Any, Callable, Sequence

import numpy as np

from hourglass_pose.tf_compat import tf

_WEIGHT = 1e-3

Tensor = Any


def offset_loss(trunks: Sequence[Tensor], sum_over_processes: Callable[[Tensor], Tensor]) -> Tensor:
    """Return a scalar whose gradient is that of the weighted mean square of all channel means; its value is twice that.

    Batch norms hide these means from the pose loss, and rounding errors move them. In a training with bfloat16 they
    grew to 80 standard deviations, so that the 8 bits of precision left nothing of the features, and training diverged.

    Args:
        trunks: features (N, H, W, C), all from the same number of crops in all processes.
        sum_over_processes: as in Runtime. The means are those of the joint batch.
    """
    if not trunks:
        return tf.zeros([])
    means = tf.concat([tf.cast(tf.reduce_mean(features, [0, 1, 2]), tf.float32) for features in trunks], 0)
    shares = np.concatenate([np.full(int(features.shape[-1]), 1 / int(features.shape[-1])) for features in trunks])
    # One sum for all: the means, and the number of processes.
    sums = tf.stop_gradient(sum_over_processes(tf.concat([means, [1.0]], 0)))
    return 2 * _WEIGHT * tf.reduce_sum(sums[:-1] / sums[-1] * means * shares.astype(np.float32))
