"""Scoring of predicted poses: rows matched with annotated persons, in common pixel coordinates, by published PCKh."""

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose.errors import UserError
from hourglass_pose.evaluation.box_metrics import box_metrics
from hourglass_pose.evaluation.headline import headline_metric
from hourglass_pose.evaluation.pckh import PckhEvaluator, PckhResult
from hourglass_pose.scoring.ground_truth import GroundTruth
from hourglass_pose.scoring.prediction_files import PredictedPoses
from hourglass_pose.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class Score:
    """The score of predicted poses.

    result: PckhResult, whose indices are rows of the truth. joints: (N, J, 2), the predictions as scored, in the frame
    of the truth. rows: int (N,), the rows of the truth that were scored. skeleton: the joints. truth: the labelled
    persons. protocol: how the files were read and matched, JSON-able.
    """

    result: PckhResult
    joints: np.ndarray
    rows: np.ndarray
    skeleton: Skeleton
    truth: GroundTruth
    protocol: Dict[str, Any] = field(default_factory=dict)


def score_poses(
    predictions: PredictedPoses, truth: GroundTruth, only_predicted: bool = True, count_from: Optional[int] = None
) -> Score:
    """Return the Score of predictions, with the matching and the pixel origin in its protocol.

    Args:
        only_predicted: whether persons without a prediction are left out; otherwise they count as wrong.
        count_from: number of the first pixel in the predictions, 0 or 1; None for the default of the kind of file.

    Raises UserError if predictions and truth do not fit each other.
    """
    joints, rows = match(predictions, truth, only_predicted)
    first = predictions.count_from if count_from is None else count_from
    score, other = [_score(joints + (truth.count_from - start), rows, truth) for start in (first, 1 - first)]
    protocol = {
        'read_as': predictions.description,
        'ground_truth_read_as': truth.description,
        'rows_matched_by': 'order' if truth.persons is None or predictions.in_order else 'person',
        'annotated_persons_without_prediction': _count_unpredicted(joints, truth),
        'predictions_count_from': first,
        'ground_truth_counts_from': truth.count_from,
        'counting': _describe_counting(first, truth.count_from, score.result, other.result),
    }
    return replace(score, protocol=protocol)


def match(
    predictions: PredictedPoses, truth: GroundTruth, only_predicted: bool = True
) -> Tuple[np.ndarray, np.ndarray]:
    """Return (joints (N, J, 2), rows (N,)): predictions in the joint order of the truth, and the rows of their persons.

    Predictions that identify their persons, by id or by position in the official list, are matched by that, others by
    order.

    Args:
        only_predicted: as in score_poses.

    Raises UserError for predictions of joints or of persons that the truth does not have, and for unequal
    numbers of persons.
    """
    joints = predictions.joints[:, _joint_order(predictions.names, truth.names)]
    if predictions.in_order:
        if len(joints) != len(truth.joints):
            raise UserError(
                f'{len(joints)} predictions for {len(truth.joints)} persons of the ground truth; both must hold the '
                'same persons in the same order'
            )
        return joints, np.arange(len(joints))
    if truth.persons is None:
        if predictions.person_ids is None or len(joints) != len(truth.joints):
            raise UserError(
                f'the predictions name {len(joints)} persons, but the ground truth has {len(truth.joints)} rows '
                'without names; score them against the annotations that they were made for'
            )
        return joints, np.arange(len(joints))
    if predictions.person_ids is None:
        rows = _rows_by_position(predictions.positions or (), truth)
    else:
        rows = _rows_by_id(predictions.person_ids, predictions.sources, truth)
    if only_predicted:
        order = np.argsort(rows, kind='stable')
        return joints[order], rows[order]
    filled = np.full((len(truth.persons),) + joints.shape[1:], np.nan)
    filled[rows] = joints
    return filled, np.arange(len(filled))


def _score(joints: np.ndarray, rows: np.ndarray, truth: GroundTruth) -> Score:
    """Return the Score of predictions (N, J, 2) of rows of the truth, in its frame and its order of joints."""
    skeleton = Skeleton(truth.names)
    evaluator = PckhEvaluator(skeleton)
    boxes = [None if np.isnan(box).any() else box for box in truth.head_boxes[rows]]
    evaluator.add(rows, joints, truth.joints[rows], truth.labelled[rows], boxes)
    result = evaluator.result()
    # Without heatmaps, argmax accuracy is not defined.
    metrics = {name: value for name, value in result.metrics.items() if name != 'argmax_accuracy'}
    if truth.persons is not None:
        persons = [truth.persons[row] for row in rows]
        metrics.update(box_metrics(joints, persons, np.ones(len(skeleton), bool), skeleton))
    return Score(replace(result, metrics=metrics), joints, rows, skeleton, truth)


