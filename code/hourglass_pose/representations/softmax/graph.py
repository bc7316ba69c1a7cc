"""Softmax maps in the graph: target, cross-entropy and decoding."""

from typing import Tuple

import numpy as np

from hourglass_pose.representations.heatmap.graph import Tensor, decode_heatmaps, gaussian_maps, mean_over_joints
from hourglass_pose.representations.softmax.numpy import Codec
from hourglass_pose.tf_compat import tf

_TINY = 1e-12


def target(joints_crop: Tensor, codec: Codec) -> Tensor:
    """Return Gaussian maps (N, H, W, J); the loss divides each by its sum."""
    return gaussian_maps(joints_crop, codec)


def loss(logits: Tensor, target: Tensor, joint_weights: Tensor) -> Tensor:
    """Return the cross-entropy of each map's softmax and its target; an empty target costs nothing."""
    total = tf.reduce_sum(target, axis=[1, 2], keepdims=True)
    probabilities = tf.expand_dims(target / (total + _TINY), 1)
    # sum p (lse - x) with sum p = 1, or 0 for an empty map.
    expected = tf.reduce_sum(probabilities * logits, axis=[2, 3])
    losses = tf.reduce_sum(probabilities, axis=[2, 3]) * tf.reduce_logsumexp(logits, axis=[2, 3]) - expected
    return mean_over_joints(losses, joint_weights)


def decode(logits: Tensor, codec: Codec) -> Tuple[Tensor, Tensor]:
    """Return (joints_crop (N, J, 2), scores (N, J)) of logits (N, H, W, J)."""
    return decode_heatmaps(logits, codec, lambda planes: tf.nn.softmax(planes) * np.float32(codec.height))
