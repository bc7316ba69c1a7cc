"""The official mpii_human_pose_v1_u12_1.mat, with whatever is missing in one place or another of it."""

import numpy as np

from hourglass_pose.data.official import load_matlab, mpii_person
from hourglass_pose.errors import AnnotationError
from hourglass_pose.skeleton import MPII_JOINTS


def read_mpii_mat(path, boxes='joints'):
    """Yield a Person, or None for an annotation without anything to use, in the order of the file.

    Persons of test images have a centre and a scale only, and the split 'test'; those of training images have no split,
    for the file does not know the published division into training and validation. Head boxes come with the file.
    person_index is the place in `annorect`. boxes: see official.box_of.

    Raises AnnotationError for a file that is not the official one.
    """
    release = load_matlab(path, ['RELEASE']).get('RELEASE')
    if release is None or not release.size or not {'annolist', 'img_train'} <= set(release.dtype.names or ()):
        raise AnnotationError('%s: no RELEASE with annolist and img_train in it; give the official '
                              'mpii_human_pose_v1_u12_1.mat' % path)
    release = release.flat[0]
    annolist, img_train = release['annolist'].ravel(), release['img_train'].ravel()
    if len(annolist) != len(img_train) or not {'image', 'annorect'} <= set(annolist.dtype.names or ()):
        raise AnnotationError('%s: %d images in annolist and %d in img_train; they have to be as many, with image and '
                              'annorect each; get the file again' % (path, len(annolist), len(img_train)))
    for number, (entry, is_training) in enumerate(zip(annolist, img_train), 1):
        name = _text(_field(_first(entry['image']), 'name'))
        rectangles = entry['annorect']
        # Where there is nobody, it is an empty matrix of numbers.
        if rectangles is None or rectangles.dtype.names is None:
            continue
        if not name:
            raise AnnotationError('%s: image %d has persons and no name; get the file again' % (path, number))
        for index, rectangle in enumerate(rectangles.ravel()):
            yield _person(name, index, rectangle, bool(is_training), boxes)


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
    return mpii_person(name, index, joints, labelled, visible, centre, scale, None if is_training else 'test', boxes,
                       None if None in head_box else head_box)


def _joints(annopoints):
    """Return MPII's numbers (16, 2), labelled (16,) and visible (16,) of `annopoints`, which may be None."""
    joints = np.zeros((len(MPII_JOINTS), 2))
    labelled, visible = np.zeros(len(MPII_JOINTS), bool), np.zeros(len(MPII_JOINTS), bool)
    points = _field(annopoints, 'point')
    for point in () if points is None or points.dtype.names is None else points.ravel():
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


def _first(value):
    """Return the first record of a struct array, None of an empty one or of anything else."""
    return value.flat[0] if value is not None and value.dtype.names and value.size else None


def _field(record, name):
    """Return the array in a field of a record, None where the record, the field or its content is missing."""
    if record is None or name not in (record.dtype.names or ()):
        return None
    value = record[name]
    return value if isinstance(value, np.ndarray) and value.size else None


def _number(value):
    """Return a finite float of an array with a number or a text of one, else None."""
    try:
        number = None if value is None else float(value.flat[0])
    except (TypeError, ValueError):
        return None
    return number if number is not None and np.isfinite(number) else None


def _text(value):
    return '' if value is None else str(value.flat[0]).strip()
