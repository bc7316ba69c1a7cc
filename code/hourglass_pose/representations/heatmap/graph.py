"""HeatmapCodec in the graph: Gaussian targets, masked losses and decoding of heatmaps.

All shapes are static. There is no gathering and no loop: the cells around a peak are extracted by matrix products,
which every runtime supports. Positions are integers up to the side of a map, which half precision represents exactly.
"""

from typing import Any, Callable, Dict, List, Tuple

import numpy as np

from hourglass_pose.representations.heatmap.numpy import HeatmapCodec
from hourglass_pose.tf_compat import tf

_TINY = 1e-10

Tensor = Any


def is_inside(joints_crop: Tensor, codec: HeatmapCodec) -> Tensor:
    """Return 1.0 where a joint (N, J, 2) lies in the crop, otherwise 0.0, float32 (N, J, 1)."""
    inside = tf.logical_and(joints_crop >= -0.5, joints_crop < codec.crop_size - 0.5)
    return tf.reduce_min(tf.cast(inside, tf.float32), axis=2, keepdims=True)


def cells_of(joints_crop: Tensor, codec: HeatmapCodec) -> Tensor:
    """Return joints in cells, as geometry.hm_from_crop."""
    return (joints_crop + 0.5) * (1.0 / codec.stride) - 0.5


def gaussian_maps(joints_crop: Tensor, codec: HeatmapCodec) -> Tensor:
    """Return HeatmapCodec.target_maps of joints float32 (N, J, 2), which are all labelled: float32 (N, H, W, J)."""
    cells = np.arange(codec.heatmap_size, dtype=np.float32).reshape((1, -1, 1, 1))
    # (N, cells, J, 2): the separable Gaussian's columns and rows in one exponential.
    offsets = (cells - tf.expand_dims(cells_of(joints_crop, codec), 1)) * np.float32(1 / codec.sigma_hm)
    profiles = tf.exp(-0.5 * tf.square(offsets)) * tf.expand_dims(is_inside(joints_crop, codec), 1)
    return tf.expand_dims(profiles[..., 1], 2) * tf.expand_dims(profiles[..., 0], 1)


def mean_over_joints(losses: Tensor, joint_weights: Tensor) -> Tensor:
    """Return the scalar mean over labelled joints (N, J), summed over stacks, of losses (N, S, J)."""
    weights = tf.expand_dims(joint_weights, 1)
    return tf.reduce_sum(losses * weights) / tf.maximum(tf.reduce_sum(joint_weights), 1.0)


def planes_of(maps: Tensor) -> Tensor:
    """Return maps (N, H, W, J) as (N * J, H * W)."""
    batch, height, width, joints = maps.shape.as_list()
    return tf.reshape(tf.transpose(maps, [0, 3, 1, 2]), [batch * joints, height * width])


def scores_of(planes: Tensor) -> Tensor:
    """Return the highest value of each map (P, H * W), held within [0, 1]."""
    return tf.minimum(tf.maximum(tf.reduce_max(planes, axis=1), 0.0), 1.0)


def decode_heatmaps(
    logits: Tensor, codec: HeatmapCodec, maps_of_planes: Callable[[Tensor, Any], Tensor]
) -> Tuple[Tensor, Tensor]:
    """Return (joints_crop float32 (N, J, 2), scores float32 (N, J) in [0, 1]) of logits (N, H, W, J).

    maps_of_planes: of the representation, see table.graph_half.
    """
    batch, height, width, joints = logits.shape.as_list()
    planes = maps_of_planes(planes_of(logits), codec)
    # Integers, because half precision cannot represent the index of a cell.
    index = tf.argmax(planes, axis=1, output_type=tf.int32)
    row = tf.floordiv(index, width)
    peak = _Peak(tf.cast(index - row * width, tf.float32), tf.cast(row, tf.float32), width, height)
    offset_x, offset_y = _OFFSETS[codec.decoding](
        tf.reshape(planes, [batch * joints, height, width]), peak, codec.sigma_hm
    )
    joints_hm = tf.stack([peak.x + offset_x, peak.y + offset_y], axis=1)
    joints_crop = (joints_hm + 0.5) * codec.stride - 0.5
    return tf.reshape(joints_crop, [batch, joints, 2]), tf.reshape(scores_of(planes), [batch, joints])


class _Peak:
    """The highest cells of P maps: x, y float32 (P,), whole numbers; inner_x, inner_y 1.0 where the cell has both
    neighbours in x, and in y, otherwise 0.0."""

    def __init__(self, x: Tensor, y: Tensor, width: int, height: int) -> None:
        self.x, self.y, self.width, self.height = x, y, width, height
        self.inner_x = _is_between(x, 1, width - 1)
        self.inner_y = _is_between(y, 1, height - 1)


def _is_between(position: Tensor, first: int, end: int) -> Tensor:
    """Return 1.0 where first <= position < end, otherwise 0.0."""
    return tf.cast(tf.logical_and(position >= first, position < end), tf.float32)


