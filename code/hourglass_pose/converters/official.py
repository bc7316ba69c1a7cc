"""Shared parts of the readers of official files: conversion of records to Persons, JSON and MATLAB files."""

import os
import re
from typing import Any, Callable, Dict, Iterable, Iterator, Optional, Sequence, Union

import numpy as np

from hourglass_pose.annotations.checking import MALFORMED, Skipped, checked_person
from hourglass_pose.annotations.dataset_txt import person_name
from hourglass_pose.annotations.gzip_files import open_bytes
from hourglass_pose.annotations.person import Person
from hourglass_pose.converters.matlab_check import check_matlab_file
from hourglass_pose.errors import AnnotationError
from hourglass_pose.files import parse_json

# Height of a person in image pixels at scale 1, as MPII defines it.
_HEIGHT = 200.0

NOTHING_TO_USE = 'neither labelled joints nor both centre and scale'
NO_JOINTS = 'no labelled joint'

# Exceptions that Python and NumPy raise for values of unexpected type or size.
_RECORD_ERRORS = (AnnotationError, KeyError, TypeError, ValueError, IndexError, OverflowError, AttributeError)


def each_record(
    path: str, records: Iterable[Any], make: Callable[[Any], Union[Person, Skipped]], noun: str
) -> Iterator[Union[Person, Skipped]]:
    """Yield make(record) of each record, or a Skipped with the record's number, from 1, if make raises an error."""
    for number, record in enumerate(records, 1):
        try:
            # checked_person refuses the values that NumPy warns about.
            with np.errstate(all='ignore'):
                made = make(record)
        except _RECORD_ERRORS as error:
            reason = f'no "{error.args[0]}"' if isinstance(error, KeyError) and error.args else str(error)
            made = Skipped(MALFORMED, f'{path}: {noun} {number}: {" ".join(reason.split())[:200]}')
        yield made


def mpii_person(
    image: Any,
    index: int,
    joints: Any,
    labelled: Any,
    visible: Any,
    centre: Any,
    scale: Any,
    split: Optional[str],
    boxes: str = 'joints',
    head_box: Any = None,
    indexed: bool = True,
) -> Union[Person, Skipped]:
    """Return the Person of MPII's 1-based values; the only function that converts them to 0-based.

    image: file name. index: of the person among the annotated ones of the image, from 0. joints: (16, 2), arbitrary
    where not labelled; NaN also marks a missing joint. labelled, visible: (16,) bool; visible None if unknown. centre
    (2,), scale: None if the person has none. head_box: (x1, y1, x2, y2) or None. boxes: see box_of. indexed: see
    make_person. A person with neither joints nor both centre and scale is Skipped.
    """
    joints = np.asarray(joints, np.float64)
    labelled = np.asarray(labelled, bool) & ~np.isnan(joints).any(axis=1)
    joints_img = np.where(labelled[:, None], joints - 1.0, 0.0)
    centre_img = None if centre is None else np.asarray(centre, np.float64) - 1.0
    box = box_of(joints_img, labelled, centre_img, scale, boxes)
    if box is None:
        return Skipped(NOTHING_TO_USE)
    return make_person(
        image,
        index,
        joints_img,
        labelled,
        visible,
        box,
        split,
        centre_img,
        scale,
        None if head_box is None else np.asarray(head_box, np.float64) - 1.0,
        indexed,
    )


def make_person(
    image: Any,
    index: int,
    joints_img: np.ndarray,
    labelled: np.ndarray,
    visible: Any,
    box_img: Any,
    split: Optional[str],
    centre_img: Any = None,
    scale: Any = None,
    head_box: Any = None,
    indexed: bool = True,
    area: Any = None,
) -> Person:
    """Return a Person named after its image, without image_path, which the annotation format does not store.

    indexed: False if `index` only distinguishes persons and is not their index in the official file. Raises
    AnnotationError for values that are not valid.
    """
    return checked_person(
        image=image,
        person_id=person_name(image, index) if isinstance(image, str) else image,
        box_img=box_img,
        joints_img=joints_img,
        labelled=labelled,
        head_box_img=head_box,
        visible=None if visible is None else np.asarray(visible, bool) & labelled,
        centre_img=centre_img,
        scale=scale,
        split=split,
        person_index=index if indexed else None,
        area=area,
    )


def box_of(
    joints_img: np.ndarray, labelled: np.ndarray, centre_img: Optional[np.ndarray], scale: Optional[float], boxes: str
) -> Optional[np.ndarray]:
    """Return a person's box (x0, y0, x1, y1), first and last pixel inclusive, or None.

    boxes: 'joints', the tight box of the labelled joints, or 'centre_scale', a square of 200 x scale px around the
    centre, as high as the person. If a person lacks the values for one, the other is used.
    """
    if centre_img is not None and scale is not None and (boxes == 'centre_scale' or not labelled.any()):
        half = (_HEIGHT * scale - 1) / 2
        return np.concatenate([centre_img - half, centre_img + half])
    if not labelled.any():
        return None
    joints = joints_img[labelled]
    return np.concatenate([joints.min(axis=0), joints.max(axis=0)])


def split_of_file(path: str) -> Optional[str]:
    """Return 'train', 'valid' or 'test' by the name of a file, None if it contains none or several of these words.

    The files of HRNet, Newell and COCO have their split only in their names: train.json, valid.h5, ..._val2017.json.
    """
    name = os.path.basename(path).lower()
    words = set(re.findall('train|val|test', name))
    return {'train': 'train', 'val': 'valid', 'test': 'test'}[words.pop()] if len(words) == 1 else None


def load_json(path: str) -> Any:
    """Return the content of a JSON file, plain or gzipped. Raises AnnotationError."""
    with open_bytes(path) as stream:
        content = stream.read()
    try:
        return parse_json(content)
    except UnicodeDecodeError as error:
        raise AnnotationError(f'{path}: not UTF-8 text ({error}); save the file as UTF-8')
    except ValueError as error:
        raise AnnotationError(f'{path}: not complete JSON ({error}); download the file again')


def load_matlab(path: str, names: Sequence[str], simplify_cells: bool = False) -> Dict[str, Any]:
    """Return the variables `names` of a MATLAB file, as scipy.io.loadmat reads them. Raises AnnotationError.

    SciPy holds the whole file in memory: about 0.35 GB for MPII's official file.
    """
    from scipy.io import loadmat

    try:
        with open(path, 'rb'):
            pass
    except OSError as error:
        raise AnnotationError(f'{path}: cannot be read ({error.strerror or error}); check the path and its permissions')
    try:
        check_matlab_file(path)
        return loadmat(path, variable_names=list(names), simplify_cells=simplify_cells)
    except Exception as error:  # the exception depends on where the file is damaged
        raise AnnotationError(
            f'{path}: this MATLAB file is damaged or of version 7.3 ({" ".join(str(error).split())[:200]}); '
            'download it again, or save it as version 7'
        )


def numeric(path: str, name: str, value: Any) -> np.ndarray:
    """Return an array of a file as float64. Raises AnnotationError if it is not numeric."""
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise AnnotationError(f'{path}: {name} is not numeric; download the file again')
