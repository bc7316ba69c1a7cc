"""The one place that checks persons: what makes a Person sound, whatever its reader, and what makes it usable."""

import os
from dataclasses import dataclass
from typing import Any, Optional, Tuple

import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.errors import AnnotationError

LARGEST = 1000000  # pixels; more than any image has in a row, and few enough that float32 holds every integer

SPLITS = ('train', 'valid', 'test')


@dataclass(frozen=True)
class Skipped:
    """A record of a data set that gives no person.

    reason: the same few words for all records of a kind, such as 'no keypoints'. detail: for a malformed record, the
    file, the record and what is wrong with it.
    """

    reason: str
    detail: str = ''


MALFORMED = 'malformed'


def checked_person(
    image: Any,
    person_id: Any,
    box_img: Any,
    joints_img: Any,
    labelled: Any,
    image_path: str = '',
    head_box_img: Any = None,
    source: int = 0,
    visible: Any = None,
    centre_img: Any = None,
    scale: Any = None,
    split: Optional[str] = None,
    person_index: Any = None,
) -> Person:
    """Return the Person of values that a reader found, in the frame and the types of Person.

    joints_img: (J, 2), anything where not labelled. Raises AnnotationError for values of another kind or shape, numbers
    that are not finite or beyond LARGEST, and names that no file can have.
    """
    labelled = _array('labelled', labelled, None).astype(bool)
    count = len(labelled)
    joints = _array('joints', joints_img, (count, 2))
    joints = np.where(labelled[:, None], joints, 0.0)
    wrong = np.flatnonzero(~_within(joints).all(axis=1))
    if len(wrong):
        raise AnnotationError(f'joint {wrong[0] + 1} is {_shown(joints[wrong[0]])}; {_ALLOWED}')
    return Person(
        image=_name('image', image),
        image_path=image_path,
        person_id=_name('id', person_id),
        box_img=checked_pixels('box', box_img, 4),
        joints_img=joints.astype(np.float32),
        labelled=labelled,
        head_box_img=None if head_box_img is None else checked_pixels('head_box', head_box_img, 4),
        source=source,
        visible=None if visible is None else _array('visible', visible, (count,)).astype(bool),
        centre_img=None if centre_img is None else checked_pixels('centre', centre_img, 2),
        scale=None if scale is None else _scale(scale),
        split=_split(split),
        person_index=None if person_index is None else _index(person_index),
    )


def problem_of_use(person: Person, needs_centre: bool = False) -> Optional[str]:
    """Return why a sound person cannot be trained on or measured with, wherever its image is, or None."""
    x0, y0, x1, y1 = person.box_img
    if x1 < x0 or y1 < y0:
        return f'the box {box_text(person)} ends before it starts; xmin <= xmax and ymin <= ymax are needed'
    if x1 < 0 or y1 < 0:
        return f'the box {box_text(person)} lies outside of the image; it has to reach pixels from 0 on'
    if not person.labelled.any() and person.split != 'test':
        return f'all {len(person.labelled)} joints are missing; at least one is needed'
    if needs_centre and (person.centre_img is None or person.scale is None):
        missing = 'centre' if person.centre_img is None else 'scale'
        return f"no {missing}, which DataSetHG.crop_rule 'centre_scale' needs; take a file that has it, or rule 'box'"
    return None


def problem_in_image(person: Person, width: int, height: int) -> Optional[str]:
    """Return what is wrong with a person in an image of width x height pixels, or None.

    The box has to share a pixel with the image. Joints may lie outside, as some of MPII do, by at most the image's
    width or height.
    """
    x0, y0, x1, y1 = person.box_img
    if x1 < 0 or y1 < 0 or x0 > width - 1 or y0 > height - 1:
        return (
            f'the box {box_text(person)} lies outside of the image of {width} x {height} pixels; they have to overlap'
        )
    for index in person.labelled.nonzero()[0]:
        x, y = person.joints_img[index]
        if not (-width <= x <= 2 * width - 1 and -height <= y <= 2 * height - 1):
            return (
                f'joint {index + 1} at {x:g} {y:g} is further outside of the image of {width} x {height} pixels than '
                'its size; correct it or mark it as missing'
            )
    return None


def box_text(person: Person) -> str:
    """Return a person's box as text, such as '10 5 30.5 45'."""
    return _shown(person.box_img)


_ALLOWED = f'numbers of pixels from {-LARGEST} to {LARGEST} are needed'


def _array(name: str, value: Any, shape: Optional[Tuple[int, ...]]) -> np.ndarray:
    """Return a float64 array of one shape; None takes any vector."""
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise AnnotationError(f'{name} is {_found(value)}; {_ALLOWED}')
    if array.ndim != 1 if shape is None else array.shape != shape:
        raise AnnotationError(f'{name} is of shape {array.shape}; {shape or "a list"} is needed')
    return array


def _within(array: np.ndarray) -> np.ndarray:
    # The comparison is false for NaN, of which some versions of NumPy warn.
    with np.errstate(invalid='ignore'):
        return np.abs(array) <= LARGEST


def checked_pixels(name: str, value: Any, count: int) -> np.ndarray:
    """Return `count` pixel numbers as float64. Raises AnnotationError, which calls them by a name."""
    array = _array(name, value, (count,))
    if not _within(array).all():
        raise AnnotationError(f'{name} is {_shown(array)}; {_ALLOWED}')
    return array


def _name(key: str, value: Any) -> str:
    if not (isinstance(value, str) and value and '\0' not in value):
        raise AnnotationError(f'{key} is {_found(value)}; a text is needed')
    try:
        os.fsencode(value)
    except UnicodeError:
        raise AnnotationError(f'{key} is {_found(value)}, which no file can be called')
    return value


def _scale(value: Any) -> float:
    scale = float(_array('scale', value, ()))
    if not 0 < scale <= LARGEST:
        raise AnnotationError(f'scale is {scale:g}; a number above 0 is needed, the height of the person / 200 px')
    return scale


def _split(value: Any) -> Optional[str]:
    if value is not None and value not in SPLITS:
        raise AnnotationError(f'split is {_found(value)}; one of {", ".join(map(repr, SPLITS))} is needed')
    return value


def _index(value: Any) -> int:
    number = float(_array('person_index', value, ()))
    if not 0 <= number <= LARGEST or number != int(number):
        raise AnnotationError(f'person_index is {number:g}; an integer from 0 is needed')
    return int(number)


def _found(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f'{text[:57]}...'


def _shown(array: np.ndarray) -> str:
    return ' '.join(f'{value:g}' for value in array)
