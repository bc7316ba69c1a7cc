"""Labelled poses to score predictions against: MPII's ground truth .mat with head boxes, and annotated persons."""

from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np

from hourglass_pose.errors import UserError
from hourglass_pose.evaluation.breakdown import PersonTraits, traits_of_persons
from hourglass_pose.scoring.pose_arrays import joint_names
from hourglass_pose.skeleton import MPII_JOINTS

_VARIABLES = ('pos_gt_src', 'headboxes_src', 'jnt_missing')


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """N labelled persons.

    joints: float64 (N, J, 2), in pixels counted from count_from. labelled: bool (N, J). head_boxes: (N, 4) x0 y0 x1 y1
    counted likewise, NaN where unknown. names: the J joints. traits: PersonTraits for the breakdown.
    description: a line for the protocol. persons: the Person of each row, or None where the file has no identities.
    """

    joints: np.ndarray
    labelled: np.ndarray
    head_boxes: np.ndarray
    names: Tuple[str, ...]
    count_from: int
    traits: PersonTraits
    description: str
    persons: Optional[list] = None

    def row_name(self, row):
        """Return how a row is called: the person's id, or its number in the file, from 1."""
        return 'row %d' % (row + 1) if self.persons is None else self.persons[row].person_id


def is_ground_truth(arrays):
    """Tell whether the arrays of a .mat are MPII's ground truth with head boxes."""
    return 'pos_gt_src' in arrays


def ground_truth_of_arrays(arrays, path):
    """Return the GroundTruth of the arrays of `detections_our_format.mat` or HRNet's `gt_valid.mat`.

    Raises UserError where a variable is missing or of another shape.
    """
    missing = [name for name in _VARIABLES if name not in arrays]
    if missing:
        raise UserError(
            '{}: ground truth without {}; expected the variables {}'.format(
                path, ', '.join(missing), ', '.join(_VARIABLES)
            )
        )
    names = joint_names(arrays['dataset_joints'], path) if 'dataset_joints' in arrays else MPII_JOINTS
    joints, boxes, lacking = [np.asarray(arrays[name], np.float64) for name in _VARIABLES]
    count = joints.shape[-1]
    wanted = ((len(names), 2, count), (2, 2, count), (len(names), count))
    for name, value, shape in zip(_VARIABLES, (joints, boxes, lacking), wanted):
        if value.shape != shape:
            raise UserError(f'{path}: {name} has the shape {value.shape}; expected {shape}')
    joints = joints.transpose(2, 0, 1)
    # The first axis of a head box is its corner, the second x and y.
    boxes = boxes.transpose(2, 0, 1).reshape(count, 4)
    diagonals = np.linalg.norm(boxes[:, 2:] - boxes[:, :2], axis=1)
    traits = PersonTraits(
        size=np.where(diagonals > 0, diagonals, np.nan),
        size_definition='diagonal of the head box in px; by quarters of the persons',
    )
    return GroundTruth(joints, lacking.T == 0, boxes, names, 1, traits, 'ground truth .mat with head boxes')


def ground_truth_of_persons(persons, everyone, names, description):
    """Return the GroundTruth of annotated persons. everyone: all persons of their images. names: their joints."""
    boxes = np.array([[np.nan] * 4 if person.head_box_img is None else person.head_box_img for person in persons])
    return GroundTruth(
        np.array([person.joints_img for person in persons], np.float64),
        np.array([person.labelled for person in persons]),
        boxes.astype(np.float64),
        tuple(names),
        0,
        traits_of_persons(persons, everyone),
        description,
        list(persons),
    )
