"""Head boxes of MPII's validation persons, from the ground-truth .mat that published scores are computed with."""

from dataclasses import replace
from typing import Iterable, Iterator, Tuple, Union

import numpy as np

from hourglass_pose.annotations.checking import Skipped, checked_pixels
from hourglass_pose.annotations.person import Person
from hourglass_pose.converters.official import load_matlab, numeric
from hourglass_pose.errors import AnnotationError

_NEEDED = ('pos_gt_src', 'jnt_missing', 'headboxes_src')

# px. Some annotation files cut the joints to whole pixels.
_TOLERANCE = 1.0


def add_head_boxes(persons: Iterable[Union[Person, Skipped]], path: str) -> Iterator[Union[Person, Skipped]]:
    """Yield the persons, those of the split 'valid' with the head boxes of detections_our_format.mat or gt_valid.mat.

    The file names no persons: its rows are the validation persons in the order of the annotations. That is checked by
    the joints of each row. Ten persons of the published file have lost coordinates of some joints, which are 0 there;
    such numbers are not compared.

    Raises AnnotationError for a file of another content, a row with the joints of another person or without a box, or
    another number of rows than of persons.
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
    """Return joints (N, 16, 2) as they stand and missing (N, 16), and head boxes (N, 4) that count from 0."""
    content = load_matlab(path, list(_NEEDED))
    absent = [name for name in _NEEDED if name not in content]
    if absent:
        raise AnnotationError(
            f'{path}: no {", ".join(absent)} in it; give detections_our_format.mat, or gt_valid.mat of HRNet'
        )
    joints, missing, boxes = (numeric(path, name, content[name]) for name in _NEEDED)
    count = joints.shape[-1]
    if (joints.shape[1:], missing.shape[1:], boxes.shape) != ((2, count), (count,), (2, 2, count)):
        raise AnnotationError(
            f'{path}: shapes {joints.shape}, {missing.shape} and {boxes.shape}; (16, 2, N), (16, N) and (2, 2, '
            f'N) are needed'
        )
    # Corner and axis come first; the numbers count from 1.
    return joints.transpose(2, 0, 1), missing.T != 0, boxes.transpose(2, 0, 1).reshape(count, 4) - 1.0


def _check(path: str, row: int, person: Person, joints: np.ndarray, missing: np.ndarray) -> None:
    if len(joints) != len(person.labelled):
        raise AnnotationError(f'{path}: {len(joints)} joints a row; {len(person.labelled)} are needed')
    known = person.labelled & ~missing
    differences = np.where(joints == 0, 0.0, np.abs(joints - 1.0 - person.joints_img))[known]
    if known.any() and differences.max() <= _TOLERANCE:
        return
    reason = f'their joints differ by {differences.max():.0f} px' if known.any() else 'they have no joint in common'
    raise AnnotationError(
        f'{path}: row {row + 1} is not {person.person_id}: {reason}; give the ground truth of the same split, in its '
        'order'
    )
