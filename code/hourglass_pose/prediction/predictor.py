"""Predictor: a checkpoint opened for photos: joints in image pixels, or the raw heatmaps of crops."""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from hourglass_pose import geometry
from hourglass_pose.checkpoints.opening import open_checkpoint
from hourglass_pose.checkpoints.variables import load_network
from hourglass_pose.errors import UserError
from hourglass_pose.evaluation.evaluator import flip_averaged_maps
from hourglass_pose.graph.architectures import STRIDE
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.images import read_image
from hourglass_pose.input.cropping import CropRule, warp_crop
from hourglass_pose.representations.heatmap_codec import HeatmapCodec
from hourglass_pose.runtime.selection import open_runtime
from hourglass_pose.skeleton import Skeleton
from hourglass_pose.tf_compat import tf


@dataclass(frozen=True, eq=False)
class Pose:
    """A predicted person. names: J joints. joints_img: (J, 2) float64, photo pixels. scores: (J,) float32 in [0, 1].
    box_img: (x0, y0, x1, y1), first and last pixel inclusive, the box that was looked at.
    """

    names: tuple
    joints_img: np.ndarray
    scores: np.ndarray
    box_img: np.ndarray

    def as_dict(self):
        """Return a JSON-able dict: joints by name as [x, y, score], and the box as [x, y, width, height]."""
        x0, y0, x1, y1 = [float(value) for value in self.box_img]
        joints = OrderedDict(
            (name, [float(x), float(y), float(score)])
            for name, (x, y), score in zip(self.names, self.joints_img, self.scores)
        )
        return OrderedDict([('joints', joints), ('box', [x0, y0, x1 - x0 + 1, y1 - y0 + 1])])