def _kernel_rows(position: Tensor, radius: Tensor, size: int, sigma_hm: float) -> Tensor:
    """Return (P, 3, size): the Gaussian kernel around the cells before, at and after each peak.

    radius: (P,), half width of the kernel in cells; 0 picks the cells themselves, or nothing beyond the border.
    """
    around = tf.reshape(position, [-1, 1, 1]) + np.array([[[-1.0], [0.0], [1.0]]], np.float32)
    distance = tf.abs(np.arange(size, dtype=np.float32).reshape((1, 1, size)) - around)
    is_near = tf.nn.relu(1.0 - tf.nn.relu(distance - tf.reshape(radius, [-1, 1, 1])))
    return tf.exp(tf.square(distance) * np.float32(-0.5 / sigma_hm**2)) * is_near


def _neighbourhoods(
    planes: Tensor, peak: _Peak, radius_x: Tensor, radius_y: Tensor, sigma_hm: float
) -> List[List[Tensor]]:
    """Return [[values (P,) of x - 1, x, x + 1] of y - 1, y, y + 1] of smoothed maps (P, H, W)."""
    rows = _kernel_rows(peak.y, radius_y, peak.height, sigma_hm)
    columns = _kernel_rows(peak.x, radius_x, peak.width, sigma_hm)
    patch = tf.matmul(tf.matmul(rows, planes), columns, transpose_b=True)
    return [[patch[:, y, x] for x in range(3)] for y in range(3)]


def _no_offset(planes: Tensor, peak: _Peak, sigma_hm: float) -> Tuple[Tensor, Tensor]:
    del planes, sigma_hm
    return tf.zeros_like(peak.x), tf.zeros_like(peak.y)


def _quarter_offset(planes: Tensor, peak: _Peak, sigma_hm: float) -> Tuple[Tensor, Tensor]:
    del sigma_hm
    none = tf.zeros_like(peak.x)
    near = _neighbourhoods(planes, peak, none, none, 1.0)
    return (
        0.25 * tf.sign(near[1][2] - near[1][0]) * peak.inner_x,
        0.25 * tf.sign(near[2][1] - near[0][1]) * peak.inner_y,
    )


def _dark_offset(planes: Tensor, peak: _Peak, sigma_hm: float) -> Tuple[Tensor, Tensor]:
    """Return the Newton step of Zhang et al. 2020, with the border and the fall-backs of HeatmapCodec."""
    near = _log_of_smoothed(planes, peak, sigma_hm)
    dx, dy = (near[1][2] - near[1][0]) / 2, (near[2][1] - near[0][1]) / 2
    dxx = near[1][2] - 2 * near[1][1] + near[1][0]
    dyy = near[2][1] - 2 * near[1][1] + near[0][1]
    dxy = (near[2][2] - near[2][0] - near[0][2] + near[0][0]) / 4
    determinant = dxx * dyy - tf.square(dxy)
    is_concave = peak.inner_x * peak.inner_y * tf.cast(tf.logical_and(determinant > 0, dxx < 0), tf.float32)
    safe = is_concave * determinant + (1.0 - is_concave)
    quarter_x, quarter_y = _quarter_offset(planes, peak, sigma_hm)
    return (
        _choose(is_concave, (dxy * dy - dyy * dx) / safe, quarter_x),
        _choose(is_concave, (dxy * dx - dxx * dy) / safe, quarter_y),
    )


def _choose(is_concave: Tensor, newton: Tensor, quarter: Tensor) -> Tensor:
    return is_concave * tf.minimum(tf.maximum(newton, -0.5), 0.5) + (1.0 - is_concave) * quarter


def _log_of_smoothed(planes: Tensor, peak: _Peak, sigma_hm: float) -> List[List[Tensor]]:
    """Return the logarithm of the smoothed map around each peak, as `_neighbourhoods`."""
    largest_radius = float(np.ceil(3 * sigma_hm))
    radius_x, radius_y = [
        tf.minimum(tf.maximum(tf.minimum(position - 1.0, size - 2.0 - position), 0.0), largest_radius)
        for position, size in ((peak.x, peak.width), (peak.y, peak.height))
    ]
    near = _neighbourhoods(planes, peak, radius_x, radius_y, sigma_hm)
    near = [[tf.maximum(value, 0.0) for value in line] for line in near]
    largest = near[0][0]
    for value in sum(near, [])[1:]:
        largest = tf.maximum(largest, value)
    floor = _TINY * largest + np.finfo(np.float32).tiny
    return [[tf.log(value + floor) for value in line] for line in near]


_OFFSETS: Dict[str, Callable[[Tensor, _Peak, float], Tuple[Tensor, Tensor]]] = {
    'argmax': _no_offset,
    'quarter': _quarter_offset,
    'dark': _dark_offset,
}
