"""Integral regression in the graph: target cells, L1 loss on the expected cell, and decoding."""

from typing import Tuple

import numpy as np

from hourglass_pose.representations.heatmap.graph import (
    Tensor,
    cells_of,
    is_inside,
    mean_over_joints,
    planes_of,
    scores_of,
)
from hourglass_pose.representations.integral.numpy import Codec
from hourglass_pose.tf_compat import tf


def target(joints_crop: Tensor, codec: Codec) -> Tensor:
    """Return the joints in cells (N, J, 2), clipped to the centres of the outermost cells; 0 outside the crop."""
    cells = cells_of(joints_crop, codec)
    return tf.minimum(tf.maximum(cells, 0.0), codec.heatmap_size - 1.0) * is_inside(joints_crop, codec)


def loss(logits: Tensor, target: Tensor, joint_weights: Tensor) -> Tensor:
    """Return the L1 distance in cells, |dx| + |dy|, of each map's expected cell and the target."""
    # The largest logit cancels out; without it exp would overflow.
    largest = tf.stop_gradient(tf.reduce_max(logits, axis=[2, 3], keepdims=True))
    weights = tf.exp(logits - largest)
    by_column, by_row = tf.reduce_sum(weights, axis=2), tf.reduce_sum(weights, axis=3)
    total = tf.reduce_sum(by_row, axis=2)
    distances = [
        tf.abs(tf.reduce_sum(sums * _indices(sums), axis=2) / total - tf.expand_dims(target[..., axis], 1))
        for axis, sums in enumerate((by_column, by_row))
    ]
    return mean_over_joints(distances[0] + distances[1], joint_weights)


def decode(logits: Tensor, codec: Codec) -> Tuple[Tensor, Tensor]:
    """Return (joints_crop (N, J, 2), scores (N, J)) of logits (N, H, W, J)."""
    batch, height, width, joints = logits.shape.as_list()
    planes = tf.nn.softmax(planes_of(logits))
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    mean_cell = tf.stack([tf.reduce_sum(planes * cells.reshape((1, -1)), axis=1) for cells in (columns, rows)], axis=1)
    joints_crop = (mean_cell + 0.5) * codec.stride - 0.5
    scores = scores_of(planes * np.float32(codec.height))
    return tf.reshape(joints_crop, [batch, joints, 2]), tf.reshape(scores, [batch, joints])


def _indices(sums: Tensor) -> np.ndarray:
    """Return the indices of the cells of sums (N, S, cells, J), of a shape that multiplies them."""
    return np.arange(sums.shape.as_list()[2], dtype=np.float32).reshape((1, 1, -1, 1))
