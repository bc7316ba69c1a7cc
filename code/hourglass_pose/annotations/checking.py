"""The checks of persons, shared by all readers: whether the values of a Person are valid, and whether it is usable."""

import os
from dataclasses import dataclass
from typing import Any, Optional, Tuple

import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.errors import AnnotationError, excerpt

LARGEST = 1000000  # pixels; more than any image has in a row, and few enough that float32 holds every integer

SPLITS = ('train', 'valid', 'test')


@dataclass(frozen=True)
class Skipped:
    """A record of a data set that yields no person.

    reason: a short text, the same for all records of a kind, such as 'no keypoints'. detail: for a malformed record,
    the file, the record and the problem.
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
    area: Any = None,
) -> Person:
    """Return the Person of values that a reader has read, converted to the types of Person.

    joints_img: (J, 2), with arbitrary values where not labelled. Raises AnnotationError for values of a wrong type or
    shape, for numbers that are not finite or beyond LARGEST, and for names that are not valid file names.
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
        scale=None if scale is None else _positive('scale', scale, LARGEST, 'the height of the person / 200 px'),
        split=_split(split),
        person_index=None if person_index is None else _index(person_index),
        area=None if area is None else _positive('area', area, LARGEST**2, 'square pixels'),
    )


def problem_of_use(person: Person, needs_centre: bool = False) -> Optional[str]:
    """Return why a valid person cannot be used for training or evaluation, without looking at its image, or None."""
    x0, y0, x1, y1 = person.box_img
    if x1 < x0 or y1 < y0:
        return f'the box {box_text(person)} ends before it starts; xmin <= xmax and ymin <= ymax are needed'
    if x1 < 0 or y1 < 0:
        return f'the box {box_text(person)} lies outside the image; it must contain pixels >= 0'
    if not person.labelled.any() and person.split != 'test':
        return f'all {len(person.labelled)} joints are missing; expected at least one labelled joint'
    if needs_centre and (person.centre_img is None or person.scale is None):
        missing = 'centre' if person.centre_img is None else 'scale'
        return (
            f"no {missing}, which DataSetHG.crop_rule 'centre_scale' needs; use a file that has it, or crop_rule 'box'"
        )
    return None


def problem_in_image(person: Person, width: int, height: int) -> Optional[str]:
    """Return what is wrong with a person in an image of width x height pixels, or None.

    The box must share a pixel with the image. Joints may lie outside the image, as some of MPII do, by at most the
    image's width or height.
    """
    x0, y0, x1, y1 = person.box_img
    if x1 < 0 or y1 < 0 or x0 > width - 1 or y0 > height - 1:
        return f'the box {box_text(person)} lies outside the image of {width} x {height} pixels; they must overlap'
    for index in person.labelled.nonzero()[0]:
        x, y = person.joints_img[index]
        if not (-width <= x <= 2 * width - 1 and -height <= y <= 2 * height - 1):
            return (
                f'joint {index + 1} at {x:g} {y:g} is outside the image of {width} x {height} pixels by more '
                'than its size; correct it or mark it as missing'
            )
    return None


def box_text(person: Person) -> str:
    """Return a person's box as text, such as '10 5 30.5 45'."""
    return _shown(person.box_img)


_ALLOWED = f'expected pixels from {-LARGEST} to {LARGEST}'


def _array(name: str, value: Any, shape: Optional[Tuple[int, ...]]) -> np.ndarray:
    """Return a float64 array of the given shape; None accepts a vector of any length."""
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise AnnotationError(f'{name} is {excerpt(repr(value))}; {_ALLOWED}')
    if array.ndim != 1 if shape is None else array.shape != shape:
        raise AnnotationError(
            f'{name} has shape {array.shape}; expected {"a list" if shape is None else shape or "a number"}'
        )
    return array


def _within(array: np.ndarray) -> np.ndarray:
    # The comparison is false for NaN; some versions of NumPy warn about it.
    with np.errstate(invalid='ignore'):
        return np.abs(array) <= LARGEST


def checked_pixels(name: str, value: Any, count: int) -> np.ndarray:
    """Return `count` pixel coordinates as float64. name: for the AnnotationError that invalid ones raise."""
    array = _array(name, value, (count,))
    if not _within(array).all():
        raise AnnotationError(f'{name} is {_shown(array)}; {_ALLOWED}')
    return array


def _name(key: str, value: Any) -> str:
    if not (isinstance(value, str) and value and '\0' not in value):
        raise AnnotationError(f'{key} is {excerpt(repr(value))}; expected a text')
    try:
        os.fsencode(value)
    except UnicodeError:
        raise AnnotationError(f'{key} is {excerpt(repr(value))}, which is not a valid file name')
    return value


def _positive(name: str, value: Any, largest: float, meaning: str) -> float:
    number = float(_array(name, value, ()))
    if not 0 < number <= largest:
        raise AnnotationError(f'{name} is {number:g}; expected a number > 0, {meaning}')
    return number


def _split(value: Any) -> Optional[str]:
    if value is not None and value not in SPLITS:
        raise AnnotationError(f'split is {excerpt(repr(value))}; expected one of {", ".join(map(repr, SPLITS))}')
    return value


def _index(value: Any) -> int:
    number = float(_array('person_index', value, ()))
    if not 0 <= number <= LARGEST or number != int(number):
        raise AnnotationError(f'person_index is {number:g}; expected an integer >= 0')
    return int(number)


def _shown(array: np.ndarray) -> str:
    return ' '.join(f'{value:g}' for value in array)
