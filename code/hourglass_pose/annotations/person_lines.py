"""The project's own annotation format: a header and then a line of JSON for each person, plain or gzipped.

The first line is `{"format": "hourglass-pose persons", "version": 1, "frame": ..., "joints": [names]}`. Every other
line is one person:

    image         file name, relative to the folder of images
    id            unique in the file; NAME[LETTER] as in dataset.txt, or any other text
    box           [x0, y0, x1, y1], first and last pixel inclusive
    joints        [x, y] for each name of the header, null where the joint is not labelled
    visible       1 or 0 for each joint, 0 where a labelled joint is hidden
    head_box      like box
    centre scale  rough centre [x, y] of the person, and its height / 200 px, as MPII gives them
    split         "train", "valid" or "test"
    person_index  place of the person among those of its image, from 0

The first four are in every line, the others where they are known. Coordinates are pixels of the image, 0-based, x
right, y down, pixel centres at integers. Other keys are passed over, so that other programs can add their own.
"""

import json
import os
from collections import OrderedDict, namedtuple

import numpy as np

from hourglass_pose.annotations.gzip_files import create_bytes, open_bytes
from hourglass_pose.annotations.person import Person
from hourglass_pose.errors import AnnotationError

FORMAT, VERSION = 'hourglass-pose persons', 1
FRAME = 'pixels of the image, 0-based, x right, y down, pixel centres at integers'
SPLITS = ('train', 'valid', 'test')

# count: joints of each line. chosen: indices of those to take, None for all.
_Layout = namedtuple('_Layout', 'count chosen')

_LARGEST = 1000000  # pixels; more than any picture has in a row


def is_header(line):
    """Tell whether bytes are the first line of a file in this format, of whatever version."""
    try:
        return json.loads(line.decode('utf-8-sig'))['format'] == FORMAT
    except (ValueError, KeyError, TypeError):
        return False


def read_person_lines(path, num_joints, image_folder='', source=0, joint_names=None):
    """Yield (line number from 1, Person), or (line number, AnnotationError) for a line that is malformed.

    The file is read line by line. num_joints: the joints that the file has to have, J. joint_names: J names, to take
    these joints in this order from a file that may have more; None takes the file's own. image_folder goes before the
    name in image_path; source is Person.source.

    Raises AnnotationError where the file cannot be read, has another version or lacks joints.
    """
    with open_bytes(path) as stream:
        layout = _layout(path, stream.readline(), num_joints, joint_names)
        for number, line in enumerate(stream, 2):
            if line.strip():
                try:
                    yield number, _person(_record(line), layout, image_folder, source)
                except AnnotationError as error:
                    yield number, AnnotationError('%s:%d: %s' % (path, number, error))


def write_person_lines(path, persons, joint_names):
    """Write an iterable of Person as they come and return their number; `path` appears whole or not at all.

    A name that ends in .gz is gzipped. Nothing that a Person holds is lost but image_path and source, which are the
    reader's. Raises AnnotationError where nothing is to be written or the file cannot be, ValueError for a person that
    would not be read back.
    """
    with create_bytes(path) as stream:
        count = _write(stream, persons, joint_names)
        if not count:
            raise AnnotationError(f'{os.fspath(path)}: no persons to write; the file is left as it was')
    return count


def _write(stream, persons, joint_names):
    header = OrderedDict([('format', FORMAT), ('version', VERSION), ('frame', FRAME), ('joints', list(joint_names))])
    stream.write(_line(header))
    count = 0
    for person in persons:
        if len(person.joints_img) != len(joint_names):
            raise ValueError(f'{person.person_id}: {len(person.joints_img)} joints for {len(joint_names)} names')
        line = _line(_record_of(person))
        try:
            _person(_record(line), _Layout(len(joint_names), None), '', 0)
        except AnnotationError as error:
            raise ValueError(f'{person.person_id}: would not be read back: {error}')
        stream.write(line)
        count += 1
    return count


def _line(record):
    return (f'{json.dumps(record)}\n').encode('ascii')


def _record_of(person):
    # The shortest decimals that give the same float32 again.
    joints = [
        [float(str(x)), float(str(y))] if labelled else None
        for (x, y), labelled in zip(np.asarray(person.joints_img, np.float32), person.labelled)
    ]
    record = OrderedDict(
        [('image', person.image), ('id', person.person_id), ('box', _floats(person.box_img)), ('joints', joints)]
    )
    optional = (
        ('visible', None if person.visible is None else [int(value) for value in person.visible]),
        ('head_box', _floats(person.head_box_img)),
        ('centre', _floats(person.centre_img)),
        ('scale', None if person.scale is None else float(person.scale)),
        ('split', person.split),
        ('person_index', None if person.person_index is None else int(person.person_index)),
    )
    record.update((key, value) for key, value in optional if value is not None)
    return record


def _floats(array):
    return None if array is None else [float(value) for value in array]


