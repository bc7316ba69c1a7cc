"""Batch normalisation by the statistics of the joint batch of all processes, with its own gradient."""

from typing import Any, Callable, Tuple

from hourglass_pose.tf_compat import tf

# tf.nn.fused_batch_norm raises a smaller epsilon to this one, which cuDNN requires.
_LEAST_EPSILON = 1.001e-5

Tensor = Any
Normalisation = Callable[[Tensor, Tensor, Tensor, Tensor, float], Tuple[Tensor, Tensor, Tensor]]


def normalisation_over(total: Callable[[Tensor], Tensor], num_processes: int) -> Normalisation:
    """Return the function (x, scale, offset, shift, epsilon) -> (y, mean, variance) for layers.joint_batch.

    The processes have batches of one size. mean and variance (C,) are those of the joint batch, as
    tf.nn.fused_batch_norm returns them: the variance is the unbiased one. shift: (C,), close to the mean and the same
    in all processes. Squares are summed about it, because about zero they would lose the digits of a small variance.

    Args:
        total: function that sums a tensor over the processes, without a gradient.
        num_processes: their number.
    """

    def normalise(
        x: Tensor, scale: Tensor, offset: Tensor, shift: Tensor, epsilon: float
    ) -> Tuple[Tensor, Tensor, Tensor]:
        count = int(x.shape[0]) * int(x.shape[1]) * int(x.shape[2])
        joint_count = count * num_processes
        shift = tf.stop_gradient(shift)
        mean, variance = _joint_moments(tf.stop_gradient(x), shift, count, lambda sums: total(sums) / num_processes)
        y = _normalised(x, scale, offset, mean, variance, epsilon, lambda sums: total(sums) / joint_count)
        return y, mean, variance * (joint_count / max(joint_count - 1, 1))

    return normalise


def _joint_moments(x: Tensor, shift: Tensor, count: int, average: Callable[[Tensor], Tensor]) -> Tuple[Tensor, Tensor]:
    """Return the mean and the biased variance (C,) of the joint batch. count: values of a channel in this process."""
    ones = tf.ones_like(shift)
    _, mean, variance = tf.nn.fused_batch_norm(x, ones, tf.zeros_like(shift), is_training=True)
    distance = mean - shift
    # The operation returns the unbiased variance.
    square = variance * (max(count - 1, 1) / count) + tf.square(distance)
    joint_distance, joint_square = tf.split(average(tf.concat([distance, square], axis=0)), 2)
    return joint_distance + shift, tf.maximum(joint_square - tf.square(joint_distance), 0.0)


def _normalised(
    x: Tensor,
    scale: Tensor,
    offset: Tensor,
    mean: Tensor,
    variance: Tensor,
    epsilon: float,
    average: Callable[[Tensor], Tensor],
) -> Tensor:
    """Return (x - mean) / sqrt(variance + epsilon) * scale + offset; its gradient passes through the statistics, too.

    average: function that returns the mean over the joint batch from the sums over the batch of this process.
    """

    @tf.custom_gradient
    def normalised(
        x: Tensor, scale: Tensor, offset: Tensor, mean: Tensor, variance: Tensor
    ) -> Tuple[Tensor, Callable[[Tensor], Any]]:
        y = tf.nn.fused_batch_norm(x, scale, offset, mean, variance, epsilon=epsilon, is_training=False)[0]

        def gradient(upstream: Tensor) -> Any:
            # With constant statistics, and the sums over this process's batch of upstream and of upstream times the
            # normalised x, which are the gradients of offset and scale.
            of_x, of_scale, of_offset = tf.gradients(y, [x, scale, offset], upstream)
            # Ioffe and Szegedy 2015, section 3: what passes through mean and variance, linear in x.
            of_mean, of_normalised = tf.split(average(tf.concat([of_offset, of_scale], axis=0)), 2)
            inverse = tf.rsqrt(variance + max(epsilon, _LEAST_EPSILON))
            slope = scale * tf.square(inverse) * of_normalised
            through_statistics = x * slope + (scale * inverse * of_mean - mean * slope)
            return of_x - through_statistics, of_scale, of_offset, None, None

        return y, gradient

    return normalised(x, scale, offset, mean, variance)
