"""Labelled poses to score predictions against: MPII's ground truth .mat with head boxes, and annotated persons."""

from dataclasses import dataclass
from typing import Dict, Iterable, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.errors import UserError
from hourglass_pose.evaluation.breakdown import PersonAttributes, attributes_of_persons
from hourglass_pose.evaluation.pckh import head_boxes_of
from hourglass_pose.scoring.pose_arrays import joint_names
from hourglass_pose.skeleton import MPII_JOINTS

_VARIABLES = ('pos_gt_src', 'headboxes_src', 'jnt_missing')


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """N labelled persons.

    joints: float64 (N, J, 2), in pixels; the first pixel is count_from. labelled: bool (N, J). head_boxes: (N, 4) x0
    y0 x1 y1 in the same pixels, NaN if unknown. names: the J joints. attributes: for the breakdown.
    description: a line for the protocol. persons: the Person of each row, or None if the file does not identify
    persons.
    files: annotation files by Person.source.
    """

    joints: np.ndarray
    labelled: np.ndarray
    head_boxes: np.ndarray
    names: Tuple[str, ...]
    count_from: int
    attributes: PersonAttributes
    description: str
    persons: Optional[Sequence[Person]] = None
    files: Sequence[str] = ()

    def row_name(self, row: int) -> str:
        """Return the name of a row: the person's id, or its number in the file, from 1."""
        return f'row {row + 1}' if self.persons is None else self.persons[row].person_id


def is_ground_truth(arrays: Dict[str, np.ndarray]) -> bool:
    """Return whether the arrays of a .mat are MPII's ground truth with head boxes."""
    return 'pos_gt_src' in arrays


def ground_truth_of_arrays(arrays: Dict[str, np.ndarray], path: str) -> GroundTruth:
    """Return the GroundTruth of the arrays of `detections_our_format.mat` or HRNet's `gt_valid.mat`.

    Raises UserError where a variable is missing, of another shape or not of numbers.
    """
    missing = [name for name in _VARIABLES if name not in arrays]
    if missing:
        raise UserError(
            f'{path}: ground truth without {", ".join(missing)}; expected the variables {", ".join(_VARIABLES)}'
        )
    names = joint_names(arrays['dataset_joints'], path) if 'dataset_joints' in arrays else MPII_JOINTS
    for name in _VARIABLES:
        if arrays[name].dtype.kind not in 'biuf':
            raise UserError(f'{path}: {name} is not numeric; expected the ground truth .mat of MPII')
    joints, boxes, lacking = [np.asarray(arrays[name], np.float64) for name in _VARIABLES]
    count = joints.shape[-1] if joints.ndim else 0
    expected = ((len(names), 2, count), (2, 2, count), (len(names), count))
    for name, value, shape in zip(_VARIABLES, (joints, boxes, lacking), expected):
        if value.shape != shape or not count:
            raise UserError(f'{path}: {name} has the shape {value.shape}; expected {shape}')
    joints = joints.transpose(2, 0, 1)
    # The first axis of a head box is its corner, the second x and y.
    boxes = boxes.transpose(2, 0, 1).reshape(count, 4)
    diagonals = np.linalg.norm(boxes[:, 2:] - boxes[:, :2], axis=1)
    attributes = PersonAttributes(
        size=np.where(diagonals > 0, diagonals, np.nan),
        size_definition='diagonal of the head box in px; rows end at the quartiles',
    )
    # A position that is not finite counts as unlabelled.
    labelled = (lacking.T == 0) & np.isfinite(joints).all(axis=2)
    description = 'ground truth .mat with head boxes'
    return GroundTruth(joints, labelled, boxes, names, 1, attributes, description)


def ground_truth_of_persons(
    persons: Sequence[Person],
    all_persons: Iterable[Person],
    names: Sequence[str],
    description: str,
    files: Sequence[str] = (),
) -> GroundTruth:
    """Return the GroundTruth of annotated persons.

    Args:
        all_persons: all persons of their images, who count as neighbours.
        names: the joints.
        files: annotation files by Person.source.
    """
    return GroundTruth(
        np.array([person.joints_img for person in persons], np.float64),
        np.array([person.labelled for person in persons]),
        head_boxes_of([person.head_box_img for person in persons]),
        tuple(names),
        0,
        attributes_of_persons(persons, all_persons),
        description,
        list(persons),
        tuple(files),
    )
