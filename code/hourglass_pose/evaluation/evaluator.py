"""Evaluator: a network's heatmaps on annotated persons to joints in the photo, scores, and baselines beside them."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Dict

import numpy as np

from hourglass_pose import geometry
from hourglass_pose.errors import ImageError
from hourglass_pose.evaluation.baselines import centre_pose, mean_pose
from hourglass_pose.evaluation.pckh import PckhEvaluator, PckhResult, argmax_accuracies
from hourglass_pose.evaluation.scales import average_over_scales


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What the network and the baselines score on the same persons, and what the network predicted.

    result, baselines: PckhResult of the network, and of 'mean_pose', where it is known, and 'centre'.
    persons: the N persons measured. joints_img: (N, J, 2) float64. scores: (N, J) float32.
    """

    result: PckhResult
    baselines: Dict[str, PckhResult]
    persons: list
    joints_img: np.ndarray
    scores: np.ndarray

    @property
    def score(self):
        """The number by which checkpoints are compared: mean PCKh@0.5, or PCK@0.2 for data without heads."""
        means = [self.result.metrics[name]['mean'] for name in ('pckh@0.5', 'pck@0.2')]
        return next((mean for mean in means if mean is not None), 0.0)


def mean_training_pose(persons, rule):
    """Return float64 (J, 2), crop pixels: the mean pose of persons in the crops that evaluation would cut."""
    joints = [geometry.transform_points(rule.person_affine(person), person.joints_img) for person in persons]
    return mean_pose(np.array(joints), np.array([person.labelled for person in persons]), rule.crop_size)


def flip_averaged_maps(predict_logits, codec, images, flip_test, flip_permutation):
    """Return heatmaps (N, H, W, J) of crops (N, S, S, 3), averaged with the mirrored crop's if flip_test.

    predict_logits: function of such crops to the last stack's logits (N, H, W, J). The average is taken of maps,
    not of logits, and needs no shift, for the flip commutes with the map from crop to heatmap.
    """
    maps = codec.maps_of_logits(predict_logits(images))
    if not flip_test:
        return maps
    mirrored = codec.maps_of_logits(predict_logits(np.ascontiguousarray(images[:, :, ::-1])))
    return (maps + mirrored[:, :, ::-1][..., flip_permutation]) / 2


def averaged_maps(predict_logits, sample_maker, batch, flip_test, flip_permutation):
    """Return the heatmaps (B, H, W, J) of a Batch, averaged over the crop's mirror image and over all scales."""
    pictures = batch.zoomed if len(batch.zoomed) else [batch.images]
    maps = [flip_averaged_maps(predict_logits, sample_maker.codec, images, flip_test, flip_permutation)
            for images in pictures]
    return average_over_scales(maps, sample_maker.scales) if len(batch.zoomed) else maps[0]


def predict_persons(generator, predict_logits, flip_test, progress=lambda batches: batches):
    """Yield (index, joints_img float64 (J, 2), scores (J,)) of the generator's persons with a readable picture.

    predict_logits, progress: as in Evaluator.evaluate. No labels are needed.
    """
    maker = generator.sample_maker
    for batch in progress(generator.validation_batches()):
        rows = np.flatnonzero(batch.mask)
        maps = averaged_maps(predict_logits, maker, batch, flip_test, maker.flip_permutation)[rows]
        joints_crop, scores = maker.codec.decode(maps)
        for row, pose, score in zip(rows, joints_crop, scores):
            img_from_crop = geometry.invert(batch.affines_crop_from_img[row])
            yield int(batch.indices[row]), geometry.transform_points(img_from_crop, pose), score


class Evaluator:
    """Measures a network on the persons of a DataGenerator.

    mean_pose_crop: (J, 2), the mean pose of the training persons in crop pixels, for the baseline; None leaves it out.
    limit: batches to use, None for all.
    """

    def __init__(self, generator, skeleton, mean_pose_crop, flip_test=True, limit=None):
        self.generator = generator
        self.skeleton = skeleton
        self.flip_test = flip_test
        self.limit = limit
        crop_size = generator.sample_maker.rule.crop_size
        self.baseline_poses = OrderedDict()
        if mean_pose_crop is not None:
            self.baseline_poses['mean_pose'] = np.asarray(mean_pose_crop)
        self.baseline_poses['centre'] = centre_pose(len(skeleton), crop_size)

    @property
    def num_batches(self):
        """Batches of one evaluation."""
        total = self.generator.num_validation_batches
        return total if self.limit is None else min(total, self.limit)

    def evaluate(self, predict_logits, progress=lambda batches: batches):
        """Return the Evaluation of a network. Raises ImageError when too many pictures cannot be read.

        predict_logits: function of crops (B, S, S, 3) uint8 to the last stack's logits (B, H, W, J).
        progress: wraps the iterable of batches, to show a bar.
        """
        maker = self.generator.sample_maker
        codec = maker.codec
        network = PckhEvaluator(self.skeleton)
        baselines = OrderedDict((name, PckhEvaluator(self.skeleton)) for name in self.baseline_poses)
        indices, joints, scores = [], [], []
        for batch in progress(self.generator.validation_batches(self.limit)):
            rows = np.flatnonzero(batch.mask)
            if not len(rows):
                continue
            maps = averaged_maps(predict_logits, maker, batch, self.flip_test, self.skeleton.flip_permutation)[rows]
            joints_crop, batch_scores = codec.decode(maps)
            joints_img = self._score(network, batch, rows, joints_crop, codec.peak_cells(maps))
            for name, pose in self.baseline_poses.items():
                cells = np.rint(geometry.hm_from_crop(pose, codec.stride))
                tiled = np.tile(pose, (len(rows), 1, 1))
                self._score(baselines[name], batch, rows, tiled, np.tile(cells, (len(rows), 1, 1)))
            indices.extend(batch.indices[rows])
            joints.append(joints_img)
            scores.append(batch_scores)
        if not indices:
            raise ImageError('none of the %d persons to measure has a picture that can be read; mend the pictures'
                             % len(self.generator.persons))
        return Evaluation(
            network.result(), OrderedDict((name, measured.result()) for name, measured in baselines.items()),
            [self.generator.persons[index] for index in indices], np.concatenate(joints), np.concatenate(scores))

    def _score(self, evaluator, batch, rows, joints_crop, cells_hm):
        """Add one batch of poses in crop pixels to a PckhEvaluator and return them in photo pixels."""
        codec = self.generator.sample_maker.codec
        kept = self.generator.sample_maker.kept_joints
        persons = [self.generator.persons[batch.indices[row]] for row in rows]
        joints_img = np.stack([
            geometry.transform_points(geometry.invert(batch.affines_crop_from_img[row]), pose)
            for row, pose in zip(rows, joints_crop)])
        labelled = np.array([person.labelled for person in persons]) & kept
        # The original compares with the target's own highest cell, so a joint that has no target is left out.
        true_cells = codec.peak_cells(batch.heatmaps[rows])
        argmax = argmax_accuracies(cells_hm, true_cells, codec.heatmap_size, batch.joint_weights[rows] > 0)
        evaluator.add(batch.indices[rows], joints_img, np.array([person.joints_img for person in persons]),
                      labelled, [person.head_box_img for person in persons], argmax)
        return joints_img