def _joint_order(names: Sequence[str], expected: Sequence[str]) -> List[int]:
    lacking = [name for name in expected if name not in names]
    if lacking:
        raise UserError(
            f'the predictions lack {len(lacking)} of the {len(expected)} joints of the ground truth: '
            f'{", ".join(lacking)}'
        )
    return [list(names).index(name) for name in expected]


def _rows_by_id(
    person_ids: Sequence[Tuple[str, str]], sources: Optional[Sequence[Optional[str]]], truth: GroundTruth
) -> np.ndarray:
    """Return the row of each (image, person id).

    If several annotation files have the same image and person, the prediction's source decides.
    """
    candidates: Dict[Tuple[str, str], List[int]] = {}
    for row, person in enumerate(truth.persons or ()):
        candidates.setdefault((person.image, person.person_id), []).append(row)

    def choose(key: Tuple[str, str], source: Optional[str]) -> Optional[int]:
        rows = candidates.get(key, [])
        if len(rows) > 1 and source is not None:
            paths = [truth.files[(truth.persons or ())[row].source] for row in rows]
            # The file may have been moved, so that only its name is the same.
            for key_of in (os.path.realpath, os.path.basename):
                keys = [key_of(path) for path in paths]
                if keys.count(key_of(source)) == 1:
                    return rows[keys.index(key_of(source))]
        if len(rows) > 1:
            raise UserError(
                f'{key[0]}, {key[1]}: {len(rows)} persons of the ground truth have this name and the prediction does '
                'not name their annotation file; score against one annotation file'
            )
        return rows[0] if rows else None

    rows = [choose(key, None if sources is None else sources[index]) for index, key in enumerate(person_ids)]
    return _checked_rows(rows, [f'person {person} of image {image}' for image, person in person_ids])


def _rows_by_position(positions: Sequence[Tuple[Optional[str], int, int]], truth: GroundTruth) -> np.ndarray:
    if any(image is None for image, _, _ in positions):
        raise UserError(
            'the submission does not name its images, so its poses cannot be matched with persons; keep '
            'annolist(i).image.name in it'
        )
    row_of = {(person.image, person.person_index): row for row, person in enumerate(truth.persons or ())}
    rows = [row_of.get((image or '', rect)) for image, _, rect in positions]
    return _checked_rows(rows, [f'person {rect + 1} of image {image}' for image, _, rect in positions])


def _checked_rows(candidates: Sequence[Optional[int]], titles: Sequence[str]) -> np.ndarray:
    """Return the rows as an array. Raises UserError for predictions without a row and for duplicates."""
    unknown = [title for row, title in zip(candidates, titles) if row is None]
    if unknown:
        raise UserError(
            f'{len(unknown)} of {len(candidates)} predictions are of persons that the ground truth does not have, the '
            f'first of {unknown[0]}; score them against the annotations that they were made for'
        )
    rows = np.array(candidates, np.int64)
    if len(np.unique(rows)) < len(rows):
        twice = Counter(titles).most_common(1)[0][0]
        raise UserError(f'two predictions of {twice}; one is allowed')
    return rows


def _count_unpredicted(joints: np.ndarray, truth: GroundTruth) -> int:
    """Return the number of persons of the truth without a prediction, left out or scored as wrong."""
    return len(truth.joints) - int((~np.isnan(joints).all(axis=(1, 2))).sum())


def _describe_counting(first: int, truth_first: int, result: PckhResult, other: PckhResult) -> str:
    """Return a line on the pixel origin of the predictions, and on the score with the other origin."""
    done = f'shifted by {truth_first - first:+d} px to the ground truth'
    if first == truth_first:
        done = 'compared without a shift'
    name = headline_metric(result.metrics)
    if name is None:
        return done
    mean, mean_other = result.metrics[name]['mean'], other.metrics[name]['mean']
    return f'{done}; with --predictions-count-from {1 - first} the mean would be {mean_other:.2f} instead of {mean:.2f}'
