"""Reader of the official mpii_human_pose_v1_u12_1.mat, which lacks different fields in different records."""

import math
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

import numpy as np

from hourglass_pose.annotations.checking import MALFORMED, Skipped
from hourglass_pose.annotations.person import Person
from hourglass_pose.converters.official import NO_JOINTS, load_matlab, mpii_person
from hourglass_pose.errors import AnnotationError
from hourglass_pose.skeleton import MPII_JOINTS

_Record = Dict[str, Any]


def read_mpii_mat(path: str, boxes: str = 'joints') -> Iterator[Union[Person, Skipped]]:
    """Yield a Person or Skipped for each annotation, in the order of the file.

    Persons of test images have only a centre and a scale, and the split 'test'; those of training images have no split,
    because the file does not contain the published division into training and validation. The file includes head boxes.
    person_index is the index in `annorect`. boxes: see official.box_of.

    SciPy reads the whole file, with a small array for each number: a file of 24,987 images, as many as in the official
    one, takes 0.35 GB of memory while it is read and 0.24 GB afterwards.

    Raises AnnotationError for a file that is not the official one.
    """
    release = _first(load_matlab(path, ['RELEASE'], simplify_cells=True).get('RELEASE'))
    images = _records(_field(release, 'annolist'))
    img_train = _field(release, 'img_train')
    if not images or not isinstance(img_train, (np.ndarray, int, float)):
        raise AnnotationError(
            f'{path}: no RELEASE with annolist and img_train; give the official mpii_human_pose_v1_u12_1.mat'
        )
    is_training = np.atleast_1d(img_train)
    if len(images) != len(is_training):
        raise AnnotationError(
            f'{path}: {len(images)} images in annolist and {len(is_training)} in img_train; expected equal numbers; '
            'download the file again'
        )
    return _persons(path, images, is_training, boxes)


def _persons(path: str, images: List[_Record], is_training: np.ndarray, boxes: str) -> Iterator[Union[Person, Skipped]]:
    for number, entry in enumerate(images, 1):
        # Without persons, annorect is an empty numeric matrix.
        rectangles = _records(entry.get('annorect'))
        name = _field(_first(entry.get('image')), 'name')
        for index, rectangle in enumerate(rectangles):
            try:
                if not (isinstance(name, str) and name.strip()):
                    raise AnnotationError('the image has persons but no name')
                yield _person(name.strip(), index, rectangle, bool(is_training[number - 1]), boxes)
            except (AnnotationError, TypeError, ValueError) as error:
                yield Skipped(MALFORMED, f'{path}: image {number}, person {index + 1}: {error}')


def _person(name: str, index: int, rectangle: _Record, is_training: bool, boxes: str) -> Union[Person, Skipped]:
    joints, labelled, visible = _joints(_first(_field(rectangle, 'annopoints')))
    position = _first(_field(rectangle, 'objpos'))
    centre: Optional[List[Optional[float]]] = [_number(_field(position, axis)) for axis in 'xy']
    scale = _number(_field(rectangle, 'scale'))
    if centre is None or None in centre or scale is None or scale <= 0:
        centre, scale = None, None
    head_box = [_number(_field(rectangle, side)) for side in ('x1', 'y1', 'x2', 'y2')]
    if is_training and not labelled.any():
        return Skipped(NO_JOINTS)
    return mpii_person(
        name,
        index,
        joints,
        labelled,
        visible,
        centre,
        scale,
        None if is_training else 'test',
        boxes,
        None if None in head_box else head_box,
    )


def _joints(annopoints: Optional[_Record]) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return 1-based joints (16, 2), labelled (16,) and visible (16,) of `annopoints`, which may be None."""
    joints = np.zeros((len(MPII_JOINTS), 2))
    labelled, visible = np.zeros(len(MPII_JOINTS), bool), np.zeros(len(MPII_JOINTS), bool)
    for point in _records(_field(annopoints, 'point')):
        x, y, identity = (_number(_field(point, name)) for name in ('x', 'y', 'id'))
        if x is None or y is None or identity is None or not 0 <= identity < len(MPII_JOINTS):
            continue
        joint = int(identity)
        joints[joint] = x, y
        labelled[joint] = True
        # A joint without this field, such as the head, counts as visible, as in the published conversions.
        is_visible = _number(_field(point, 'is_visible'))
        visible[joint] = is_visible is None or is_visible != 0
    return joints, labelled, visible


def _records(value: Any) -> List[_Record]:
    """Return the records of a struct array as SciPy simplifies it: a dict for one, a list for several."""
    if isinstance(value, dict):
        return [value]
    if isinstance(value, (list, np.ndarray)):
        return [record for record in value if isinstance(record, dict)]
    return []


def _first(value: Any) -> Optional[_Record]:
    """Return the first record of a struct array, None for an empty one or another value."""
    records = _records(value)
    return records[0] if records else None


def _field(record: Optional[_Record], name: str) -> Any:
    """Return a field of a record, None if the record or the field is missing."""
    return None if record is None else record.get(name)


def _number(value: Any) -> Optional[float]:
    """Return a number, the first of an array or a number written as text, as a finite float; otherwise None."""
    if isinstance(value, np.ndarray):
        value = value.flat[0] if value.size else None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
