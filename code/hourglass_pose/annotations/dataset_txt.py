"""Reader and writer of dataset.txt, the line-based annotation format of the original TensorFlow code.

A line is `NAME[LETTER] xmin ymin xmax ymax x1 y1 ... xJ yJ`: the image file, a letter that distinguishes the persons
of an image, the box and the joints in pixels, -1 -1 for a joint that is not labelled. Numbers are 0-based pixels. The
writer writes integers; the reader also accepts decimals. Files may be gzipped.
"""

import os
from collections import defaultdict
from typing import IO, DefaultDict, Iterable, Iterator, List, Optional, Tuple, Union

import numpy as np

from hourglass_pose.annotations.checking import LARGEST, checked_person
from hourglass_pose.annotations.gzip_files import create_bytes, lines_of, open_bytes
from hourglass_pose.annotations.person import Person
from hourglass_pose.errors import AnnotationError
from hourglass_pose.images import IMAGE_EXTENSIONS

_BOX_NUMBERS = ('xmin', 'ymin', 'xmax', 'ymax')
_MISSING = -1

_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
_SUFFIXES = tuple(_LETTERS) + tuple(first + second for first in _LETTERS for second in _LETTERS)

# Usual spellings are .jpg, .JPG and .Jpg; in `x.tifF` the F is therefore a person's letter.
_USUAL_EXTENSIONS = frozenset(
    spelling
    for extension in IMAGE_EXTENSIONS
    for spelling in (extension, extension.upper(), f'.{extension[1:].capitalize()}')
)


def read_dataset_txt(
    path: str, num_joints: int, image_folder: str = '', source: int = 0
) -> Iterator[Tuple[int, Union[Person, AnnotationError]]]:
    """Yield (line number from 1, Person), or (line number, AnnotationError) for a line that is malformed.

    The file is read line by line; empty lines are skipped. Only the form of a line is checked here: UTF-8, the count
    of numbers, and that its numbers make a valid Person. image_folder is prepended to the name in image_path; source
    is Person.source.

    Raises AnnotationError if the file cannot be read.
    """
    with open_bytes(path) as stream:
        for number, line in enumerate(lines_of(stream), 1):
            try:
                text = _decode(line[3:] if number == 1 and line.startswith(b'\xef\xbb\xbf') else line)
                if text:
                    yield number, _parse(text, num_joints, image_folder, source)
            except AnnotationError as error:
                yield number, AnnotationError(f'{path}:{number}: {error}')


def write_dataset_txt(path: str, persons: Iterable[Person]) -> int:
    """Write persons in their order, atomically, and return their number.

    Coordinates are rounded to integers; the format has no head boxes. A person_id that is the image's name with at most
    two capital letters is written unchanged; persons with another id get A, B, ..., Z, AA, ... in the order in which
    they occur in their image. A labelled joint that rounds to -1 -1, the mark of a missing joint, is written as 0 -1.

    Raises AnnotationError if there are no persons, if the file cannot be written, or if an image's name would not be
    read back; ValueError for persons of more than one source (a file belongs to one image folder), of different numbers
    of joints, or with a coordinate that is not finite or too large.
    """
    with create_bytes(path) as stream:
        count = _write_lines(stream, persons)
        if not count:
            raise AnnotationError(f'{os.fspath(path)}: no persons to write; the file is unchanged')
    return count


def image_of(person_id: str) -> str:
    """Return the image file of `NAME[LETTER]`: the name without one or two capitals after a known extension."""
    if person_id[person_id.rfind('.') :] in _USUAL_EXTENSIONS:
        return person_id
    for length in (1, 2):
        image, letters = person_id[:-length], person_id[-length:]
        if letters in _SUFFIXES and image[image.rfind('.') :].lower() in IMAGE_EXTENSIONS:
            return image
    return person_id


def person_name(image: str, index: int) -> str:
    """Return NAME[LETTER] of the person with this index in its image: A, ..., Z, AA, ..., ZZ, then #702, ..."""
    return image + (_SUFFIXES[index] if 0 <= index < len(_SUFFIXES) else f'#{index}')


def _decode(line: bytes) -> str:
    try:
        text = line.decode('utf-8')
    except UnicodeDecodeError as error:
        raise AnnotationError(
            f'byte 0x{line[error.start]:02x} in column {error.start + 1} is not UTF-8 text; save the file as UTF-8'
        )
    if '\0' in text:
        raise AnnotationError(f'a NUL byte in column {text.index(chr(0)) + 1}; expected a text file; save it as UTF-8')
    return text.strip()


def _parse(text: str, num_joints: int, image_folder: str, source: int) -> Person:
    expected = 4 + 2 * num_joints
    fields = text.rsplit(None, expected)
    numbers = [_number(field) for field in fields[1:]]
    if len(numbers) != expected or None in numbers or _number(fields[0].rsplit(None, 1)[-1]) is not None:
        raise AnnotationError(_malformed(text, num_joints))
    image = image_of(fields[0])
    joints = np.array(numbers[4:], np.float64).reshape(num_joints, 2)
    return checked_person(
        image=image,
        person_id=fields[0],
        box_img=numbers[:4],
        joints_img=joints,
        labelled=(joints != _MISSING).any(axis=1),
        image_path=os.path.join(image_folder, image),
        source=source,
    )