class Predictor:
    """A trained network ready to predict.

    checkpoint: a run folder or a checkpoint in it, such as 'runs/x/latest', or the prefix of a checkpoint of the
    original TensorFlow 1 code, such as 'hg_200'. flip_test, decoding: None for what the checkpoint was validated
    with. device, precision: as in config.cfg [Device]. batch_size: crops the network takes at once, None for what the
    device is fastest with; results depend on it by rounding errors only. traits, recipe: what to take in place of what
    a checkpoint of the original code shows, for instance `modif` or the names of its joints; see training/original.py.
    crop_rule: 'box' or 'centre_scale', None for what it was trained with. Raises CheckpointError for a checkpoint that
    cannot be used.
    """

    def __init__(
        self,
        checkpoint,
        flip_test=None,
        decoding=None,
        device='auto',
        precision='float32',
        batch_size=None,
        traits=None,
        recipe=None,
        crop_rule=None,
    ):
        self.stored = open_checkpoint(checkpoint)
        recipe = recipe or self.stored.recipe
        self.traits = traits or self.stored.traits
        self.skeleton = Skeleton(tuple(recipe['joints']))
        self.codec = HeatmapCodec(
            self.traits.heatmap_size, STRIDE, recipe['sigma'], recipe['loss'], decoding or recipe['decoding']
        )
        self.flip_test = recipe['flip_test'] if flip_test is None else flip_test
        # Checkpoints from before there were two rules do not name theirs.
        self.rule = CropRule(
            self.traits.input_size,
            recipe['box_margin'],
            crop_rule=crop_rule or recipe.get('crop_rule', 'box'),
            corners=recipe.get('crop_corners', 'exact'),
        )
        # In crops by another rule the mean pose of training lies elsewhere.
        mean_pose = recipe['mean_pose_crop'] if self.rule.crop_rule == recipe.get('crop_rule', 'box') else None
        self.mean_pose_crop = None if mean_pose is None else np.array(mean_pose)
        self.kept_joints = np.array(recipe['kept_joints'], bool)
        self.runtime = open_runtime(device, precision)
        self.batch_size = batch_size or self.runtime.evaluation_block
        self._open()

    def _open(self):
        with tf.Graph().as_default() as graph:
            size = self.traits.input_size
            model = HourglassModel(self.traits)
            self._towers = {}
            # A single photo must not cost the time of a whole batch.
            for count in sorted({1, self.batch_size}):
                images = tf.placeholder(tf.float32, [count, size, size, 3], 'images_%d' % count)
                logits = model.build_logits(images, is_training=False)
                self._towers[count] = images, logits, model.output_of(logits)
            self._session = tf.Session(graph=graph, config=self.runtime.session_config())
            load_network(self._session, model, self.stored)
            self.runtime.prepare_session(self._session)
            graph.finalize()

    def heatmaps(self, crops):
        """Return the network's output of every stack as it is, float32 (N, S, H, W, J).

        crops: (N, input_size, input_size, 3) RGB, float in [0, 1] or uint8. Raises ValueError for another shape or
        type.
        """
        return self._run(crops, lambda logits, output: output)

    def last_logits(self, crops):
        """Return the last stack's logits (N, H, W, J) of crops, as the Evaluator wants them."""
        return self._run(crops, lambda logits, output: logits)[:, -1]

    def _run(self, crops, choose):
        crops = np.asarray(crops)
        size = self.traits.input_size
        if crops.shape[1:] != (size, size, 3):
            raise ValueError('crops: expected (N, %d, %d, 3), found %s' % (size, size, crops.shape))
        if crops.dtype != np.uint8 and crops.dtype.kind != 'f':
            raise ValueError(f'crops: expected float in [0, 1] or uint8, found {crops.dtype}')
        # The same product of float32 numbers as in the graph that takes uint8.
        crops = crops.astype(np.float32) * np.float32(1.0 / 255.0) if crops.dtype == np.uint8 else crops
        cells, stacks = self.traits.heatmap_size, self.traits.num_stacks
        maps = np.empty((len(crops), stacks, cells, cells, self.traits.num_joints), np.float32)
        for start in range(0, len(crops), self.batch_size):
            part = crops[start : start + self.batch_size]
            images, logits, output = self._towers[1 if len(part) == 1 else self.batch_size]
            padded = np.zeros(images.shape.as_list(), np.float32)
            padded[: len(part)] = part
            maps[start : start + len(part)] = self._session.run(choose(logits, output), {images: padded})[: len(part)]
        return maps

    def predict(self, image, box=None):
        """Return the Pose of one person.

        image: path of a photo, or uint8 RGB (H, W, 3). box: (x, y, width, height) of the person in photo pixels,
        None for the whole photo. Raises ImageError for a photo that cannot be read, UserError for a box without
        area or beside the photo, ValueError for an array of another shape or type.
        """
        image = image if isinstance(image, np.ndarray) else read_image(image)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ValueError(f'image: expected uint8 RGB (H, W, 3), found {image.dtype} {image.shape}')
        box_img = _checked_box(box, image.shape[1], image.shape[0])
        affine = self.rule.evaluation_affine(box_img)
        crop = warp_crop(image, affine, self.rule.crop_size)
        maps = flip_averaged_maps(
            self.last_logits, self.codec, crop[None], self.flip_test, self.skeleton.flip_permutation
        )
        joints_crop, scores = self.codec.decode(maps[0])
        joints_img = geometry.transform_points(geometry.invert(affine), joints_crop)
        return Pose(self.skeleton.joints, joints_img, scores, box_img)

    def close(self):
        """Give the device back."""
        self._session.close()
        self.runtime.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def _checked_box(box, width, height):
    """Return box_img (x0, y0, x1, y1) of a box (x, y, width, height) or of the whole photo."""
    if box is None:
        return np.array([0, 0, width - 1, height - 1], np.float64)
    x, y, box_width, box_height = [float(value) for value in box]
    box_img = np.array([x, y, x + box_width - 1, y + box_height - 1])
    if (
        not np.isfinite(box_img).all()
        or box_width <= 0
        or box_height <= 0
        or x >= width
        or y >= height
        or x + box_width <= 0
        or y + box_height <= 0
    ):
        raise UserError(
            'box %g,%g,%g,%g: expected x,y,width,height of an area within the photo, which is %d x %d '
            'pixels' % (x, y, box_width, box_height, width, height)
        )
    return box_img
