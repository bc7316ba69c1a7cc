"""Softmax maps in the graph: target, cross-entropy and decoding."""

from typing import Tuple

import numpy as np

from hourglass_pose.representations.heatmap.graph import Tensor, decode_heatmaps, gaussian_maps, mean_over_joints
from hourglass_pose.representations.softmax.numpy import Codec
from hourglass_pose.tf_compat import tf

_TINY = 1e-12


def target(joints_crop: Tensor, codec: Codec) -> Tensor:
    """Return Gaussian maps (N, H, W, J), which the loss divides by their sums."""
    return gaussian_maps(joints_crop, codec)


def loss(logits: Tensor, target: Tensor, joint_weights: Tensor) -> Tensor:
    """Return the cross-entropy of each map's softmax and its target, where an empty target is uniform."""
    # Too small to change the values of a Gaussian.
    filled = target + _TINY
    probabilities = tf.expand_dims(filled / tf.reduce_sum(filled, axis=[1, 2], keepdims=True), 1)
    # sum p (lse - x), the sum of p being one.
    losses = tf.reduce_logsumexp(logits, axis=[2, 3]) - tf.reduce_sum(probabilities * logits, axis=[2, 3])
    return mean_over_joints(losses, joint_weights)


def maps_of_planes(planes: Tensor, codec: Codec) -> Tensor:
    """Return codec.maps_of_logits of logits (P, cells), each row of one map."""
    return tf.nn.softmax(planes) * np.float32(codec.height)


def decode(logits: Tensor, codec: Codec) -> Tuple[Tensor, Tensor]:
    """Return (joints_crop (N, J, 2), scores (N, J)) of logits (N, H, W, J)."""
    return decode_heatmaps(logits, codec, maps_of_planes)