def _layout(path, line, num_joints, joint_names):
    """Return the _Layout of a file after checking its first line."""
    if not is_header(line):
        raise AnnotationError(
            '%s:1: the first line has to be {"format": "%s", "version": %d, ...}; make the file by '
            '"python -m hourglass_pose prepare"' % (path, FORMAT, VERSION)
        )
    header = json.loads(line.decode('utf-8-sig'))
    if header.get('version') != VERSION:
        raise AnnotationError(
            '%s:1: version %r of the format; version %d can be read; make the file again, or read it '
            'with a newer version of this program' % (path, header.get('version'), VERSION)
        )
    names = header.get('joints')
    if not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
        raise AnnotationError(f'{path}:1: "joints" is {names!r}; a list of names is needed')
    if joint_names is None:
        if len(names) != num_joints:
            raise AnnotationError(
                '%s:1: %d joints; %d are needed; name them in DataSetHG.joint_list' % (path, len(names), num_joints)
            )
        return _Layout(len(names), None)
    missing = [name for name in joint_names if name not in names]
    if missing:
        raise AnnotationError(
            '{}:1: no joint {} among {}; name its joints in DataSetHG.joint_list'.format(
                path, ', '.join(missing), ', '.join(names)
            )
        )
    return _Layout(len(names), [names.index(name) for name in joint_names])


def _record(line):
    try:
        record = json.loads(line.decode('utf-8'))
    except UnicodeDecodeError as error:
        raise AnnotationError(
            'byte 0x%02x in column %d is not UTF-8 text; save the file as UTF-8' % (line[error.start], error.start + 1)
        )
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f'no JSON ({error}); a line is one {{"image": ..., "box": ..., ...}}')
    if not isinstance(record, dict):
        raise AnnotationError(f'a line is one {{"image": ..., "box": ..., ...}}, not {_shown(record)}')
    return record


def _person(record, layout, image_folder, source):
    image, person_id = _text(record, 'image'), _text(record, 'id')
    joints = _list(record, 'joints', layout.count)
    for index, joint in enumerate(joints):
        if joint is not None and not _are_numbers(joint, 2):
            raise AnnotationError(
                'joint %d is %s; [x, y] of pixels within %d or null is needed' % (index + 1, _shown(joint), _LARGEST)
            )
    labelled = np.array([joint is not None for joint in joints], bool)
    joints_img = np.array([joint or (0, 0) for joint in joints], np.float32).reshape(layout.count, 2)
    visible = _visible(record, layout.count)
    if layout.chosen is not None:
        joints_img, labelled = joints_img[layout.chosen], labelled[layout.chosen]
        visible = None if visible is None else visible[layout.chosen]
    return Person(
        image=image,
        image_path=os.path.join(image_folder, image),
        person_id=person_id,
        box_img=_numbers(record, 'box', 4, needed=True),
        joints_img=joints_img,
        labelled=labelled,
        head_box_img=_numbers(record, 'head_box', 4),
        source=source,
        visible=visible,
        centre_img=_numbers(record, 'centre', 2),
        scale=_scale(record),
        split=_split(record),
        person_index=_index(record),
    )


def _text(record, key):
    value = record.get(key)
    if not (isinstance(value, str) and value and '\0' not in value):
        raise AnnotationError(f'{key} is {_shown(value)}; a text is needed')
    return value


def _list(record, key, count):
    value = record.get(key)
    if not (isinstance(value, list) and len(value) == count):
        found = f'{len(value)} entries' if isinstance(value, list) else _shown(value)
        raise AnnotationError(
            '%s is %s; a list of %d is needed, one entry for each joint of the header' % (key, found, count)
        )
    return value


def _visible(record, count):
    if record.get('visible') is None:
        return None
    values = _list(record, 'visible', count)
    if not all(value in (0, 1) for value in values):
        raise AnnotationError(f'visible is {_shown(values)}; each entry has to be 1 or 0')
    return np.array(values, bool)


def _numbers(record, key, count, needed=False):
    value = record.get(key)
    if value is None and not needed:
        return None
    if not _are_numbers(value, count):
        raise AnnotationError(
            '%s is %s; a list of %d numbers of pixels within %d is needed' % (key, _shown(value), count, _LARGEST)
        )
    return np.array(value, np.float64)


def _are_numbers(value, count):
    # The comparison is also false for nan.
    return (
        isinstance(value, list)
        and len(value) == count
        and all(
            isinstance(number, (int, float)) and not isinstance(number, bool) and abs(number) <= _LARGEST
            for number in value
        )
    )


def _scale(record):
    value = record.get('scale')
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= _LARGEST:
        raise AnnotationError(
            f'scale is {_shown(value)}; a number above 0 is needed, the height of the person / 200 px'
        )
    return float(value)


def _split(record):
    value = record.get('split')
    if value is not None and value not in SPLITS:
        raise AnnotationError(f'split is {_shown(value)}; one of {", ".join(map(repr, SPLITS))} is needed')
    return value


def _index(record):
    value = record.get('person_index')
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise AnnotationError(f'person_index is {_shown(value)}; an integer from 0 is needed')
    return value


def _shown(value):
    text = json.dumps(value)
    return text if len(text) <= 60 else f'{text[:57]}...'
