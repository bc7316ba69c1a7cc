"""Maps trained by the mean squared error, in the graph: target, loss and decoding."""

from typing import Tuple

from hourglass_pose.representations.heatmap.graph import Tensor, decode_heatmaps, gaussian_maps, mean_over_joints
from hourglass_pose.representations.mse.numpy import Codec
from hourglass_pose.tf_compat import tf


def target(joints_crop: Tensor, codec: Codec) -> Tensor:
    """Return Gaussian maps (N, H, W, J)."""
    return gaussian_maps(joints_crop, codec)


def loss(logits: Tensor, target: Tensor, joint_weights: Tensor) -> Tensor:
    """Return the mean over cells of the squared error of logit and target."""
    losses = tf.reduce_mean(tf.square(logits - tf.expand_dims(target, 1)), axis=[2, 3])
    return mean_over_joints(losses, joint_weights)


def maps_of_planes(planes: Tensor, codec: Codec) -> Tensor:
    """Return codec.maps_of_logits of logits (P, cells), each row of one map."""
    del codec
    return planes


def decode(logits: Tensor, codec: Codec) -> Tuple[Tensor, Tensor]:
    """Return (joints_crop (N, J, 2), scores (N, J)) of logits (N, H, W, J)."""
    return decode_heatmaps(logits, codec, maps_of_planes)
