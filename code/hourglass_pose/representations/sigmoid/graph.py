"""Sigmoid maps in the graph: target, cross-entropy and decoding."""

from typing import Tuple

from hourglass_pose.representations.heatmap.graph import Tensor, decode_heatmaps, gaussian_maps, mean_over_joints
from hourglass_pose.representations.sigmoid.numpy import Codec
from hourglass_pose.tf_compat import tf


def target(joints_crop: Tensor, codec: Codec) -> Tensor:
    """Return Gaussian maps (N, H, W, J)."""
    return gaussian_maps(joints_crop, codec)


def loss(logits: Tensor, target: Tensor, joint_weights: Tensor) -> Tensor:
    """Return the mean over cells of the cross-entropy of sigmoid(logit) and target."""
    # max(x, 0) - x t + log(1 + exp(-|x|)): the form without overflow.
    entropy = tf.nn.relu(logits) - logits * tf.expand_dims(target, 1) + tf.log1p(tf.exp(-tf.abs(logits)))
    return mean_over_joints(tf.reduce_mean(entropy, axis=[2, 3]), joint_weights)


def maps_of_planes(planes: Tensor, codec: Codec) -> Tensor:
    """Return codec.maps_of_logits of logits (P, cells), each row of one map."""
    del codec
    return tf.sigmoid(planes)


def decode(logits: Tensor, codec: Codec) -> Tuple[Tensor, Tensor]:
    """Return (joints_crop (N, J, 2), scores (N, J)) of logits (N, H, W, J)."""
    return decode_heatmaps(logits, codec, maps_of_planes)