def _number(text: str) -> Optional[float]:
    """Return a float, or None if the text is not a number."""
    try:
        # float() accepts 1_000, which no other program writes.
        return None if '_' in text else float(text)
    except ValueError:
        return None


def _malformed(text: str, num_joints: int) -> str:
    """Return what is wrong with a line that is not a name and 4 + 2 * num_joints numbers."""
    words = text.split()
    known = [
        index
        for index, word in enumerate(words)
        if _number(word) is None and image_of(word).lower().endswith(IMAGE_EXTENSIONS)
    ]
    if known:
        start = known[-1] + 1
    else:
        start = len(words)
        while start > 0 and _number(words[start - 1]) is not None:
            start -= 1
        if start == 0:
            return (
                f'no image name before the numbers, the line starts with {words[0]!r}; '
                'expected NAME[LETTER] xmin ymin xmax ymax x1 y1 ...'
            )
    numbers, expected = words[start:], 4 + 2 * num_joints
    if len(numbers) != expected:
        message = (
            f'{len(numbers)} numbers after the name; expected {expected}, 4 of the box and 2 of each of {num_joints} '
            'joints'
        )
        if len(numbers) > 4 and len(numbers) % 2 == 0:
            message += f'; {len(numbers)} fit {(len(numbers) - 4) // 2} joints'
        return message
    index = [_number(word) for word in numbers].index(None)
    return f'{_name_of_number(index)} is {numbers[index]!r}; expected a number'


def _name_of_number(index: int) -> str:
    if index < 4:
        return _BOX_NUMBERS[index]
    return f'{"xy"[index % 2]}{(index - 4) // 2 + 1}'


def _write_lines(stream: IO[bytes], persons: Iterable[Person]) -> int:
    count, first = 0, None
    letters_used: DefaultDict[str, int] = defaultdict(int)
    for person in persons:
        layout = (person.source, len(person.joints_img))
        first = first or layout
        if layout != first:
            raise ValueError(
                f'{person.person_id}: source {layout[0]} and {layout[1]} joints after persons of source {first[0]} and '
                f'{first[1]} joints'
            )
        stream.write(_line(person, letters_used))
        count += 1
    return count


def _line(person: Person, letters_used: DefaultDict[str, int]) -> bytes:
    """Return the line of one person; letters_used: the number of letters tried so far, by image."""
    name = person.person_id
    if image_of(name) != person.image:
        name = _lettered(person.image, letters_used)
    numbers = _integers(person)
    line = f'{name} {" ".join(map(str, numbers))}'
    if (
        set(line) & set('\n\r\0')
        or line != line.strip()
        or line.rsplit(None, len(numbers))[0] != name
        or _number(name.rsplit(None, 1)[-1]) is not None
    ):
        raise AnnotationError(
            f'{name!r}: dataset.txt cannot hold a name with a line break, with surrounding spaces or with a number at '
            f'its end; {_OTHER_FORMAT}'
        )
    try:
        return f'{line}\n'.encode()
    except UnicodeEncodeError:
        raise AnnotationError(f'{name!r}: this name is not valid UTF-8; rename the image')


_OTHER_FORMAT = 'write JSON lines instead, to a file whose name ends in .jsonl'


def _lettered(image: str, letters_used: DefaultDict[str, int]) -> str:
    if not image.lower().endswith(IMAGE_EXTENSIONS):
        raise AnnotationError(
            f'{image!r}: dataset.txt needs an image extension before the letter of a person, one of '
            f'{" ".join(IMAGE_EXTENSIONS)}; {_OTHER_FORMAT}'
        )
    while letters_used[image] < len(_SUFFIXES):
        name = image + _SUFFIXES[letters_used[image]]
        letters_used[image] += 1
        # x.TIF with an F would be read as the image x.TIFF.
        if image_of(name) == image:
            return name
    raise AnnotationError(
        f'{image!r}: dataset.txt has no letter for another person; an image can have at most '
        f'{len(_SUFFIXES)} persons; {_OTHER_FORMAT}'
    )


def _integers(person: Person) -> List[int]:
    """Return the 4 + 2J integers of a person."""
    joints = np.rint(person.joints_img.astype(np.float64))
    rounds_to_missing = person.labelled & (joints == _MISSING).all(axis=1)
    joints[rounds_to_missing, 0] = 0
    joints[~person.labelled] = _MISSING
    numbers = np.concatenate([np.rint(person.box_img), joints.ravel()])
    if not np.isfinite(numbers).all() or np.abs(numbers).max() > LARGEST:
        raise ValueError(f'{person.person_id}: a coordinate is not finite or beyond {LARGEST} pixels')
    return numbers.astype(np.int64).tolist()
