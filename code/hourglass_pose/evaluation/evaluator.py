"""Evaluator: runs a network function on crops and scores its joints, together with baselines."""

from dataclasses import dataclass, replace
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose import geometry
from hourglass_pose.annotations.person import Person
from hourglass_pose.errors import ImageError
from hourglass_pose.evaluation.baselines import centre_pose, mean_pose
from hourglass_pose.evaluation.box_metrics import box_metrics
from hourglass_pose.evaluation.pckh import PckhEvaluator, PckhResult, argmax_accuracies
from hourglass_pose.evaluation.person_output import PersonMeasure, PredictPerson, measure_person_output
from hourglass_pose.evaluation.scales import average_over_scales
from hourglass_pose.input.cropping import CropRule
from hourglass_pose.input.generator import Batch, DataGenerator
from hourglass_pose.representations.heatmap.numpy import HeatmapCodec
from hourglass_pose.skeleton import Skeleton

PredictLogits = Callable[[np.ndarray], np.ndarray]
"""A network: crops (B, S, S, 3) uint8 to the last stack's logits (B, H, W, J) float32."""
Columns = Dict[str, np.ndarray]
"""Arrays with a row for each measured person."""

_MEAN_OF = 50000


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The scores of the network and of the baselines on the same persons, and the network's predictions.

    result, baselines: PckhResult of the network, and of 'mean_pose', if it is known, and 'centre'.
    persons: the N evaluated persons. joints_img: (N, J, 2) float64. scores: (N, J) float32.
    person: PersonMeasure of the network's person output, None if it has none or it was not measured.
    """

    result: PckhResult
    baselines: Dict[str, PckhResult]
    persons: List[Person]
    joints_img: np.ndarray
    scores: np.ndarray
    person: Optional[PersonMeasure] = None


def mean_training_pose(persons: Sequence[Person], rule: CropRule) -> np.ndarray:
    """Return float64 (J, 2), crop pixels: the mean pose of persons in their evaluation crops.

    Of more than _MEAN_OF persons only every second, third, ... one is used: the mean hardly changes, and a run of a
    million persons starts in seconds.
    """
    persons = persons[:: max(1, len(persons) // _MEAN_OF)]
    joints = [geometry.transform_points(rule.person_affine(person), person.joints_img) for person in persons]
    return mean_pose(np.array(joints), np.array([person.labelled for person in persons]), rule.crop_size)


def flip_averaged_maps(
    predict_logits: PredictLogits,
    codec: HeatmapCodec,
    images: np.ndarray,
    flip_test: bool,
    flip_permutation: np.ndarray,
) -> np.ndarray:
    """Return maps (N, H, W, J) of crops (N, S, S, 3), averaged with those of the mirrored crops if flip_test.

    The average is taken of maps, not of logits. It needs no shift, as the flip commutes with the map from crop to
    heatmap.
    """
    if not flip_test:
        return codec.maps_of_logits(predict_logits(images))
    # A crop and its mirror image are adjacent, so that they are in the same pass of the network.
    pairs = np.stack([images, images[:, :, ::-1]], axis=1).reshape((-1,) + images.shape[1:])
    maps = codec.maps_of_logits(predict_logits(pairs))
    return (maps[::2] + maps[1::2, :, ::-1][..., flip_permutation]) / 2


@dataclass(frozen=True, eq=False)
class PredictedRows:
    """The predictions of a network for the readable persons of a batch.

    batch: of the generator. rows: (N,) int, its readable rows. maps: (N, H, W, J). joints_crop: (N, J, 2).
    joints_img: (N, J, 2). scores: (N, J).
    """

    batch: Batch
    rows: np.ndarray
    maps: np.ndarray
    joints_crop: np.ndarray
    joints_img: np.ndarray
    scores: np.ndarray


def predict_batches(
    batches: Iterable[Batch],
    predict_logits: PredictLogits,
    codec: HeatmapCodec,
    flip_test: bool,
    flip_permutation: np.ndarray,
    scales: Tuple[float, ...] = (1.0,),
) -> Iterator[PredictedRows]:
    """Yield the PredictedRows of validation batches with a readable image; every evaluation uses this loop.

    Args:
        scales: of the batches' zoomed crops. Maps are averaged over them, and over the flip if flip_test.
    """
    for batch in batches:
        rows = np.flatnonzero(batch.mask)
        if not len(rows):
            continue
        maps_by_scale = [
            flip_averaged_maps(predict_logits, codec, images, flip_test, flip_permutation)
            for images in (batch.zoomed if len(batch.zoomed) else [batch.images])
        ]
        maps = average_over_scales(maps_by_scale, scales) if len(batch.zoomed) else maps_by_scale[0]
        joints_crop, scores = codec.decode(maps[rows])
        joints_img = geometry.image_from_crops(batch.affines_crop_from_img[rows], joints_crop)
        yield PredictedRows(batch, rows, maps[rows], joints_crop, joints_img, scores)


def predict_persons(
    generator: DataGenerator,
    predict_logits: PredictLogits,
    codec: HeatmapCodec,
    flip_test: bool,
    progress: Callable[[Iterable[Batch]], Iterable[Batch]] = iter,
) -> Iterator[Tuple[int, np.ndarray, np.ndarray]]:
    """Yield (index, joints_img float64 (J, 2), scores (J,)) of the generator's persons with a readable image.

    No labels are needed. progress: as in Evaluator.evaluate.
    """
    maker = generator.sample_maker
    batches = progress(generator.validation_batches())
    for predicted in predict_batches(batches, predict_logits, codec, flip_test, maker.flip_permutation, maker.scales):
        indices = predicted.batch.indices[predicted.rows]
        for index, pose, scores in zip(indices, predicted.joints_img, predicted.scores):
            yield int(index), pose, scores


class Evaluator:
    """Measures a network on the persons of a DataGenerator.

    codec: the network's representation of joints. mean_pose_crop: (J, 2), the mean pose of the training persons in crop
    pixels, for the baseline, or None. limit: number of batches to use, None for all.
    """

    def __init__(
        self,
        generator: DataGenerator,
        codec: HeatmapCodec,
        skeleton: Skeleton,
        mean_pose_crop: Optional[np.ndarray],
        flip_test: bool = True,
        limit: Optional[int] = None,
    ) -> None:
        self.generator = generator
        self.codec = codec
        self.skeleton = skeleton
        self.flip_test = flip_test
        self.limit = limit
        self.baseline_poses = {}
        if mean_pose_crop is not None:
            self.baseline_poses['mean_pose'] = np.asarray(mean_pose_crop)
        self.baseline_poses['centre'] = centre_pose(len(skeleton), generator.sample_maker.rule.crop_size)

    @property
    def num_batches(self) -> int:
        """Batches of one evaluation."""
        total = self.generator.num_validation_batches
        return total if self.limit is None else min(total, self.limit)

    def evaluate(
        self,
        predict_logits: PredictLogits,
        progress: Callable[[Iterable[Batch]], Iterable[Batch]] = iter,
        gather: Callable[[Columns], List[Columns]] = lambda columns: [columns],
    ) -> Evaluation:
        """Return the Evaluation of a network.

        Args:
            predict_logits: it gets crops in batches of the generator's size.
            progress: wraps the iterable of batches, to show a bar.
            gather: function from this process's dict of arrays to the list of the dicts of all processes, each of
                which evaluates a part of the persons. Every process returns the same Evaluation, equal to that of a
                single process.

        Raises:
            ImageError: when too many images cannot be read.
        """
        columns = self._columns(progress(self.generator.validation_batches(self.limit)), predict_logits)
        shares = gather(columns)
        columns = {name: np.concatenate([share[name] for share in shares]) for name in columns}
        order = np.argsort(columns['indices'], kind='stable')
        columns = {name: column[order] for name, column in columns.items()}
        if not len(order):
            raise ImageError(
                f'none of the {len(self.generator.persons)} persons to evaluate has a readable image; check '
                'DataSetHG.img_directory'
            )
        persons = [self.generator.persons[index] for index in columns['indices']]
        baselines = {name: self._result(name, columns, persons) for name in self.baseline_poses}
        network = self._result('network', columns, persons)
        return Evaluation(network, baselines, persons, columns['joints_network'], columns['scores'])

    def measure_person(
        self, predict_person: PredictPerson, gather: Callable[[Columns], List[Columns]] = lambda columns: [columns]
    ) -> PersonMeasure:
        """Return the PersonMeasure of a network's person output; the arguments are those of measure_person_output."""
        return measure_person_output(self.generator, predict_person, gather, self.limit)

    def _columns(self, batches: Iterable[Batch], predict_logits: PredictLogits) -> Columns:
        """Return the columns of this process's part of the persons: their indices and predictions."""
        codec, maker, joints = self.codec, self.generator.sample_maker, len(self.skeleton)
        rows_of: Dict[str, List[np.ndarray]] = {
            'indices': [np.zeros(0, np.int64)],
            'scores': [np.zeros((0, joints), np.float32)],
        }
        for name in ['network'] + list(self.baseline_poses):
            rows_of[f'joints_{name}'] = [np.zeros((0, joints, 2))]
            rows_of[f'argmax_{name}'] = [np.zeros((0, joints))]
        for predicted in predict_batches(
            batches, predict_logits, codec, self.flip_test, self.skeleton.flip_permutation, maker.scales
        ):
            batch, rows = predicted.batch, predicted.rows
            rows_of['indices'].append(batch.indices[rows])
            rows_of['scores'].append(predicted.scores)
            poses = [('network', predicted.joints_img, codec.peak_cells(predicted.maps))]
            for name, pose in self.baseline_poses.items():
                cells = np.rint(geometry.hm_from_crop(pose, codec.stride))
                joints_crop = np.tile(pose, (len(rows), 1, 1))
                joints_img = geometry.image_from_crops(batch.affines_crop_from_img[rows], joints_crop)
                poses.append((name, joints_img, cells[None]))
            # The original compares with the highest cell of the target, so a joint without a target is left out.
            true_cells = codec.nearest_cells(np.where(batch.labelled[..., None], batch.joints_crop, 0)[rows])
            for name, joints_img, cells in poses:
                rows_of[f'joints_{name}'].append(joints_img)
                accuracies = argmax_accuracies(cells, true_cells, codec.heatmap_size, batch.labelled[rows])
                rows_of[f'argmax_{name}'].append(accuracies)
        return {name: np.concatenate(parts) for name, parts in rows_of.items()}

    def _result(self, name: str, columns: Columns, persons: List[Person]) -> PckhResult:
        """Return the PckhResult of the poses of the network or of a baseline."""
        joints_img, kept_joints = columns[f'joints_{name}'], self.generator.sample_maker.kept_joints
        measured = PckhEvaluator(self.skeleton)
        measured.add(
            columns['indices'],
            joints_img,
            np.array([person.joints_img for person in persons]),
            np.array([person.labelled for person in persons]),
            [person.head_box_img for person in persons],
            columns[f'argmax_{name}'],
            kept_joints,
        )
        result = measured.result()
        by_box = box_metrics(joints_img, persons, kept_joints, self.skeleton)
        return replace(result, metrics={**result.metrics, **by_box})
