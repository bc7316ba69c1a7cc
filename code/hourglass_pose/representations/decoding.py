"""Heatmaps to joints within the graph: what HeatmapCodec.decode computes, in float32 and plain operations.

No gathering and no loop: the cells around a peak are cut out by products with matrices of rows, which every runtime
has. Positions are whole numbers up to the side of a map, so that they survive half precision as well.
"""

import numpy as np

from hourglass_pose.tf_compat import tf

_TINY = 1e-10


def decode_heatmaps(logits, codec):
    """Return (joints_crop float32 (N, J, 2), scores float32 (N, J) in [0, 1]) of logits (N, H, W, J).

    codec: the HeatmapCodec whose maps_of_logits and decode are followed.
    """
    batch, height, width, joints = logits.shape.as_list()
    planes = _maps_of_logits(tf.reshape(tf.transpose(logits, [0, 3, 1, 2]), [batch * joints, height * width]), codec)
    # Whole numbers, for the index of a cell is beyond what half precision can hold.
    index = tf.argmax(planes, axis=1, output_type=tf.int32)
    row = tf.floordiv(index, width)
    peak = _Peak(tf.cast(index - row * width, tf.float32), tf.cast(row, tf.float32), width, height)
    offset_x, offset_y = _OFFSETS[codec.decoding](
        tf.reshape(planes, [batch * joints, height, width]), peak, codec.sigma_hm
    )
    joints_hm = tf.stack([peak.x + offset_x, peak.y + offset_y], axis=1)
    scores = tf.minimum(tf.maximum(tf.reduce_max(planes, axis=1), 0.0), 1.0)
    joints_crop = (joints_hm + 0.5) * codec.stride - 0.5
    return tf.reshape(joints_crop, [batch, joints, 2]), tf.reshape(scores, [batch, joints])


def _maps_of_logits(planes, codec):
    if codec.loss == 'sigmoid':
        return tf.sigmoid(planes)
    if codec.loss == 'softmax':
        return tf.nn.softmax(planes) * np.float32(2 * np.pi * codec.sigma_hm**2)
    return planes


class _Peak:
    """The highest cells of P maps: x, y float32 (P,), whole numbers; inner_x, inner_y 1.0 where the cell has both
    neighbours in x, and in y, else 0.0."""

    def __init__(self, x, y, width, height):
        self.x, self.y, self.width, self.height = x, y, width, height
        self.inner_x = self.lies_within(x, 1, width)
        self.inner_y = self.lies_within(y, 1, height)

    @staticmethod
    def lies_within(position, reach, size):
        """1.0 where so many cells on either side of a position are in the map, else 0.0."""
        return tf.cast(tf.logical_and(position >= reach, position < size - reach), tf.float32)


def _around(position, size):
    """Return (positions before, at and after each peak (P, 3, 1), positions of all cells (1, 1, size))."""
    return (
        tf.reshape(position, [-1, 1, 1]) + np.array([[[-1.0], [0.0], [1.0]]], np.float32),
        np.arange(size, dtype=np.float32).reshape((1, 1, size)),
    )


def _picking_rows(position, size):
    """Rows (P, 3, size) that pick the cells before, at and after each peak; beyond the border those on it."""
    around, cells = _around(position, size)
    around = tf.minimum(tf.maximum(around, 0.0), size - 1.0)
    return tf.nn.relu(1.0 - tf.abs(cells - around))


def _smoothing_rows(position, size, sigma_hm):
    """Rows (P, 3, size) that take the Gaussian mean around these cells; they sum to one far from the border."""
    radius = int(np.ceil(3 * sigma_hm))
    total = np.exp(-0.5 * np.square(np.arange(-radius, radius + 1) / sigma_hm)).sum()
    around, cells = _around(position, size)
    distance = tf.abs(cells - around)
    is_near = tf.nn.relu(1.0 - tf.nn.relu(distance - radius))
    return tf.exp(tf.square(distance) * np.float32(-0.5 / sigma_hm**2)) * is_near * np.float32(1.0 / total)


def _cut_out(planes, rows, columns):
    """Return [[values (P,) of x - 1, x, x + 1] of y - 1, y, y + 1] of planes (P, H, W)."""
    patch = tf.matmul(tf.matmul(rows, planes), columns, transpose_b=True)
    return [[patch[:, y, x] for x in range(3)] for y in range(3)]


def _no_offset(planes, peak, sigma_hm):
    del planes, sigma_hm
    return tf.zeros_like(peak.x), tf.zeros_like(peak.y)


def _quarter_offset(planes, peak, sigma_hm):
    del sigma_hm
    near = _cut_out(planes, _picking_rows(peak.y, peak.height), _picking_rows(peak.x, peak.width))
    return (
        0.25 * tf.sign(near[1][2] - near[1][0]) * peak.inner_x,
        0.25 * tf.sign(near[2][1] - near[0][1]) * peak.inner_y,
    )


def _dark_offset(planes, peak, sigma_hm):
    """The Newton step of Zhang et al. 2020, with the fall-backs of HeatmapCodec."""
    near = _log_of_smoothed(planes, peak, sigma_hm)
    dx, dy = (near[1][2] - near[1][0]) / 2, (near[2][1] - near[0][1]) / 2
    dxx = near[1][2] - 2 * near[1][1] + near[1][0]
    dyy = near[2][1] - 2 * near[1][1] + near[0][1]
    dxy = (near[2][2] - near[2][0] - near[0][2] + near[0][0]) / 4
    determinant = dxx * dyy - tf.square(dxy)
    is_concave = peak.inner_x * peak.inner_y * tf.cast(tf.logical_and(determinant > 0, dxx < 0), tf.float32)
    safe = is_concave * determinant + (1.0 - is_concave)
    step = (dxy * dy - dyy * dx) / safe, (dxy * dx - dxx * dy) / safe
    return tuple(
        is_concave * tf.minimum(tf.maximum(newton, -0.5), 0.5) + (1.0 - is_concave) * quarter
        for newton, quarter in zip(step, _quarter_offset(planes, peak, sigma_hm))
    )


def _log_of_smoothed(planes, peak, sigma_hm):
    """Return the logarithm of the smoothed map around each peak, as `_cut_out`; near the border it is not smoothed."""
    reach = int(np.ceil(3 * sigma_hm)) + 1
    far = tf.reshape(
        peak.lies_within(peak.x, reach, peak.width) * peak.lies_within(peak.y, reach, peak.height), [-1, 1, 1]
    )
    rows, columns = [
        far * _smoothing_rows(position, size, sigma_hm) + (1.0 - far) * _picking_rows(position, size)
        for position, size in ((peak.y, peak.height), (peak.x, peak.width))
    ]
    near = [[tf.maximum(value, 0.0) for value in line] for line in _cut_out(planes, rows, columns)]
    largest = near[0][0]
    for value in sum(near, [])[1:]:
        largest = tf.maximum(largest, value)
    floor = _TINY * largest + np.finfo(np.float32).tiny
    return [[tf.log(value + floor) for value in line] for line in near]


_OFFSETS = {'argmax': _no_offset, 'quarter': _quarter_offset, 'dark': _dark_offset}
