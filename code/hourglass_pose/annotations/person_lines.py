"""The project's own annotation format: a header, then one line of JSON for each person, plain or gzipped.

The first line is `{"format": "hourglass-pose persons", "version": 1, "frame": ..., "joints": [names]}`. Every other
line is one person:

    image         file name, relative to the folder of images
    id            unique in the file; NAME[LETTER] as in dataset.txt, or any other text
    box           [x0, y0, x1, y1], first and last pixel inclusive
    joints        [x, y] for each name of the header, null if the joint is not labelled
    visible       1 or 0 for each joint, 0 if a labelled joint is occluded
    head_box      like box
    centre scale  approximate centre [x, y] of the person, and its height / 200 px, as MPII defines them
    split         "train", "valid" or "test"
    person_index  index of the person among those of its image, from 0
    area          of the person's segment in square pixels, for OKS

The first four are in every line, the others if they are known. Coordinates are pixels of the image, 0-based, x right,
y down, pixel centres at integers. Other keys are ignored, so that other programs can add their own.
"""

import json
import os
from dataclasses import dataclass
from typing import IO, Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np

from hourglass_pose.annotations.checking import checked_person
from hourglass_pose.annotations.gzip_files import create_bytes, lines_of, open_bytes
from hourglass_pose.annotations.person import Person
from hourglass_pose.errors import AnnotationError, excerpt
from hourglass_pose.files import parse_json
from hourglass_pose.invocation import command

FORMAT, VERSION = 'hourglass-pose persons', 1
FRAME = 'pixels of the image, 0-based, x right, y down, pixel centres at integers'


@dataclass(frozen=True)
class _Layout:
    """count: number of joints in each line. chosen: indices of the joints to read, None for all."""

    count: int
    chosen: Optional[List[int]]


def is_header(head: bytes) -> bool:
    """Return whether bytes begin with the header of a file in this format, of any version."""
    try:
        return parse_json(head.splitlines()[0])['format'] == FORMAT
    except (ValueError, KeyError, TypeError, IndexError):
        return False


def read_joint_names(path: str) -> Optional[Tuple[str, ...]]:
    """Return the names of the joints of a file in this format, or None for another file. Raises AnnotationError."""
    with open_bytes(path) as stream:
        line = next(lines_of(stream), b'')
    return tuple(parse_json(line)['joints']) if is_header(line) else None


def read_person_lines(
    path: str, num_joints: int, image_folder: str = '', source: int = 0, joint_names: Optional[Sequence[str]] = None
) -> Iterator[Tuple[int, Union[Person, AnnotationError]]]:
    """Yield (line number from 1, Person), or (line number, AnnotationError) for a line that is malformed.

    The file is read line by line. num_joints: the number of joints that the file must have, J. joint_names: J names, to
    read these joints in this order from a file that may have more; None reads the file's own. image_folder is prepended
    to the name in image_path; source is Person.source.

    Raises AnnotationError if the file cannot be read, has another version or lacks joints.
    """
    with open_bytes(path) as stream:
        lines = lines_of(stream)
        layout = _layout(path, next(lines, b''), num_joints, joint_names)
        for number, line in enumerate(lines, 2):
            if line.strip():
                try:
                    yield number, _person(_record(line), layout, image_folder, source)
                except AnnotationError as error:
                    yield number, AnnotationError(f'{path}:{number}: {error}')


def write_person_lines(path: str, persons: Iterable[Person], joint_names: Sequence[str]) -> int:
    """Write persons in their order, atomically, and return their number.

    A file whose name ends in .gz is gzipped. All fields of a Person are kept except image_path and source, which the
    reader sets. Raises AnnotationError if there are no persons or the file cannot be written, ValueError for a person
    that would not be read back.
    """
    with create_bytes(path) as stream:
        count = _write(stream, persons, joint_names)
        if not count:
            raise AnnotationError(f'{os.fspath(path)}: no persons to write; the file is unchanged')
    return count


def _write(stream: IO[bytes], persons: Iterable[Person], joint_names: Sequence[str]) -> int:
    stream.write(_line({'format': FORMAT, 'version': VERSION, 'frame': FRAME, 'joints': list(joint_names)}))
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


def _line(record: Dict[str, Any]) -> bytes:
    return f'{json.dumps(record)}\n'.encode('ascii')


def _record_of(person: Person) -> Dict[str, Any]:
    # The shortest decimals that round-trip to the same float32.
    joints = [
        [float(str(x)), float(str(y))] if labelled else None
        for (x, y), labelled in zip(np.asarray(person.joints_img, np.float32), person.labelled)
    ]
    record: Dict[str, Any] = {
        'image': person.image,
        'id': person.person_id,
        'box': _floats(person.box_img),
        'joints': joints,
    }
    optional = (
        ('visible', None if person.visible is None else [int(value) for value in person.visible]),
        ('head_box', _floats(person.head_box_img)),
        ('centre', _floats(person.centre_img)),
        ('scale', None if person.scale is None else float(person.scale)),
        ('split', person.split),
        ('person_index', None if person.person_index is None else int(person.person_index)),
        ('area', None if person.area is None else float(person.area)),
    )
    record.update((key, value) for key, value in optional if value is not None)
    return record


