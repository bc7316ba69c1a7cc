"""Reader of the head boxes of MPII's validation persons, from the ground-truth .mat of published evaluations."""

from dataclasses import replace
from typing import Iterable, Iterator, Tuple, Union

import numpy as np

from hourglass_pose.annotations.checking import Skipped, checked_pixels
from hourglass_pose.annotations.person import Person
from hourglass_pose.converters.official import load_matlab, numeric
from hourglass_pose.errors import AnnotationError

_NEEDED = ('pos_gt_src', 'jnt_missing', 'headboxes_src')

# px. Some annotation files truncate the joints to whole pixels.
_TOLERANCE = 1.0


def add_head_boxes(persons: Iterable[Union[Person, Skipped]], path: str) -> Iterator[Union[Person, Skipped]]:
    """Yield the persons; those of the split 'valid' get head boxes from detections_our_format.mat or gt_valid.mat.

    The file does not name persons: its rows are the validation persons in the order of the annotations, which is
    checked by the joints of each row. Ten persons of the published file lack coordinates of some joints, which are 0
    there; such coordinates are not compared.

    Raises AnnotationError for a file with other content, a row with the joints of another person or without a box, or
    different numbers of rows and persons.
    """
    joints, missing, boxes = _read(path)
    row = 0
    for person in persons:
        if isinstance(person, Person) and person.split == 'valid':
            if row < len(boxes):
                _check(path, row, person, joints[row], missing[row])
                person = replace(person, head_box_img=checked_pixels(f'{path}: row {row + 1}: head_box', boxes[row], 4))
            row += 1
        yield person
    if row != len(boxes):
        raise AnnotationError(
            f'{path}: {len(boxes)} rows for {row} persons of the split valid; give the ground truth of the same split'
        )


def _read(path: str) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return joints (N, 16, 2), 1-based as stored, missing (N, 16), and head boxes (N, 4), 0-based."""
    content = load_matlab(path, _NEEDED)
    absent = [name for name in _NEEDED if name not in content]
    if absent:
        raise AnnotationError(
            f'{path}: no {", ".join(absent)} in it; give detections_our_format.mat, or gt_valid.mat of HRNet'
        )
    joints, missing, boxes = (numeric(path, name, content[name]) for name in _NEEDED)
    rows, count = missing.shape if missing.ndim == 2 else (0, 0)
    if (joints.shape, boxes.shape) != ((rows, 2, count), (2, 2, count)):
        raise AnnotationError(
            f'{path}: shapes {joints.shape}, {missing.shape} and {boxes.shape}; (16, 2, N), (16, N) and (2, 2, '
            f'N) are needed'
        )
    # The axes are corner, coordinate, person; the coordinates are 1-based.
    return joints.transpose(2, 0, 1), missing.T != 0, boxes.transpose(2, 0, 1).reshape(count, 4) - 1.0


def _check(path: str, row: int, person: Person, joints: np.ndarray, missing: np.ndarray) -> None:
    if len(joints) != len(person.labelled):
        raise AnnotationError(f'{path}: {len(joints)} joints a row; {len(person.labelled)} are needed')
    known = person.labelled & ~missing
    differences = np.where(joints == 0, 0.0, np.abs(joints - 1.0 - person.joints_img))[known]
    if known.any() and differences.max() <= _TOLERANCE:
        return
    reason = f'the joints differ by {differences.max():.0f} px' if known.any() else 'there is no joint in common'
    raise AnnotationError(
        f'{path}: row {row + 1} is not {person.person_id}: {reason}; give the ground truth of the same split, in its '
        'order'
    )
