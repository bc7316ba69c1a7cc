"""Attention maps of a feature map by mean-field inference over neighbouring cells.

Chu et al. 2017, "Multi-Context Attention for Human Pose Estimation" (arXiv 1702.07432), section 5.
"""

from typing import Optional

from hourglass_pose.tf_compat import tf


def mean_field(
    evidence: 'tf.Tensor', kernel: 'tf.Tensor', iterations: int, offsets: Optional['tf.Tensor'] = None
) -> 'tf.Tensor':
    """Return attention maps (N, H, W, M) in [0, 1] by mean-field steps of a conditional random field.

    evidence: U, a map (N, H, W, M) for each attention map. kernel: k (K, K, M, 1), one for each map.
    offsets: (M,), added to the evidence in each step.
    Q_1 = sigmoid(k * U + U) and Q_t = sigmoid(k * Q_{t-1} + U), with the first step of the code that the authors
    released, https://github.com/bearpaw/pose-attention.
    """
    constant = evidence if offsets is None else tf.nn.bias_add(evidence, offsets)
    # For one map both are equal; on CPUs the gradient of the depthwise convolution can take four times as long.
    over_maps = tf.nn.conv2d if int(kernel.shape[2]) == 1 else tf.nn.depthwise_conv2d
    q = evidence
    for _ in range(iterations):
        q = tf.sigmoid(over_maps(q, kernel, [1, 1, 1, 1], 'SAME') + constant)
    return q
