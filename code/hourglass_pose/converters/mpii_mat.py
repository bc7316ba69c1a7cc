"""The official mpii_human_pose_v1_u12_1.mat, with whatever is missing in one place or another of it."""

import math

import numpy as np

from hourglass_pose.converters.matlab_stream import MatlabStruct
from hourglass_pose.converters.official import mpii_person
from hourglass_pose.errors import AnnotationError
from hourglass_pose.skeleton import MPII_JOINTS


def read_mpii_mat(path, boxes='joints'):
    """Yield a Person, or None for an annotation without anything to use, in the order of the file.

    The file is read image by image. Persons of test images have a centre and a scale only, and the split 'test'; those
    of training images have no split, for the file does not know the published division into training and validation.
    Head boxes come with the file. person_index is the place in `annorect`. boxes: see official.box_of.

    Raises AnnotationError for a file that is not the official one.
    """
    release = MatlabStruct(path, 'RELEASE')
    img_train = release.fields(('img_train',)).get('img_train')
    if not isinstance(img_train, tuple):
        raise AnnotationError(
            f'{path}: no RELEASE with annolist and img_train in it; give the official mpii_human_pose_v1_u12_1.mat'
        )
    number = 0
    for number, entry in enumerate(release.records('annolist', ('image', 'annorect')), 1):
        name = _field(_first(entry.get('image')), 'name')
        rectangles = entry.get('annorect')
        # Where there is nobody, it is an empty matrix of numbers.
        if not _is_struct(rectangles) or number > len(img_train):
            continue
        if not (isinstance(name, str) and name.strip()):
            raise AnnotationError('%s: image %d has persons and no name; get the file again' % (path, number))
        for index, rectangle in enumerate(rectangles):
            yield _person(name.strip(), index, rectangle, bool(img_train[number - 1]), boxes)
    if number != len(img_train):
        raise AnnotationError(
            '%s: %d images in annolist and %d in img_train; they have to be as many; get the file '
            'again' % (path, number, len(img_train))
        )


def _person(name, index, rectangle, is_training, boxes):
    joints, labelled, visible = _joints(_first(_field(rectangle, 'annopoints')))
    position = _first(_field(rectangle, 'objpos'))
    centre = [_number(_field(position, axis)) for axis in 'xy']
    scale = _number(_field(rectangle, 'scale'))
    if None in centre or scale is None or scale <= 0:
        centre, scale = None, None
    head_box = [_number(_field(rectangle, side)) for side in ('x1', 'y1', 'x2', 'y2')]
    if is_training and not labelled.any():
        return None
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


def _joints(annopoints):
    """Return MPII's numbers (16, 2), labelled (16,) and visible (16,) of `annopoints`, which may be None."""
    joints = np.zeros((len(MPII_JOINTS), 2))
    labelled, visible = np.zeros(len(MPII_JOINTS), bool), np.zeros(len(MPII_JOINTS), bool)
    points = _field(annopoints, 'point')
    for point in points if _is_struct(points) else ():
        x, y, identity = (_number(_field(point, name)) for name in ('x', 'y', 'id'))
        if None in (x, y, identity) or not 0 <= identity < len(MPII_JOINTS):
            continue
        joint = int(identity)
        joints[joint] = x, y
        labelled[joint] = True
        # Where nothing is said, as of the head, the joint counts as visible; so do the published conversions.
        said = _number(_field(point, 'is_visible'))
        visible[joint] = said is None or said != 0
    return joints, labelled, visible


def _is_struct(value):
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _first(value):
    """Return the first record of a struct array, None of an empty one or of anything else."""
    return value[0] if _is_struct(value) else None


def _field(record, name):
    """Return what is in a field of a record, None where the record, the field or its content is missing."""
    return None if record is None else record.get(name)


def _number(value):
    """Return a finite float of a tuple of numbers or a text of one, else None."""
    try:
        number = float(value) if isinstance(value, str) else float(value[0])
    except (TypeError, ValueError, IndexError, KeyError):
        return None
    return number if math.isfinite(number) else None
