"""Scoring predictions of any program: rows matched with persons, pixels counted alike, PCKh by the published rule."""

from collections import Counter, OrderedDict
from dataclasses import dataclass, replace

import numpy as np

from hourglass_pose.errors import UserError
from hourglass_pose.evaluation.pckh import PckhEvaluator, PckhResult
from hourglass_pose.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class Score:
    """result: PckhResult, its indices being rows of the truth. joints: (N, J, 2), the predictions as scored, in the
    frame of the truth. rows: int (N,), the rows of the truth that were scored. skeleton: the joints.
    """

    result: PckhResult
    joints: np.ndarray
    rows: np.ndarray
    skeleton: Skeleton


def match(predictions, truth, only_predicted=True):
    """Return (joints (N, J, 2), rows (N,)): predictions in the joint order of the truth, and whose they are.

    Predictions that say whose they are, by person or by place, are found by that; others are taken in order.
    only_predicted: persons without a prediction are left out; else they are scored as wrong.
    Raises UserError for predictions of joints or of persons that the truth does not have, and for other numbers.
    """
    joints = predictions.joints[:, _joint_order(predictions.names, truth.names)]
    if predictions.in_order:
        if len(joints) != len(truth.joints):
            raise UserError(
                '%d predictions for %d persons of the ground truth; both have to be of the same persons in '
                'the same order' % (len(joints), len(truth.joints))
            )
        return joints, np.arange(len(joints))
    by_place = predictions.person_ids is None
    if truth.persons is None:
        if by_place or len(joints) != len(truth.joints):
            raise UserError(
                'the predictions name %d persons, but the ground truth has %d rows without names; score '
                'them against the annotations that they were made for' % (len(joints), len(truth.joints))
            )
        return joints, np.arange(len(joints))
    rows = (
        _rows_by_place(predictions.places, truth.persons)
        if by_place
        else _rows_by_id(predictions.person_ids, truth.persons)
    )
    if only_predicted:
        order = np.argsort(rows, kind='stable')
        return joints[order], rows[order]
    filled = np.full((len(truth.persons),) + joints.shape[1:], np.nan)
    filled[rows] = joints
    return filled, np.arange(len(filled))


def score(joints, rows, truth):
    """Return the Score of predictions (N, J, 2) of rows of the truth, in its frame and its order of joints."""
    skeleton = Skeleton(truth.names)
    evaluator = PckhEvaluator(skeleton)
    boxes = [None if np.isnan(box).any() else box for box in truth.head_boxes[rows]]
    evaluator.add(rows, joints, truth.joints[rows], truth.labelled[rows], boxes)
    result = evaluator.result()
    # No heatmaps, no accuracy of their highest cells.
    metrics = OrderedDict((name, value) for name, value in result.metrics.items() if name != 'argmax_accuracy')
    return Score(replace(result, metrics=metrics), joints, rows, skeleton)


def _joint_order(names, wanted):
    lacking = [name for name in wanted if name not in names]
    if lacking:
        raise UserError(
            'the predictions lack %d of the %d joints of the ground truth: %s'
            % (len(lacking), len(wanted), ', '.join(lacking))
        )
    return [names.index(name) for name in wanted]


def _rows_by_id(person_ids, persons):
    rows = {}
    for row, person in enumerate(persons):
        if (person.image, person.person_id) in rows:
            raise UserError(
                f'{person.image}, {person.person_id}: twice in the ground truth; score against one annotation file'
            )
        rows[person.image, person.person_id] = row
    return _looked_up(person_ids, rows, 'person %s of image %s', lambda key: (key[1], key[0]))


def _rows_by_place(places, persons):
    if any(image is None for image, _, _ in places):
        raise UserError(
            'the submission does not name its images, so nobody can tell whose its poses are; keep '
            'annolist(i).image.name in it'
        )
    rows = {(person.image, person.person_index): row for row, person in enumerate(persons)}
    return _looked_up(
        [(image, rect) for image, _, rect in places], rows, 'person %d of image %s', lambda key: (key[1] + 1, key[0])
    )


def _looked_up(keys, rows, title, values):
    """Return the row of each key. Raises UserError that names the first key without one, and one that comes twice."""
    strangers = [key for key in keys if key not in rows]
    if strangers:
        raise UserError(
            '%d of %d predictions are of nobody in the ground truth, the first of %s; score them against '
            'the annotations that they were made for' % (len(strangers), len(keys), title % values(strangers[0]))
        )
    found = np.array([rows[key] for key in keys])
    if len(np.unique(found)) < len(found):
        twice = Counter(keys).most_common(1)[0][0]
        raise UserError(f'two predictions of {title % values(twice)}; one is allowed')
    return found
