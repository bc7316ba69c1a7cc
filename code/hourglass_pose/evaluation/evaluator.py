"""Evaluator: a network's heatmaps on annotated persons to joints in the photo, scores, and baselines beside them."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Dict

import numpy as np

from hourglass_pose import geometry
from hourglass_pose.errors import ImageError
from hourglass_pose.evaluation.baselines import centre_pose, mean_pose
from hourglass_pose.evaluation.headline import headline_metric
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
        """The number by which checkpoints are compared: the mean of the headline metric, 0 where none is defined."""
        name = headline_metric(self.result.metrics)
        return 0.0 if name is None else self.result.metrics[name]['mean']


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
    maps = [
        flip_averaged_maps(predict_logits, sample_maker.codec, images, flip_test, flip_permutation)
        for images in pictures
    ]
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

    def evaluate(self, predict_logits, progress=lambda batches: batches, gather=lambda columns: [columns]):
        """Return the Evaluation of a network. Raises ImageError when too many pictures cannot be read.

        predict_logits: function of crops (B, S, S, 3) uint8 to the last stack's logits (B, H, W, J).
        progress: wraps the iterable of batches, to show a bar.
        gather: function of a dict of arrays to the list of those of all processes, each of which measures a share of
        the persons; every process then has the same Evaluation, and it is that of a single one.
        """
        columns = self._columns(progress(self.generator.validation_batches(self.limit)), predict_logits)
        shares = gather(columns)
        columns = {name: np.concatenate([share[name] for share in shares]) for name in columns}
        order = np.argsort(columns['indices'], kind='stable')
        columns = {name: column[order] for name, column in columns.items()}
        if not len(order):
            raise ImageError(
                'none of the %d persons to measure has a picture that can be read; mend the pictures'
                % len(self.generator.persons)
            )
        persons = [self.generator.persons[index] for index in columns['indices']]
        results = OrderedDict(
            (name, self._result(name, columns, persons)) for name in ['network'] + list(self.baseline_poses)
        )
        return Evaluation(results.pop('network'), results, persons, columns['joints_network'], columns['scores'])

    def _columns(self, batches, predict_logits):
        """Return arrays with a row for each person of this process's share: who it is, and what was found."""
        maker = self.generator.sample_maker
        codec = maker.codec
        rows_of = OrderedDict(
            [('indices', [np.zeros(0, np.int64)]), ('scores', [np.zeros((0, len(self.skeleton)), np.float32)])]
        )
        for name in ['network'] + list(self.baseline_poses):
            rows_of[f'joints_{name}'] = [np.zeros((0, len(self.skeleton), 2))]
            rows_of[f'argmax_{name}'] = [np.zeros((0, len(self.skeleton)))]
        for batch in batches:
            rows = np.flatnonzero(batch.mask)
            if not len(rows):
                continue
            maps = averaged_maps(predict_logits, maker, batch, self.flip_test, self.skeleton.flip_permutation)[rows]
            joints_crop, scores = codec.decode(maps)
            poses = [('network', joints_crop, codec.peak_cells(maps))]
            for name, pose in self.baseline_poses.items():
                cells = np.rint(geometry.hm_from_crop(pose, codec.stride))
                poses.append((name, np.tile(pose, (len(rows), 1, 1)), np.tile(cells, (len(rows), 1, 1))))
            rows_of['indices'].append(batch.indices[rows])
            rows_of['scores'].append(scores)
            for name, pose_crop, cells_hm in poses:
                joints_img, argmax = self._measure(batch, rows, pose_crop, cells_hm)
                rows_of[f'joints_{name}'].append(joints_img)
                rows_of[f'argmax_{name}'].append(argmax)
        return {name: np.concatenate(rows) for name, rows in rows_of.items()}

    def _measure(self, batch, rows, joints_crop, cells_hm):
        """Return poses in crop pixels as poses in photo pixels, and the argmax accuracies of their cells."""
        codec = self.generator.sample_maker.codec
        joints_img = np.stack(
            [
                geometry.transform_points(geometry.invert(batch.affines_crop_from_img[row]), pose)
                for row, pose in zip(rows, joints_crop)
            ]
        )
        # The original compares with the target's own highest cell, so a joint that has no target is left out.
        true_cells = codec.peak_cells(batch.heatmaps[rows])
        return joints_img, argmax_accuracies(cells_hm, true_cells, codec.heatmap_size, batch.joint_weights[rows] > 0)

    def _result(self, name, columns, persons):
        """Return the PckhResult of the poses of the network or of a baseline."""
        measured = PckhEvaluator(self.skeleton)
        measured.add(
            columns['indices'],
            columns[f'joints_{name}'],
            np.array([person.joints_img for person in persons]),
            np.array([person.labelled for person in persons]),
            [person.head_box_img for person in persons],
            columns[f'argmax_{name}'],
            self.generator.sample_maker.kept_joints,
        )
        return measured.result()
