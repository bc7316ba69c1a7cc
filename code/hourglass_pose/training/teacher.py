"""Teacher: a trained network whose maps of training crops become part of the targets (Zhang et al. 2019)."""

from typing import Sequence

from hourglass_pose.checkpoints.stored import StoredNetwork
from hourglass_pose.checkpoints.variables import constants_of
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.representations.heatmap.graph import Tensor, planes_of
from hourglass_pose.representations.heatmap.numpy import HeatmapCodec
from hourglass_pose.representations.table import graph_half
from hourglass_pose.tf_compat import tf


class Teacher:
    """Adds a frozen network to the current graph. It has no variables there, so checkpoints do not contain it.

    stored: the network, which `check_teacher` accepts. joints: names of the joints of the network that learns.
    weight: share of the teacher's maps in the targets, in (0, 1].

    The gradient of every loss on maps is linear in the target, so a mixed target has the gradient of the mixture of two
    losses in Zhang et al. 2019, "Fast human pose estimation". (Where the border cuts a joint's Gaussian, the loss
    'softmax' gives the teacher a larger share, because its maps always have the sum of a whole one.)
    """

    def __init__(self, stored: StoredNetwork, joints: Sequence[str], weight: float) -> None:
        self._stored = stored
        skeleton = stored.inference.skeleton()
        # A joint that the teacher does not know is not trained, so any map will do.
        self._channels = [skeleton.index(joint) or 0 for joint in joints]
        self._weight = weight

    def target(self, target: Tensor, images: Tensor, codec: HeatmapCodec) -> Tensor:
        """Return target maps (N, H, W, J) mixed with the teacher's maps of the same crops.

        images: uint8 (N, S, S, 3). codec: of the network that learns.
        """
        with tf.name_scope('teacher'):
            return (1.0 - self._weight) * target + self._weight * self._maps(images, codec)

    def _maps(self, images: Tensor, codec: HeatmapCodec) -> Tensor:
        model = HourglassModel(self._stored.hyperparameters)
        crops = tf.cast(images, tf.float32) * (1.0 / 255.0)
        crops = _resized(crops, model.hyperparameters.input_size)
        logits = model.build_logits(crops, is_training=False, getter=constants_of(self._stored))[:, -1]
        logits = tf.gather(logits, self._channels, axis=3)
        # Logits, not maps, are resized: the logarithm of a Gaussian is smooth, and each map keeps its sum.
        logits = _resized(logits, codec.heatmap_size)
        count, height, width, joints = logits.shape.as_list()
        maps = graph_half(codec).maps_of_planes(planes_of(logits), codec)
        return tf.transpose(tf.reshape(maps, [count, joints, height, width]), [0, 2, 3, 1])


def _resized(values: Tensor, side: int) -> Tensor:
    """Return square maps (N, H, H, C) of another side, aligned at the outer edges of the cells."""
    if values.shape.as_list()[1] == side:
        return values
    return tf.image.resize_bilinear(values, [side, side], half_pixel_centers=True)