def _floats(array: Optional[np.ndarray]) -> Optional[List[float]]:
    return None if array is None else [float(value) for value in array]


def _layout(path: str, line: bytes, num_joints: int, joint_names: Optional[Sequence[str]]) -> _Layout:
    """Return the _Layout of a file after checking its first line."""
    if not is_header(line):
        raise AnnotationError(
            f'{path}:1: expected the first line {{"format": "{FORMAT}", "version": {VERSION}, ...}}; create the file '
            f'with "{command("prepare")}"'
        )
    header = parse_json(line)
    if header.get('version') != VERSION:
        raise AnnotationError(
            f'{path}:1: version {_shown(header.get("version"))} of the format; expected version {VERSION}; create '
            'the file again, or read it with a newer version of this program'
        )
    names = header.get('joints')
    if not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
        raise AnnotationError(f'{path}:1: "joints" is {_shown(names)}; expected a list of names')
    if joint_names is None:
        if len(names) != num_joints:
            raise AnnotationError(
                f'{path}:1: {len(names)} joints; expected {num_joints}; name them in DataSetHG.joint_list'
            )
        return _Layout(len(names), None)
    missing = [name for name in joint_names if name not in names]
    if missing:
        raise AnnotationError(
            f'{path}:1: no joint {", ".join(missing)} among {", ".join(names)}; choose DataSetHG.skeleton, or name the '
            "file's joints in DataSetHG.joint_list"
        )
    return _Layout(len(names), [names.index(name) for name in joint_names])


def _record(line: bytes) -> Dict[str, Any]:
    try:
        record = parse_json(line.decode('utf-8'))
    except UnicodeDecodeError as error:
        raise AnnotationError(
            f'byte 0x{line[error.start]:02x} in column {error.start + 1} is not UTF-8 text; save the file as UTF-8'
        )
    except ValueError as error:
        raise AnnotationError(f'not JSON ({error}); expected {{"image": ..., "box": ..., ...}}')
    if not isinstance(record, dict):
        raise AnnotationError(f'expected {{"image": ..., "box": ..., ...}}, found {_shown(record)}')
    return record


def _person(record: Dict[str, Any], layout: _Layout, image_folder: str, source: int) -> Person:
    joints = _list(record, 'joints', layout.count)
    for index, joint in enumerate(joints):
        if joint is not None and not _are_numbers(joint, 2):
            raise AnnotationError(f'joint {index + 1} is {_shown(joint)}; expected [x, y] in pixels, or null')
    labelled = np.array([joint is not None for joint in joints], bool)
    joints_img = np.array([joint or (0, 0) for joint in joints], object)
    visible = _visible(record, layout.count)
    if layout.chosen is not None:
        joints_img, labelled = joints_img[layout.chosen], labelled[layout.chosen]
        visible = None if visible is None else [visible[index] for index in layout.chosen]
    image = record.get('image')
    return checked_person(
        image=image,
        person_id=record.get('id'),
        box_img=_numbers(record, 'box', 4, needed=True),
        joints_img=joints_img,
        labelled=labelled,
        image_path=os.path.join(image_folder, image) if isinstance(image, str) else '',
        head_box_img=_numbers(record, 'head_box', 4),
        source=source,
        visible=visible,
        centre_img=_numbers(record, 'centre', 2),
        scale=_number(record, 'scale', (int, float)),
        split=record.get('split'),
        person_index=_number(record, 'person_index', (int,)),
        area=_number(record, 'area', (int, float)),
    )


def _list(record: Dict[str, Any], key: str, count: int) -> List[Any]:
    value = record.get(key)
    if not (isinstance(value, list) and len(value) == count):
        actual = f'{len(value)} entries' if isinstance(value, list) else _shown(value)
        raise AnnotationError(f'{key} is {actual}; expected a list of {count}, one entry for each joint of the header')
    return value


def _visible(record: Dict[str, Any], count: int) -> Optional[List[Any]]:
    if record.get('visible') is None:
        return None
    values = _list(record, 'visible', count)
    if not all(isinstance(value, (int, float)) and value in (0, 1) for value in values):
        raise AnnotationError(f'visible is {_shown(values)}; expected 1 or 0 for each joint')
    return values


def _numbers(record: Dict[str, Any], key: str, count: int, needed: bool = False) -> Optional[List[float]]:
    value = record.get(key)
    if value is None and not needed:
        return None
    if not _are_numbers(value, count):
        raise AnnotationError(f'{key} is {_shown(value)}; expected a list of {count} numbers in pixels')
    return value


def _number(record: Dict[str, Any], key: str, types: Tuple[type, ...]) -> Any:
    value = record.get(key)
    if isinstance(value, bool) or not (value is None or isinstance(value, types)):
        raise AnnotationError(f'{key} is {_shown(value)}; expected a number')
    return value


def _are_numbers(value: Any, count: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(number, (int, float)) and not isinstance(number, bool) for number in value)
    )


def _shown(value: Any) -> str:
    return excerpt(json.dumps(value))
